"""What is said about a commit, and what it changed: one request per commit."""

from __future__ import annotations

from tap_bitbucket.http.errors import TOO_LONG
from tap_bitbucket.incremental import BelowCommits
from tap_bitbucket.incremental.passes import Context, Row
from tap_bitbucket.relations import GONE
from tap_bitbucket.scopes import CommitStream
from tap_bitbucket.state import at_or_after, earlier

_STALE = 7 * 86_400.0
"""Seconds after which a build that says it is running is no longer waited for."""

_COMMIT = "/repositories/{workspace}/{repository}/commit/{commit_hash}"


def still_building(row: Row, now: str) -> bool:
    """Whether a build status will go on changing."""
    when = row.get("updated_on") or row.get("created_on")
    return row.get("state") == "INPROGRESS" and at_or_after(when, earlier(now, _STALE))


class CommitStatuses(CommitStream):
    """What builds and checks say about a commit."""

    name = "commit_statuses"
    path = f"{_COMMIT}/statuses"
    primary_keys = ("repository_uuid", "commit_hash", "key")
    incremental = BelowCommits()
    needed = ("state", "created_on")
    selected_by_default = False

    def unfinished(self, row: Row) -> bool:
        """Whether the build is running."""
        return still_building(row, self.now)


class CommitComments(CommitStream):
    """What people say on a commit, on a line or in general. Deleted ones stay, as such."""

    name = "commit_comments"
    path = f"{_COMMIT}/comments"
    primary_keys = ("repository_uuid", "id")
    incremental = BelowCommits()
    needed = ("pending",)
    selected_by_default = False

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Drop drafts: ``pending`` ones are visible to the caller alone."""
        return None if row.get("pending") else row


class CommitDiffstat(CommitStream):
    """What a commit changed, file by file. Where that takes Bitbucket too long, it is left out."""

    name = "commit_diffstat"
    path = "/repositories/{workspace}/{repository}/diffstat/{commit_hash}"
    primary_keys = ("repository_uuid", "commit_hash", "path", "status")
    incremental = BelowCommits("commit_date", window=None)
    pagelen = 5000
    nothing_if = GONE | {400, TOO_LONG}
    derived = ("commit_hash", "commit_date", "path")
    needed = ("old.path", "new.path")
    selected_by_default = False

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Add the path."""
        return with_path(row)


def with_path(row: Row) -> Row:
    """Return a row of a diffstat with the file's path: the new one, or that of a removed file."""
    ends = (row.get("new"), row.get("old"))
    found = (end["path"] for end in ends if isinstance(end, dict) and end.get("path"))
    return {**row, "path": next(found, None)}


class CommitReports(CommitStream):
    """The reports that tools gave on a commit: tests, coverage, security."""

    name = "commit_reports"
    path = f"{_COMMIT}/reports"
    primary_keys = ("repository_uuid", "commit_hash", "uuid")
    incremental = BelowCommits()
    carried = {"report_uuid": "uuid"}
    selected_by_default = False


class CommitReportAnnotations(CommitStream):
    """The findings of a report, at most 1,000."""

    name = "commit_report_annotations"
    path = f"{_COMMIT}/reports/{{report_uuid}}/annotations"
    primary_keys = ("repository_uuid", "report_uuid", "uuid")
    incremental = BelowCommits()
    through = ("commit_reports",)
    derived = ("commit_hash", "report_uuid")
    selected_by_default = False
