"""The least for pipelines, environments and deployments.

Where Pipelines is off each of these lists is a request that is answered 404.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from datetime import datetime

from benchmarks.least_rules import CORE, Rule, Scene, pages
from tap_bitbucket.demo.model import Pipeline, Repository, Step

_SILENT = "nothing tells that it did not change"
_ENDS = "a pipeline that has ended does not change"


def _pages(rows: Callable[[Repository], Sized]) -> Callable[[Repository, Scene], int]:
    def count(repo: Repository, _: Scene) -> int:
        return pages(rows(repo)) if repo.pipelines_enabled else 1

    return count


def _whole(what: str, rows: Callable[[Repository], Sized]) -> Rule:
    count = _pages(rows)
    return Rule("repository", count, count, f"⌈{what} / 100⌉", "the same", _SILENT)


def _below(
    count: Callable[[Repository, list[Pipeline]], int], *, again: bool = False
) -> Callable[[Repository, Scene], int]:
    """Count what lies below the pipelines: of all, or of those that are not finished."""

    def total(repo: Repository, _: Scene) -> int:
        if not repo.pipelines_enabled:
            return 0
        return count(repo, _unfinished(repo) if again else repo.pipelines)

    return total


def _unfinished(repo: Repository) -> list[Pipeline]:
    return [one for one in repo.pipelines if one.result is None]


def _pipelines_again(repo: Repository, scene: Scene) -> int:
    """Count the newest page, and the unfinished ones that are not on it."""
    if not repo.pipelines_enabled:
        return 1
    newest = sorted(repo.pipelines, key=lambda one: one.created_on, reverse=True)
    again = pages(_since(scene, [one.created_on for one in newest]))
    return again + sum(one.result is None for one in newest[again * CORE :])


def _deployments_again(repo: Repository, scene: Scene) -> int:
    """Count the pages of what has not ended, which comes first, and of what just did."""
    if not repo.pipelines_enabled:
        return 1
    open_ones = sum(one.completed_on is None for one in repo.deployments)
    ended = [one.completed_on for one in repo.deployments if one.completed_on is not None]
    return pages(open_ones + len(_since(scene, ended)))


def _since(scene: Scene, moments: list[datetime]) -> list[datetime]:
    return [moment for moment in moments if scene.recent(moment)]


def _steps(pipelines: list[Pipeline]) -> list[Step]:
    return [step for one in pipelines for step in one.steps]


def _cases(scene: Scene, pipelines: list[Pipeline]) -> int:
    """Count a list per step that has tests, as its report tells; without reports, per step."""
    told = "pipeline_test_reports" in scene.selected
    return sum(pages(step.tests) for step in _steps(pipelines) if step.tests or not told)


def _test_cases(repo: Repository, scene: Scene) -> int:
    return _cases(scene, repo.pipelines) if repo.pipelines_enabled else 0


def _test_cases_again(repo: Repository, scene: Scene) -> int:
    return _cases(scene, _unfinished(repo)) if repo.pipelines_enabled else 0


def _variables(repo: Repository, _: Scene) -> int:
    if not repo.pipelines_enabled:
        return 0
    return sum(pages(one.variables) for one in repo.environments)


def _executions(repo: Repository, _: Scene) -> int:
    if not repo.pipelines_enabled:
        return 0
    return sum(pages(one.executions) for one in repo.schedules)


def absent(repo: Repository, scene: Scene, *, idle: bool) -> bool:
    """Tell whether a list below a step answers 404: there are no tests."""
    if not {"pipeline_test_reports", "pipeline_test_cases"} & scene.selected:
        return False
    pipelines = _unfinished(repo) if idle else repo.pipelines
    return repo.pipelines_enabled and any(not step.tests for step in _steps(pipelines))


RULES: dict[str, Rule] = {
    "pipelines_config": Rule(
        "repository", lambda *_: 1, lambda *_: 1, "1 per repository", "the same", _SILENT
    ),
    "pipeline_variables": _whole("variables", lambda repo: repo.variables),
    "pipeline_schedules": _whole("schedules", lambda repo: repo.schedules),
    "pipeline_schedule_executions": Rule(
        "repository", _executions, _executions, "Σ schedules ⌈executions / 100⌉", "the same",
        _SILENT,
    ),
    "pipeline_known_hosts": _whole("hosts", lambda repo: repo.known_hosts),
    "pipeline_caches": _whole("caches", lambda repo: repo.caches),
    "pipeline_runners": _whole("runners", lambda repo: repo.runners),
    "pipelines": Rule(
        "repository", _pages(lambda repo: repo.pipelines), _pipelines_again, "⌈pipelines / 100⌉",
        "1, and 1 per unfinished one that is not on the first page",
        "the list is asked for newest first; an old one goes on changing until it is finished",
    ),
    "pipeline_steps": Rule(
        "repository", _below(lambda _, found: len(found)),
        _below(lambda _, found: len(found), again=True), "1 per pipeline",
        "1 per unfinished pipeline", f"all steps come on one page; {_ENDS}",
    ),
    "pipeline_test_reports": Rule(
        "repository", _below(lambda _, found: len(_steps(found))),
        _below(lambda _, found: len(_steps(found)), again=True), "1 per step",
        "1 per step of an unfinished pipeline", f"no step tells whether it has tests; {_ENDS}",
    ),
    "pipeline_test_cases": Rule(
        "repository", _test_cases, _test_cases_again, "Σ steps with a report ⌈tests / 100⌉",
        "the same for unfinished pipelines", "a step without a report (404) has no tests",
    ),
    "environments": _whole("environments", lambda repo: repo.environments),
    "deployments": Rule(
        "repository", _pages(lambda repo: repo.deployments), _deployments_again,
        "⌈deployments / 100⌉", "⌈unfinished ones / 100⌉, at least 1",
        "ordered by their end, and those without one come first",
    ),
    "deployment_variables": Rule(
        "repository", _variables, _variables, "Σ environments ⌈variables / 100⌉", "the same",
        _SILENT,
    ),
}  # fmt: skip
