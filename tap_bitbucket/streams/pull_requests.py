"""Pull requests and what people do with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from tap_bitbucket.directory import Feed, Parent
from tap_bitbucket.http.paging import Page
from tap_bitbucket.http.reader import Listing
from tap_bitbucket.http.request import Request, path
from tap_bitbucket.incremental import ChangedParents, NewestFirst, UpdatedSince
from tap_bitbucket.incremental.passes import Context, Row, Strategy, raw_rows
from tap_bitbucket.plan import Partition
from tap_bitbucket.scopes import PullRequestStream, RepositoryStream
from tap_bitbucket.state import at_or_after

_STATES = ("OPEN", "MERGED", "DECLINED", "SUPERSEDED")


class _PullRequest(msgspec.Struct):
    id: int
    created_on: str = ""
    updated_on: str = ""
    comment_count: int | None = None
    task_count: int | None = None
    state: str | None = None
    links: msgspec.Raw = msgspec.Raw()


def _diffstat_of(links: msgspec.Raw) -> str | None:
    """Return where a pull request says that its diffstat is."""
    named = msgspec.json.decode(links) if bytes(links) else None
    link = named.get("diffstat") if isinstance(named, dict) else None
    href = link.get("href") if isinstance(link, dict) else None
    return href if isinstance(href, str) else None


class PullRequests(RepositoryStream):
    """The pull requests in all states, with reviewers and participants.

    An approval may leave ``updated_on`` where it is, so open ones are read every time.
    """

    name = "pull_requests"
    path = "/repositories/{workspace}/{repository}/pullrequests"
    primary_keys = ("repository_uuid", "id")
    incremental = UpdatedSince(silent="OPEN")
    scope = "pullrequest"
    pagelen = 50
    extra_fields = ("reviewers", "participants", "rendered")
    needed = ("created_on", "state", "comment_count", "task_count")

    def needed_paths(self) -> list[tuple[str, ...]]:
        """Return what the tap looks at, and what the stream of participants takes from here."""
        participants = [("participants",)] if self.companions else []
        return [*super().needed_paths(), *participants, *self._links_below]

    @property
    def _links_below(self) -> list[tuple[str, ...]]:
        """Return the link that saves the stream of diffstats a redirect each."""
        return [("links", "diffstat", "href")] if self._diffstat_is_read else []

    @property
    def _diffstat_is_read(self) -> bool:
        return bool(self.related("pull_request_diffstat").selected)

    def narrow(self, listing: Listing, condition: str | None) -> None:
        """Ask for all states: without a word Bitbucket lists the open ones only."""
        if condition is None:
            states = tuple(("state", state) for state in _STATES)
            request = listing.request
            listing.request = Request(request.path, (*states, *request.params))
        else:
            # This list filters. Without a filter it would show the open ones only.
            listing.request = listing.request.with_params({"q": condition})

    def note_parents(self, feed: Feed[Parent], page: Page) -> None:
        """Tell the streams below which pull requests there are."""
        linked = self._diffstat_is_read
        for _, row in raw_rows(page, _PullRequest):
            counts = {"comment_count": row.comment_count, "task_count": row.task_count}
            feed.add(
                Parent(
                    key=str(row.id),
                    columns={
                        "pull_request_id": row.id,
                        "pull_request_updated_on": row.updated_on or None,
                    },
                    created=row.created_on,
                    changed=row.updated_on,
                    quiet=row.state == "OPEN",
                    link=_diffstat_of(row.links) if linked else None,
                    counts={name: count for name, count in counts.items() if count is not None},
                )
            )

    @property
    def companions(self) -> list[Any]:
        """Return the participants, who need no request of their own."""
        stream = self.related("pull_request_participants")
        return [stream] if stream.selected else []

    def select(self, partition: Partition, context: Context) -> Iterator[Row]:
        """Yield the pull requests, writing their participants in passing."""
        companions = self.companions if self._tap.reading_ahead else []
        passes = [(stream, stream.incremental.begin(stream, context)) for stream in companions]
        work = partition.work
        for row in self.rows(partition, context):
            for stream, companion in passes:
                if companion.accept(row):
                    stream.write(row, context)
            if self.selected and work.accept(row):
                self.written += 1
                yield row
        for stream, companion in passes:
            companion.follow(work)
            for row in companion.leftovers():
                stream.write(row, context)
        for row in work.leftovers() if self.selected else ():
            self.written += 1
            yield row
        for stream, companion in passes:
            stream.move_bookmark(companion, context)


class PullRequestParticipants(PullRequestStream):
    """Who reviews or takes part, and what each said: unrolled from the pull requests."""

    name = "pull_request_participants"
    path = PullRequests.path
    primary_keys = ("repository_uuid", "pull_request_id", "user_uuid")
    incremental: ClassVar[Strategy] = UpdatedSince("pull_request_updated_on", silent="OPEN")
    derived = ("pull_request_id", "pull_request_updated_on", "user_uuid")
    unrolled = True

    def needs(self) -> tuple[str, ...]:
        """Return where the rows come from."""
        return (*super().needs(), "pull_requests")

    def key_of(self, row: Row) -> str:
        """Return the pull request's key: it is what is read."""
        return str(row.get("id"))

    def get_records(self, context: Any) -> Iterator[Row]:
        """Yield nothing in a sync, where ``PullRequests`` writes the rows in passing."""
        if context is None or self._tap.reading_ahead:
            return
        parents: PullRequests = self.related("pull_requests")
        for row in parents.rows(self._tap.open(parents, context), context):
            yield from self.unroll(row, context)

    def unroll(self, row: Row, context: Context) -> Iterator[Row]:
        """Yield a row per participant of a pull request."""
        columns = {
            **self.columns(context),
            "pull_request_id": row.get("id"),
            "pull_request_updated_on": row.get("updated_on"),
        }
        for participant in row.get("participants") or ():
            user = participant.get("user") if isinstance(participant, dict) else None
            if user and user.get("uuid"):
                made = {**columns, "user_uuid": user["uuid"], **participant, "user": dict(user)}
                yield self.finished(made)

    def write(self, row: Row, context: Context) -> None:
        """Write a pull request's participants."""
        self._write_schema_message()
        for participant in self.unroll(row, context):
            self._write_record_message(self.post_process(participant))
            self.written += 1


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

    def cursor_of(self, row: Row) -> str | None:
        """Return when it happened; the date stands inside the entry."""
        return entry_of(row)[1].get("date") or entry_of(row)[1].get("created_on")

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
        self, context: Context, last: Page | None, floor: str | None
    ) -> Iterator[Page]:
        """Read per pull request what the feed no longer holds.

        Bitbucket does not say how far back the feed goes. The oldest entry of a whole feed is the
        creation of the first pull request; any created before the oldest entry are incomplete.
        """
        rows = list(last.rows()) if last is not None else []
        oldest = min(filter(None, map(self.cursor_of, rows)), default=None)
        if oldest is None or not at_or_after(oldest, floor):
            return
        for parent in self.directory.feed("pull_requests", context):
            if at_or_after(parent.changed, floor) and not at_or_after(parent.created, oldest):
                request = Request(
                    path(
                        "/repositories/{workspace}/{repository}/pullrequests/{id}/activity",
                        id=parent.key,
                        **self.path_names(context),
                    ),
                    (("pagelen", str(self.pagelen)),),
                )
                yield from self.pages(Listing(request))


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
    needed = ("pending",)

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Drop drafts: ``pending`` ones are visible to the caller alone."""
        return None if row.get("pending") else row


class PullRequestComments(_Discussion):
    """What people say on a pull request, on a line or in general. Deleted ones stay, as such."""

    name = "pull_request_comments"
    path = "/repositories/{workspace}/{repository}/pullrequests/{pull_request_id}/comments"
    incremental = ChangedParents("pull_requests", unless_zero="comment_count")


class PullRequestTasks(_Discussion):
    """What has to be done before a pull request is merged."""

    name = "pull_request_tasks"
    path = "/repositories/{workspace}/{repository}/pullrequests/{pull_request_id}/tasks"
    incremental = ChangedParents("pull_requests", unless_zero="task_count")
