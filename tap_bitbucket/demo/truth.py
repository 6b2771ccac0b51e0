"""What is really there: the rows a perfect client would read through the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tap_bitbucket.demo.model import Json, Ref, Repository

if TYPE_CHECKING:
    from tap_bitbucket.demo.world import World

Key = str | int | None
Truth = tuple[str, str | None, Key, Json]


def rows_of(world: World, kind: str) -> list[Truth]:
    """List all rows of one kind."""
    if kind in _PLACES:
        return list(_places(world, kind))
    if kind not in _KINDS:
        raise ValueError(f"unknown kind {kind!r}; there are {sorted(_PLACES | set(_KINDS))}")
    found: list[Truth] = []
    for repo in world.repositories():
        for parent, row in _KINDS[kind](world, repo):
            found.append((repo.workspace.slug, repo.slug, parent, row))
    return found


_PLACES = {"workspaces", "members", "permissions", "projects", "repositories"}
_Rows = Iterator[tuple[Key, Json]]


def _places(world: World, kind: str) -> Iterator[Truth]:
    shapes = world.shapes
    for workspace in world.workspaces.values():
        slug = workspace.slug
        if kind == "workspaces":
            yield slug, None, None, shapes.workspace(workspace)
        elif kind == "members":
            for member in workspace.members:
                yield slug, None, None, shapes.member(member)
        elif kind == "permissions":
            for member in workspace.members:
                yield slug, None, None, shapes.permission(member)
        elif kind == "projects":
            for project in workspace.projects.values():
                yield slug, None, None, shapes.project(project)
        else:
            for repo in workspace.repositories.values():
                yield slug, repo.slug, None, shapes.repository(repo)


def branches_of(repo: Repository) -> list[Ref]:
    """List the branches of a repository as refs."""
    return [Ref(name, repo.objects[at], "branch") for name, at in repo.branches.items()]


def _branches(world: World, repo: Repository) -> _Rows:
    for ref in branches_of(repo):
        yield None, world.shapes.ref(ref, repo)


def _tags(world: World, repo: Repository) -> _Rows:
    for tag in repo.tags.values():
        yield None, world.shapes.ref(tag, repo)


def _commits(world: World, repo: Repository) -> _Rows:
    for commit in world.history(repo, repo.heads()):
        yield None, world.shapes.commit(commit, repo)


def _pull_requests(world: World, repo: Repository) -> _Rows:
    hidden = world.shapes.hidden_of_pull_requests()
    for one in repo.pull_requests.values():
        more = {name: hidden[name](one) for name in ("reviewers", "participants")}
        yield None, world.shapes.pull_request(one) | more


def _comments(world: World, repo: Repository) -> _Rows:
    for one in repo.pull_requests.values():
        for comment in one.comments:
            if not comment.pending:
                yield one.id, world.shapes.comment(comment)


def _tasks(world: World, repo: Repository) -> _Rows:
    for one in repo.pull_requests.values():
        for task in one.tasks:
            if not task.pending:
                yield one.id, world.shapes.task(task)


def _activity(world: World, repo: Repository) -> _Rows:
    for entry in reversed(repo.activity):
        yield entry.pull_request.id, world.shapes.activity(entry)


def _request_commits(world: World, repo: Repository) -> _Rows:
    for one in repo.pull_requests.values():
        if one.source_repository is not None:
            for name in one.commits:
                yield one.id, world.shapes.commit(repo.objects[name], repo)


def _statuses(world: World, repo: Repository) -> _Rows:
    for commit, statuses in repo.statuses.items():
        for status in statuses:
            yield commit, world.shapes.status(status, repo)


def _commit_comments(world: World, repo: Repository) -> _Rows:
    for commit, comments in repo.commit_comments.items():
        for comment in comments:
            yield commit, world.shapes.commit_comment(comment, repo)


def _pipelines(world: World, repo: Repository) -> _Rows:
    if repo.pipelines_enabled:
        for one in repo.pipelines:
            yield None, world.shapes.pipeline(one)


def _steps(world: World, repo: Repository) -> _Rows:
    if repo.pipelines_enabled:
        for one in repo.pipelines:
            for step in one.steps:
                yield one.uuid, world.shapes.step(step, one)


def _environments(world: World, repo: Repository) -> _Rows:
    if repo.pipelines_enabled:
        for one in repo.environments:
            yield None, world.shapes.environment(one)


def _deployments(world: World, repo: Repository) -> _Rows:
    if repo.pipelines_enabled:
        for one in repo.deployments:
            yield None, world.shapes.deployment(one)


def _default_reviewers(world: World, repo: Repository) -> _Rows:
    for user in repo.default_reviewers:
        yield None, world.shapes.account(user)


_KINDS = {
    "branches": _branches,
    "tags": _tags,
    "commits": _commits,
    "pull_requests": _pull_requests,
    "pull_request_comments": _comments,
    "pull_request_tasks": _tasks,
    "pull_request_activity": _activity,
    "pull_request_commits": _request_commits,
    "commit_statuses": _statuses,
    "commit_comments": _commit_comments,
    "pipelines": _pipelines,
    "pipeline_steps": _steps,
    "environments": _environments,
    "deployments": _deployments,
    "default_reviewers": _default_reviewers,
}
