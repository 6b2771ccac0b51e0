"""The truth about pipelines and deployments: nothing where Pipelines is off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_bitbucket.demo.model import Repository
from tap_bitbucket.demo.truth.kinds import OfRepository, Rows

if TYPE_CHECKING:
    from tap_bitbucket.demo.world import World


def _pipelines(world: World, repo: Repository) -> Rows:
    for one in repo.pipelines:
        yield None, world.shapes.pipeline(one)


def _steps(world: World, repo: Repository) -> Rows:
    for one in repo.pipelines:
        for step in one.steps:
            yield one.uuid, world.shapes.step(step, one)


def _environments(world: World, repo: Repository) -> Rows:
    for one in repo.environments:
        yield None, world.shapes.environment(one)


def _deployments(world: World, repo: Repository) -> Rows:
    for one in repo.deployments:
        yield None, world.shapes.deployment(one)


def _reports(world: World, repo: Repository) -> Rows:
    for one in repo.pipelines:
        for step in one.steps:
            if step.tests:
                yield step.uuid, world.shapes.test_report(step)


def _cases(world: World, repo: Repository) -> Rows:
    for one in repo.pipelines:
        for step in one.steps:
            for case in step.tests:
                yield step.uuid, world.shapes.test_case(case)


def _reasons(world: World, repo: Repository) -> Rows:
    for one in repo.pipelines:
        for step in one.steps:
            for case in step.tests:
                for reason in case.reasons:
                    yield case.uuid, world.shapes.test_reason(reason)


def _variables(world: World, repo: Repository) -> Rows:
    for one in repo.variables:
        yield None, world.shapes.variable(one)


def _deployment_variables(world: World, repo: Repository) -> Rows:
    for place in repo.environments:
        for one in place.variables:
            yield place.uuid, world.shapes.variable(one, "deployment_variable")


def _schedules(world: World, repo: Repository) -> Rows:
    for one in repo.schedules:
        yield None, world.shapes.schedule(one)


def _executions(world: World, repo: Repository) -> Rows:
    for schedule in repo.schedules:
        for one in schedule.executions:
            yield schedule.uuid, world.shapes.execution(one)


def _known_hosts(world: World, repo: Repository) -> Rows:
    for one in repo.known_hosts:
        yield None, world.shapes.known_host(one)


def _key_pairs(world: World, repo: Repository) -> Rows:
    if repo.key_pair is not None:
        yield None, world.shapes.key_pair(repo.key_pair)


def _caches(world: World, repo: Repository) -> Rows:
    for one in repo.caches:
        yield None, world.shapes.cache(one)


def _runners(world: World, repo: Repository) -> Rows:
    for one in repo.runners:
        yield None, world.shapes.runner(one)


def _config(world: World, repo: Repository) -> Rows:
    if repo.pipelines_configured:
        yield None, world.shapes.pipelines_config(repo)


_WHEN_ON: dict[str, OfRepository] = {
    "pipelines": _pipelines,
    "pipeline_steps": _steps,
    "pipeline_test_reports": _reports,
    "pipeline_test_cases": _cases,
    "pipeline_test_case_reasons": _reasons,
    "pipeline_variables": _variables,
    "pipeline_schedules": _schedules,
    "pipeline_schedule_executions": _executions,
    "pipeline_known_hosts": _known_hosts,
    "pipeline_ssh_key_pairs": _key_pairs,
    "pipeline_caches": _caches,
    "pipeline_runners": _runners,
    "environments": _environments,
    "deployments": _deployments,
    "deployment_variables": _deployment_variables,
}


def _when_on(rows: OfRepository) -> OfRepository:
    """Tell nothing of a repository in which Pipelines is off."""

    def checked(world: World, repo: Repository) -> Rows:
        if repo.pipelines_enabled:
            yield from rows(world, repo)

    return checked


KINDS: dict[str, OfRepository] = {
    **{kind: _when_on(rows) for kind, rows in _WHEN_ON.items()},
    "pipelines_config": _config,
}
