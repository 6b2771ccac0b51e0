"""The least for what is in a repository's git: refs, commits, files, what is said about commits."""

from __future__ import annotations

from collections.abc import Callable, Sized
from datetime import timedelta

from benchmarks.least_rules import Rule, Scene, pages
from tap_bitbucket.demo.model import Commit, Repository
from tap_bitbucket.demo.views import entries_of, files_of

DIFFSTAT = 5000
"""Files on the longest page of a diffstat."""

DEPTH = 10
"""Levels of folders that are read at once."""

_HEADS = 20
"""Heads whose commits are asked about whatever they are dated."""

_RUNNING = timedelta(days=7)
"""For so long a build that says it is running is waited for."""

_PAST = 3
"""Pages older than a day that may be read to be sure that no newer commit comes after them."""

_EMPTY = "; 0 where `mainbranch` is null"
_STANDS = "0"
_PUSHED = "a push moves the repository's `updated_on`"
_SAID = "1 per commit that was pushed within a day"
_LATER = "what is said about a commit moves nothing in it, and there is no list for several"
_BELOW = frozenset(
    {"commit_statuses", "commit_comments", "commit_reports", "commit_report_annotations"}
)


def _unless_empty(rows: Callable[[Repository], Sized]) -> Callable[[Repository, Scene], int]:
    def count(repo: Repository, _: Scene) -> int:
        return pages(rows(repo)) if repo.mainbranch is not None else 0

    return count


def history(repo: Repository, scene: Scene) -> list[Commit]:
    """List the commits that branches and tags reach."""
    return scene.world.history(repo, repo.heads())


def _commits(repo: Repository, scene: Scene) -> int:
    if repo.mainbranch is None:
        return 0
    refs = 0
    if not {"branches", "tags"} <= scene.read:
        refs = pages(len(repo.branches) + len(repo.tags))
    return refs + pages(history(repo, scene))


def _open(repo: Repository, scene: Scene) -> list[Commit]:
    """List the commits about which more may be said, as an idle pass has to assume.

    When a commit was pushed is not told. Its date says so unless it lies, as those of rebased
    and imported commits do, so that the newest one of each branch counts as well.
    """
    if repo.mainbranch is None or not scene.lately(repo.updated_on):
        return []
    commits = history(repo, scene)
    parents = {name for commit in commits for name in commit.parents}
    tips = sorted(name for name in repo.heads() if name not in parents)[:_HEADS]
    return [one for one in commits if one.hash in tips or scene.lately(one.date)]


def _commits_again(repo: Repository, scene: Scene) -> int:
    """Count the list that tells which commits are dated within a day."""
    if not _BELOW & scene.selected or not _open(repo, scene):
        return 0
    return pages([one for one in history(repo, scene) if scene.lately(one.date)])


def doubtful(repo: Repository, scene: Scene, *, idle: bool) -> int:
    """Count the pages that may be read beyond the last one with a commit dated within a day.

    The list is in the order of the commits' ancestry, so that an old branch may stand before a
    newer one.
    """
    told = _commits_again(repo, scene) if idle else 0
    return min(_PAST, pages(history(repo, scene)) - told) if told else 0


def _below(rows: Callable[[Repository, Commit], Sized]) -> Callable[[Repository, Scene], int]:
    def count(repo: Repository, scene: Scene) -> int:
        return sum(pages(rows(repo, commit)) for commit in history(repo, scene))

    return count


def _below_again(
    rows: Callable[[Repository, Commit], Sized],
) -> Callable[[Repository, Scene], int]:
    def count(repo: Repository, scene: Scene) -> int:
        return sum(pages(rows(repo, commit)) for commit in _open(repo, scene))

    return count


def _statuses(repo: Repository, commit: Commit) -> Sized:
    return repo.statuses.get(commit.hash, [])


def _comments(repo: Repository, commit: Commit) -> Sized:
    return repo.commit_comments.get(commit.hash, [])


def _reports(repo: Repository, commit: Commit) -> Sized:
    return repo.reports.get(commit.hash, [])


def _statuses_again(repo: Repository, scene: Scene) -> int:
    """Count the commits of today, and those of which a build says that it is running."""
    wanted = {one.hash for one in _open(repo, scene)}
    for commit in history(repo, scene) if repo.statuses else ():
        for status in repo.statuses.get(commit.hash, ()):
            young = status.updated_on >= scene.now - _RUNNING
            if status.state == "INPROGRESS" and young:
                wanted.add(commit.hash)
    return sum(pages(repo.statuses.get(name, [])) for name in wanted)


def _annotations(repo: Repository, commits: list[Commit]) -> int:
    return sum(
        pages(min(len(report.annotations), 1000))
        for commit in commits
        for report in repo.reports.get(commit.hash, ())
    )


def _files(repo: Repository, scene: Scene) -> int:
    if repo.mainbranch is None:
        return 0
    head = repo.objects[repo.branches[repo.mainbranch]]
    told = 0 if "branches" in scene.read else 1
    return told + pages(entries_of(files_of(repo, head), "", DEPTH))


def _diffstat(repo: Repository, scene: Scene) -> int:
    return sum(pages(commit.files, DIFFSTAT) for commit in history(repo, scene))


def _none(*_: object) -> int:
    return 0


RULES: dict[str, Rule] = {
    "branches": Rule(
        "repository", _unless_empty(lambda repo: repo.branches), _none,
        f"⌈branches / 100⌉{_EMPTY}", _STANDS, _PUSHED,
    ),
    "tags": Rule(
        "repository", _unless_empty(lambda repo: repo.tags), _none,
        f"⌈tags / 100⌉{_EMPTY}", _STANDS, _PUSHED,
    ),
    "source_files": Rule(
        "repository", _files, _none, f"⌈files and folders / 100⌉{_EMPTY}", _STANDS,
        "the branches tell the head, and all levels come in one list",
    ),
    "commits": Rule(
        "repository", _commits, _commits_again,
        f"⌈commits / 100⌉, and ⌈refs / 100⌉ unless branches and tags are read{_EMPTY}",
        "0; 1 in a repository that was pushed to within a day, if streams below are read",
        f"{_PUSHED}; the dates tell which commits are new enough to be talked about",
    ),
    "commit_statuses": Rule(
        "repository", _below(_statuses), _statuses_again, "1 per commit",
        f"{_SAID}, or has a build that is running", _LATER,
    ),
    "commit_comments": Rule(
        "repository", _below(_comments), _below_again(_comments), "1 per commit", _SAID, _LATER
    ),
    "commit_diffstat": Rule(
        "repository", _diffstat, _none, "1 per commit of up to 5,000 files", _STANDS,
        "a commit never changes",
    ),
    "commit_reports": Rule(
        "repository", _below(_reports), _below_again(_reports), "1 per commit", _SAID, _LATER
    ),
    "commit_report_annotations": Rule(
        "repository", lambda r, s: _annotations(r, history(r, s)),
        lambda r, s: _annotations(r, _open(r, s)), "1 per report",
        "1 per report on a commit that was pushed within a day", _LATER,
    ),
}  # fmt: skip
