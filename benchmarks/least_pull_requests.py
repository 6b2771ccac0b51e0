"""The least for pull requests and what lies below them."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.least_commits import DIFFSTAT
from benchmarks.least_rules import Rule, Scene, nothing, pages
from tap_bitbucket.demo.model import PullRequest, Repository
from tap_bitbucket.demo.views import changes_of

FIFTY = 50
"""Rows on the longest page of pull requests and of their activity."""

SURE = 12
"""Pull requests a workspace that may be asked singly whether the feed shows what there is."""

_TOLD = "0"
_LIST = "what changes below a pull request moves its `updated_on`, which the list tells"


def _listed(repo: Repository, _: Scene) -> int:
    return pages(repo.pull_requests, FIFTY)


def _listed_again(repo: Repository, scene: Scene) -> int:
    """Count the pages of what is open or was updated just now."""
    told = [
        one
        for one in repo.pull_requests.values()
        if one.state == "OPEN" or scene.recent(one.updated_on)
    ]
    return pages(told, FIFTY)


def _feed(repo: Repository, _: Scene) -> int:
    """Count the pages of the feed; without a pull request there is nothing in it."""
    return pages(repo.activity, FIFTY) if repo.pull_requests else 0


def _singly(repo: Repository, scene: Scene) -> int:
    """Count the lists of comments of those that say that they have any."""
    return sum(
        pages(sum(not said.pending or said.user is scene.me for said in one.comments))
        for one in repo.pull_requests.values()
        if one.comment_count
    )


def _down(repo: Repository) -> int:
    """Count the pages of the feed down to where the first one with comments was opened."""
    opened = [one.created_on for one in repo.pull_requests.values() if one.comment_count]
    if not opened:
        return 0
    return pages(sum(entry.date >= min(opened) for entry in repo.activity), FIFTY)


def _comments(repo: Repository, scene: Scene) -> int:
    if "pull_request_activity" in scene.selected:
        return 0
    return min(_down(repo), _singly(repo, scene))


def _tasks(repo: Repository, scene: Scene) -> int:
    return sum(
        pages(sum(not task.pending or task.creator is scene.me for task in one.tasks))
        for one in repo.pull_requests.values()
        if one.task_count
    )


def _each(count: Callable[[PullRequest, Scene], int]) -> Callable[[Repository, Scene], int]:
    def total(repo: Repository, scene: Scene) -> int:
        return sum(count(one, scene) for one in repo.pull_requests.values())

    return total


def _commits(one: PullRequest, _: Scene) -> int:
    return pages(one.commits)


def _diffstat(one: PullRequest, scene: Scene) -> int:
    if one.source_repository is None:
        return 1
    repo = one.repository
    commits = scene.world.history(repo, [one.source_hash], [one.destination_hash])
    return pages(changes_of(commits), DIFFSTAT)


def _statuses(one: PullRequest, _: Scene) -> int:
    statuses = one.repository.statuses
    return pages(sum(len(statuses.get(name, ())) for name in one.commits))


def _statuses_again(one: PullRequest, scene: Scene) -> int:
    """Count those that are open, and those with a build that goes on."""
    statuses = one.repository.statuses
    runs = any(
        status.state == "INPROGRESS" for name in one.commits for status in statuses.get(name, ())
    )
    return _statuses(one, scene) if runs or one.state == "OPEN" else 0


def _none(*_: object) -> int:
    return 0


def doubtful(scene: Scene, *, idle: bool) -> int:
    """Count the pull requests that may be asked for their comments to be sure of the feed."""
    if idle or "pull_request_comments" not in scene.selected:
        return 0
    return sum(
        min(
            SURE,
            sum(
                bool(one.comments)
                for repo in where.repositories.values()
                for one in repo.pull_requests.values()
            ),
        )
        for where in scene.world.workspaces.values()
    )


def absent(repo: Repository, scene: Scene, *, idle: bool) -> bool:
    """Tell whether a list below a pull request answers 404: a fork was deleted."""
    lost = [one for one in repo.pull_requests.values() if one.source_repository is None]
    below = {"pull_request_commits", "pull_request_diffstat"} & scene.selected
    return bool(lost and below and not idle)


RULES: dict[str, Rule] = {
    "pull_requests": Rule(
        "repository", _listed, _listed_again, "⌈pull requests / 50⌉",
        "⌈open ones / 50⌉, at least 1",
        "an approval may leave `updated_on` alone, so that open ones are listed each time",
    ),
    "pull_request_participants": nothing("repository", "the pull requests carry them"),
    "pull_request_activity": Rule(
        "repository", _feed, _none, "⌈entries / 50⌉; 0 without pull requests", _TOLD,
        "the pull requests tell that nothing happened",
    ),
    "pull_request_comments": Rule(
        "repository", _comments, _none,
        "0 where activity is read; else the less of ⌈entries / 50⌉ down to the first pull request "
        "with comments, and one list per pull request whose `comment_count` is not 0",
        _TOLD, "the feed carries whole comments",
    ),
    "pull_request_tasks": Rule(
        "repository", _tasks, _none, "1 per pull request whose `task_count` is not 0", _TOLD, _LIST
    ),
    "pull_request_commits": Rule(
        "repository", _each(_commits), _none, "1 per pull request of up to 100 commits", _TOLD,
        _LIST,
    ),
    "pull_request_diffstat": Rule(
        "repository", _each(_diffstat), _none, "1 per pull request of up to 5,000 files", _TOLD,
        "its link in the list saves the redirect; a push moves `updated_on`",
    ),
    "pull_request_statuses": Rule(
        "repository", _each(_statuses), _each(_statuses_again), "1 per pull request",
        "1 per pull request that is open or has a build that is running",
        "a status moves nothing in the pull request",
    ),
}  # fmt: skip
