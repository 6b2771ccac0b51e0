"""How each kind of thing is read through the API: the paths of all its lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from tap_bitbucket.demo import World
from tap_bitbucket.demo.model import Repository
from tests.standin.client import REPOS, Client, W

Paths = Iterator[str]

OF_WORKSPACE = {
    "workspace_repository_permissions": f"{W}/permissions/repositories",
    "workspace_hooks": f"{W}/hooks",
    "workspace_variables": f"{W}/pipelines-config/variables",
    "workspace_runners": f"{W}/pipelines-config/runners",
    "snippets": "/snippets/halley-labs",
}
OF_PROJECT = {
    "project_default_reviewers": "default-reviewers",
    "project_user_permissions": "permissions-config/users",
    "project_group_permissions": "permissions-config/groups",
    "project_branching_models": "branching-model",
    "project_branching_model_settings": "branching-model/settings",
    "project_deploy_keys": "deploy-keys",
}
OF_REPOSITORY = {
    "effective_default_reviewers": "effective-default-reviewers",
    "branch_restrictions": "branch-restrictions",
    "branching_models": "branching-model",
    "effective_branching_models": "effective-branching-model",
    "branching_model_settings": "branching-model/settings",
    "deploy_keys": "deploy-keys",
    "repository_hooks": "hooks",
    "repository_user_permissions": "permissions-config/users",
    "repository_group_permissions": "permissions-config/groups",
    "repository_override_settings": "override-settings",
    "downloads": "downloads",
    "forks": "forks",
    "watchers": "watchers",
    "pipelines_config": "pipelines_config",
    "pipeline_variables": "pipelines_config/variables/",
    "pipeline_schedules": "pipelines_config/schedules",
    "pipeline_known_hosts": "pipelines_config/ssh/known_hosts",
    "pipeline_ssh_key_pairs": "pipelines_config/ssh/key_pair",
    "pipeline_caches": "pipelines-config/caches",
    "pipeline_runners": "pipelines-config/runners",
}
OF_SNIPPET = {"snippet_comments": "comments", "snippet_commits": "commits"}
OF_PULL_REQUEST = {
    "pull_request_commits": "commits",
    "pull_request_statuses": "statuses",
    "pull_request_diffstat": "diffstat",
}
OF_COMMIT = {
    "commit_statuses": "commit/{}/statuses",
    "commit_comments": "commit/{}/comments",
    "commit_diffstat": "diffstat/{}",
    "commit_reports": "commit/{}/reports",
}
OF_STEP = {
    "pipeline_test_reports": "test_reports",
    "pipeline_test_cases": "test_reports/test_cases",
}
OF_CALLER = {
    "current_user_emails": "/user/emails",
    "current_user_ssh_keys": "/users/{}/ssh-keys",
    "current_user_gpg_keys": "/users/{}/gpg-keys?fields=%2Bvalues.key,%2Bvalues.subkeys",
}


def _annotations(repo: Repository) -> Paths:
    for commit, reports in repo.reports.items():
        for report in reports:
            yield f"commit/{commit}/reports/{quote(report.uuid)}/annotations"


def _steps(repo: Repository, below: str) -> Paths:
    for pipeline in repo.pipelines:
        for step in pipeline.steps:
            yield f"pipelines/{quote(pipeline.uuid)}/steps/{quote(step.uuid)}/{below}"


def _reasons(repo: Repository) -> Paths:
    for pipeline in repo.pipelines:
        for step in pipeline.steps:
            place = f"pipelines/{quote(pipeline.uuid)}/steps/{quote(step.uuid)}"
            for case in step.tests:
                yield f"{place}/test_reports/test_cases/{quote(case.uuid)}/test_case_reasons"


def _executions(repo: Repository) -> Paths:
    for schedule in repo.schedules:
        yield f"pipelines_config/schedules/{quote(schedule.uuid)}/executions"


def _deployment_variables(repo: Repository) -> Paths:
    for place in repo.environments:
        yield f"deployments_config/environments/{quote(place.uuid)}/variables"


def _source_files(repo: Repository) -> Paths:
    if repo.mainbranch is not None:
        yield f"src/{repo.branches[repo.mainbranch]}/?max_depth=10"


ODD: dict[str, Callable[[Repository], Paths]] = {
    "commit_report_annotations": _annotations,
    "pipeline_test_case_reasons": _reasons,
    "pipeline_schedule_executions": _executions,
    "deployment_variables": _deployment_variables,
    "source_files": _source_files,
}
KINDS = (
    *OF_WORKSPACE, *OF_PROJECT, *OF_REPOSITORY, *OF_SNIPPET, *OF_PULL_REQUEST, *OF_COMMIT,
    *OF_STEP, *OF_CALLER, *ODD, "hook_events",
)  # fmt: skip


def read_all(world: World, read: Client, kind: str) -> list[Any]:
    """Read all rows of a kind, page by page."""
    return [row for path in paths_of(world, read, kind) for row in rows_at(read, path)]


def rows_at(read: Client, path: str) -> list[Any]:
    """Read a list by page numbers or `next`, or a single thing; 404 is nothing."""
    answer = read.get(path)
    if answer.status == 302:
        path = answer.headers["location"].replace(read.server.api_url, "")
        answer = read.get(path)
    if answer.status == 404:
        return []
    assert answer.status == 200, (path, answer.body)
    if "values" not in answer.json:
        return [answer.json]
    if not _by_number(path):
        return read.all(path, pagelen=2)
    rows: list[Any] = []
    for page in range(1, 99):
        values = read.get(path, pagelen=2, page=page).values
        if not values:
            break
        rows += values
    return rows


def _by_number(path: str) -> bool:
    """Tell the lists of the pipelines service, whose `next` cannot be trusted."""
    return any(name in path for name in ("pipelines", "deployments_config"))


def paths_of(world: World, read: Client, kind: str) -> Paths:
    """Name all lists that hold rows of a kind."""
    if kind == "hook_events":
        yield from ("/hook_events/repository", "/hook_events/workspace")
    elif kind in OF_CALLER:
        yield OF_CALLER[kind].format(quote(read.get("/user").json["uuid"]))
    elif kind in OF_WORKSPACE:
        yield OF_WORKSPACE[kind]
    elif kind in OF_PROJECT:
        for key in world.workspace("halley-labs").projects:
            yield f"{W}/projects/{key}/{OF_PROJECT[kind]}"
    elif kind in OF_SNIPPET:
        for name in world.workspace("halley-labs").snippets:
            yield f"/snippets/halley-labs/{name}/{OF_SNIPPET[kind]}"
    else:
        for repo in world.repositories():
            for path in _in_repository(world, repo, kind):
                yield f"{REPOS}/{repo.slug}/{path}"


def _in_repository(world: World, repo: Repository, kind: str) -> Paths:
    if kind in OF_REPOSITORY:
        yield OF_REPOSITORY[kind]
    elif kind in OF_PULL_REQUEST:
        for number in repo.pull_requests:
            yield f"pullrequests/{number}/{OF_PULL_REQUEST[kind]}"
    elif kind in OF_COMMIT:
        # Statuses may be on any commit; diffstats are told of those that refs lead to.
        heads = [one.hash for one in world.history(repo, repo.heads())]
        for name in heads if kind == "commit_diffstat" else repo.objects:
            yield OF_COMMIT[kind].format(name)
    elif kind in OF_STEP:
        yield from _steps(repo, OF_STEP[kind])
    else:
        yield from ODD[kind](repo)


def canonical(rows: list[Any]) -> list[str]:
    """Write rows so that they can be compared in any order."""
    return sorted(json.dumps(row, sort_keys=True) for row in rows)
