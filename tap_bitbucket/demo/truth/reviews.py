"""The truth about pull requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_bitbucket.demo.model import Repository
from tap_bitbucket.demo.truth.kinds import OfRepository, Rows
from tap_bitbucket.demo.views import changes_of

if TYPE_CHECKING:
    from tap_bitbucket.demo.world import World


def _pull_requests(world: World, repo: Repository) -> Rows:
    hidden = world.shapes.hidden_of_pull_requests()
    for one in repo.pull_requests.values():
        more = {name: hidden[name](one) for name in ("reviewers", "participants")}
        yield None, world.shapes.pull_request(one) | more


def _comments(world: World, repo: Repository) -> Rows:
    for one in repo.pull_requests.values():
        for comment in one.comments:
            if not comment.pending:
                yield one.id, world.shapes.comment(comment)


def _tasks(world: World, repo: Repository) -> Rows:
    for one in repo.pull_requests.values():
        for task in one.tasks:
            if not task.pending:
                yield one.id, world.shapes.task(task)


def _activity(world: World, repo: Repository) -> Rows:
    for entry in reversed(repo.activity):
        yield entry.pull_request.id, world.shapes.activity(entry)


def _request_commits(world: World, repo: Repository) -> Rows:
    for one in repo.pull_requests.values():
        if one.source_repository is not None:
            for name in one.commits:
                yield one.id, world.shapes.commit(repo.objects[name], repo)


def _request_statuses(world: World, repo: Repository) -> Rows:
    for one in repo.pull_requests.values():
        for name in one.commits:
            for status in repo.statuses.get(name, []):
                yield one.id, world.shapes.status(status, repo, 12)


def _request_diffstat(world: World, repo: Repository) -> Rows:
    for one in repo.pull_requests.values():
        if one.source_repository is not None:
            source = repo.objects[one.source_hash]
            commits = world.history(repo, [one.source_hash], [one.destination_hash])
            for file in changes_of(commits):
                yield one.id, world.shapes.diffstat(file, repo, source)


KINDS: dict[str, OfRepository] = {
    "pull_requests": _pull_requests,
    "pull_request_comments": _comments,
    "pull_request_tasks": _tasks,
    "pull_request_activity": _activity,
    "pull_request_commits": _request_commits,
    "pull_request_statuses": _request_statuses,
    "pull_request_diffstat": _request_diffstat,
}
