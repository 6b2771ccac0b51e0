"""What people say and do about pull requests.

The activity of a repository holds all of it, fifty entries a request, but tells of no change of a
comment; see ``FromFeed``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from tap_bitbucket.directory import Parent
from tap_bitbucket.http.paging import Page
from tap_bitbucket.http.reader import Listing
from tap_bitbucket.http.request import Request, path
from tap_bitbucket.incremental import ChangedParents, FromFeed, NewestFirst
from tap_bitbucket.incremental.from_feed import FromFeedPass
from tap_bitbucket.incremental.passes import Context, Pass, Row
from tap_bitbucket.plan import Partition, Until
from tap_bitbucket.scopes import PullRequestStream
from tap_bitbucket.selection import kept
from tap_bitbucket.state import at_or_after


class PullRequestActivity(PullRequestStream):
    """What happened to pull requests: comments, approvals, and every change of state or title.

    The only place that tells when a pull request was merged or declined. The repository's feed
    brings fifty entries a request; should it not go back to the beginning, the rest is read per
    pull request.
    """

    name = "pull_request_activity"
    path = "/repositories/{workspace}/{repository}/pullrequests/activity"
    primary_keys = (
        "repository_uuid",
        "pull_request_id",
        "kind",
        "occurred_on",
        "actor_uuid",
        "comment_id",
    )
    incremental = NewestFirst("occurred_on", gate="pull_requests")
    pagelen = 50
    takes_fields = True
    derived = ("pull_request_id", "kind", "occurred_on", "actor_uuid", "comment_id")
    needed = (
        "pull_request.id",
        *(f"comment.{name}" for name in ("id", "created_on", "pending", "user.uuid")),
        *("update.date", "update.author.uuid", "approval.date", "approval.user.uuid"),
        *("changes_requested.date", "changes_requested.user.uuid"),
    )

    @property
    def companions(self) -> list[Any]:
        """Return the comments, who are in the entries."""
        stream = self.related("pull_request_comments")
        return [stream] if stream.selected else []

    def needed_paths(self) -> list[tuple[str, ...]]:
        """Return what the tap looks at, and what the stream of comments takes from here."""
        wanted = [
            ("comment", *path)
            for stream in self.companions
            for path in kept(stream.schema, stream.cuts)
            if path[0] not in stream.made_columns
        ]
        return [*super().needed_paths(), *wanted]

    @property
    def goes_on_anywhere(self) -> bool:
        """Whether a list that was cut may go on amid it: the comments know how."""
        return True

    def _listener(self, context: Context) -> FromFeedPass | None:
        """Return the pass over the comments of the same repository, if they are read."""
        if not self.companions or not self._tap.reading_ahead:
            return None
        stream: PullRequestComments = self.related("pull_request_comments")
        if self._tap.resumption.skips(stream, context):
            return None
        return stream.incremental.begin(stream, context)

    def opened(self, context: Context) -> None:
        """Give the comments their place: they decide repository by repository."""
        listener = self._listener(context)
        if listener is not None:
            listener.listening = True
            listener.opened()

    def awaited(self, context: Context) -> Iterator[Until]:
        """Yield what must be complete before it is known how the comments are read."""
        listener = self._listener(context)
        if listener is not None:
            yield from listener.undecided()

    def wanted_below(self, context: Context, *, reads: bool, floor: str | None) -> bool:
        """Whether the comments are better taken from the feed."""
        listener = self._listener(context)
        if listener is None:
            return False
        listener.prepare(reads=reads, floor=floor)
        return listener.feed_floor is not None

    def floors_below(self, context: Context) -> list[str | None]:
        """Return how far back the comments need the feed."""
        listener = self._listener(context)
        known = listener is not None and listener.feed_floor is not None
        return [listener.feed_floor] if listener is not None and known else []

    def wrote_page(self, context: Context, page: Page, oldest: str | None) -> None:
        """Tell the comments how much of the feed is out."""
        listener = self._listener(context)
        if listener is not None:
            listener.heard_page(page, oldest)

    def get_records(self, context: Any) -> Iterator[Row]:
        """Yield the entries; the comments learn in any case that this is over."""
        try:
            yield from super().get_records(context)
        finally:
            listener = self._listener(context)
            if listener is not None:
                listener.heard_all(failed=True)

    def select(self, partition: Partition, context: Context) -> Iterator[Row]:
        """Yield the entries, writing the comments in them in passing."""
        listener = self._listener(context)
        comments: PullRequestComments = self.related("pull_request_comments")
        work = partition.work
        for row in self.rows(partition, context):
            if listener is not None:
                key = str(row["pull_request_id"])
                listener.hears(key, row["occurred_on"])
                if row["kind"] == "comment" and listener.hears_child(key, row["comment"]):
                    comments.write_told(key, row["comment"], context)
            if self.selected and work.accept(row):
                self.written += 1
                yield row
        if listener is not None:
            listener.heard_all(failed=False)

    def keep_progress(self, work: Pass, context: Context) -> None:
        """Write what the states may be after a part of the feed: the comments' with it."""
        super().keep_progress(work, context)
        listener = self._listener(context)
        if listener is not None and listener.feeds:
            self.related("pull_request_comments").keep_progress(listener, context)

    def cursor_of(self, row: Row) -> str | None:
        """Return when it happened; the date stands inside the entry."""
        return entry_of(row)[1].get("date") or entry_of(row)[1].get("created_on")

    def placed_of(self, row: Row) -> str | None:
        """Return when it was last changed: a draft is listed by when it was published."""
        value: str | None = entry_of(row)[1].get("updated_on")
        return value or self.cursor_of(row)

    def changed_of(self, row: Row) -> str | None:
        """Return when it was last changed: a draft that is published keeps its creation."""
        return self.placed_of(row)

    def key_of(self, row: Row) -> str:
        """Return what identifies an entry, which has no id."""
        return " ".join(str(row[key]) for key in self.primary_keys if key != "repository_uuid")

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Add the key; drop the caller's own unpublished comments."""
        kind, entry = entry_of(row)
        if not kind or entry.get("pending"):
            return None
        pull_request = row.get("pull_request") or {}
        actor = entry.get("user") or entry.get("author") or {}
        if pull_request.get("id") is None or self.cursor_of(row) is None:
            return None
        return {
            **row,
            "pull_request_id": pull_request["id"],
            "kind": kind,
            "occurred_on": self.cursor_of(row),
            "actor_uuid": actor.get("uuid") or "",
            "comment_id": str(entry.get("id", "")) if kind == "comment" else "",
        }

    def beyond_the_list(
        self, context: Context, oldest: str | None, floor: str | None
    ) -> Iterator[Page]:
        """Read per pull request what the feed no longer holds.

        Bitbucket does not say how far back the feed goes. The oldest entry of a whole feed is the
        creation of the first pull request; any created before the oldest entry are incomplete.
        """
        if not self.selected or oldest is None or not at_or_after(oldest, floor):
            return
        parents = self.directory.feed("pull_requests", context)
        for parent in sorted(parents, key=lambda one: int(one.key)):
            if at_or_after(parent.changed, floor) and not at_or_after(parent.created, oldest):
                request = Request(
                    path(
                        "/repositories/{workspace}/{repository}/pullrequests/{id}/activity",
                        id=parent.key,
                        **self.path_names(context),
                    ),
                    (("pagelen", str(self.pagelen)),),
                )
                for page in self.pages(Listing(request)):
                    page.about = parent.key
                    yield page


