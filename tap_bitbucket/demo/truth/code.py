"""The truth about code: refs, commits, files, and what machines say about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_bitbucket.demo.model import Repository
from tap_bitbucket.demo.truth.kinds import OfRepository, Rows
from tap_bitbucket.demo.views import branches_of, changes_of, entries_of, files_of, history_of

if TYPE_CHECKING:
    from tap_bitbucket.demo.world import World

_DEEP = 10
"""How deeply source files are listed."""


def _branches(world: World, repo: Repository) -> Rows:
    for ref in branches_of(repo):
        yield None, world.shapes.ref(ref, repo)


def _tags(world: World, repo: Repository) -> Rows:
    for tag in repo.tags.values():
        yield None, world.shapes.ref(tag, repo)


def _commits(world: World, repo: Repository) -> Rows:
    for commit in world.history(repo, repo.heads()):
        yield None, world.shapes.commit(commit, repo)


def _statuses(world: World, repo: Repository) -> Rows:
    for commit, statuses in repo.statuses.items():
        for status in statuses:
            yield commit, world.shapes.status(status, repo)


def _commit_comments(world: World, repo: Repository) -> Rows:
    for commit, comments in repo.commit_comments.items():
        for comment in comments:
            yield commit, world.shapes.commit_comment(comment, repo)


def _diffstat(world: World, repo: Repository) -> Rows:
    for commit in world.history(repo, repo.heads()):
        for file in changes_of([commit]):
            yield commit.hash, world.shapes.diffstat(file, repo, commit)


def _reports(world: World, repo: Repository) -> Rows:
    for commit, reports in repo.reports.items():
        for report in reports:
            yield commit, world.shapes.report(report)


def _annotations(world: World, repo: Repository) -> Rows:
    for reports in repo.reports.values():
        for report in reports:
            for annotation in report.annotations:
                yield report.uuid, world.shapes.annotation(annotation)


def _source_files(world: World, repo: Repository) -> Rows:
    """List what is in the main branch, down to ten levels, directories included."""
    if repo.mainbranch is None:
        return
    commit = repo.objects[repo.branches[repo.mainbranch]]
    for path, is_file in entries_of(files_of(repo, commit), "", _DEEP).items():
        show = world.shapes.entry if is_file else world.shapes.directory
        yield commit.hash, show(path, repo, commit)


def _file_history(world: World, repo: Repository) -> Rows:
    if repo.mainbranch is None:
        return
    head = repo.objects[repo.branches[repo.mainbranch]]
    for path in files_of(repo, head):
        for commit, name in history_of(repo, head, path):
            yield path, world.shapes.file_history(repo, commit, name)


KINDS: dict[str, OfRepository] = {
    "branches": _branches,
    "tags": _tags,
    "commits": _commits,
    "commit_statuses": _statuses,
    "commit_comments": _commit_comments,
    "commit_diffstat": _diffstat,
    "commit_reports": _reports,
    "commit_report_annotations": _annotations,
    "source_files": _source_files,
    "file_history": _file_history,
}
