"""What is said about a commit, and what it changed: one request per commit.

See https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commits/,
…/api-group-commit-statuses/ and …/api-group-reports/.
"""

from __future__ import annotations

from tap_bitbucket.client import BitbucketStream
from tap_bitbucket.http.errors import TOO_LONG
from tap_bitbucket.incremental import BelowCommits
from tap_bitbucket.incremental.passes import Context, Row
from tap_bitbucket.relations import GONE
from tap_bitbucket.scopes import CommitStream
from tap_bitbucket.state import at_or_after, earlier

_STALE = 7 * 86_400.0
"""Seconds after which a build that says it is running is no longer waited for."""

_COMMIT = "/repositories/{workspace}/{repository}/commit/{commit_hash}"


class BuildStatuses(BitbucketStream):
    """Shared by the lists of what builds say: one that is running will say more."""

    def unfinished(self, row: Row) -> bool:
        """Whether the build is running."""
        when = row.get("updated_on") or row.get("created_on")
        return row.get("state") == "INPROGRESS" and at_or_after(when, earlier(self.now, _STALE))


class Diffstat(BitbucketStream):
    """Shared by the lists of changed files, which need not be there.

    Bitbucket answers 404 for a rewritten commit or a vanished fork, 400 without a common ancestor,
    and 555 where it takes too long: the list is left out then.
    A page may hold 5,000 files (…/api-group-commits/, "diffstat").
    """

    pagelen = 5000
    nothing_if = GONE | {400, TOO_LONG}
    needed = ("old.path", "new.path")

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Add the file's path: the new one, or that of a removed file."""
        ends = (row.get("new") or {}, row.get("old") or {})
        return {**row, "path": next((end["path"] for end in ends if end.get("path")), None)}


class CommitStatuses(BuildStatuses, CommitStream):
    """What builds and checks say about a commit."""

    name = "commit_statuses"
    path = f"{_COMMIT}/statuses"
    primary_keys = ("repository_uuid", "commit_hash", "key")
    incremental = BelowCommits()
    needed = ("state", "created_on")
    selected_by_default = False


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


class CommitDiffstat(Diffstat, CommitStream):
    """What a commit changed, file by file."""

    name = "commit_diffstat"
    path = "/repositories/{workspace}/{repository}/diffstat/{commit_hash}"
    primary_keys = ("repository_uuid", "commit_hash", "path", "status")
    incremental = BelowCommits("commit_date", window=None)
    derived = ("commit_hash", "commit_date", "path")
    selected_by_default = False


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