def entry_of(row: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return kind and content of an activity entry: the one object beside ``pull_request``.

    Bitbucket calls a request for changes ``changes_requested`` or ``changes_request``.
    """
    for kind in ("comment", "approval", "update", "changes_requested", "changes_request"):
        if isinstance(row.get(kind), dict):
            return "changes_requested" if kind == "changes_request" else kind, row[kind]
    return "", {}


class _Discussion(PullRequestStream):
    """Shared by what people write below a pull request."""

    primary_keys = ("repository_uuid", "pull_request_id", "id")
    needed: ClassVar[tuple[str, ...]] = ("pending",)

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Drop drafts: ``pending`` ones are visible to the caller alone."""
        return None if row.get("pending") else row


class PullRequestComments(_Discussion):
    """What people say on a pull request, on a line or in general. Deleted ones stay, as such.

    Those of new pull requests are in the entries of the repository's activity.
    """

    name = "pull_request_comments"
    path = "/repositories/{workspace}/{repository}/pullrequests/{pull_request_id}/comments"
    incremental = FromFeed(
        "pull_requests", unless_zero="comment_count", feed="pull_request_activity"
    )
    needed = ("pending", "deleted", "updated_on", "resolution")

    def write_told(self, key: str, comment: Row, context: Context) -> None:
        """Write a comment of which the feed told."""
        made = {**self.columns(context), "pull_request_id": int(key)}
        row = self.row_of(msgspec.Raw(msgspec.json.encode(comment)), made, context)
        if row is not None:
            self.write_row(self.finished(row))
            self.written += 1

    def parent_of(self, key: str) -> Parent:
        """Return a pull request of which only the number is known."""
        return Parent(key, {"pull_request_id": int(key)}, created="", changed="")


class PullRequestTasks(_Discussion):
    """What has to be done before a pull request is merged."""

    name = "pull_request_tasks"
    path = "/repositories/{workspace}/{repository}/pullrequests/{pull_request_id}/tasks"
    incremental = ChangedParents("pull_requests", unless_zero="task_count")
