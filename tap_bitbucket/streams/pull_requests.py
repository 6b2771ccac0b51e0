"""Pull requests and what people do with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, ClassVar

import msgspec

from tap_bitbucket.decodable import decodable
from tap_bitbucket.directory import Feed, Parent
from tap_bitbucket.http.paging import Page
from tap_bitbucket.http.reader import Listing
from tap_bitbucket.http.request import Request
from tap_bitbucket.incremental import UpdatedSince
from tap_bitbucket.incremental.passes import Context, Row, Strategy, raw_rows
from tap_bitbucket.plan import Partition
from tap_bitbucket.scopes import PullRequestStream, RepositoryStream

_STATES = ("OPEN", "MERGED", "DECLINED", "SUPERSEDED")


@decodable
class _PullRequest(msgspec.Struct):
    id: int
    created_on: str = ""
    updated_on: str = ""
    comment_count: int | None = None
    task_count: int | None = None
    state: str | None = None
    links: msgspec.Raw = msgspec.Raw()


class _Columns(Mapping[str, Any]):
    """What the rows below a pull request carry of it; there may be a hundred thousand of these."""

    __slots__ = ("_number", "_updated_on")

    def __init__(self, number: int, updated_on: str) -> None:
        self._number = number
        self._updated_on = updated_on

    def __getitem__(self, name: str) -> Any:
        if name == "pull_request_id":
            return self._number
        if name == "pull_request_updated_on":
            return self._updated_on or None
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(("pull_request_id", "pull_request_updated_on"))

    def __len__(self) -> int:
        return 2


@lru_cache(maxsize=4096)
def _counts(comments: int | None, tasks: int | None) -> Mapping[str, int]:
    """Return counters by name; pull requests with the same ones share them."""
    counts = {"comment_count": comments, "task_count": tasks}
    return {name: count for name, count in counts.items() if count is not None}


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
    incremental = UpdatedSince(silent="OPEN", numbered=True)
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
        """Tell the streams below, if there are any, which pull requests there are."""
        linked = self._diffstat_is_read
        for _, row in raw_rows(page, _PullRequest) if self.below() else ():
            feed.add(
                Parent(
                    key=str(row.id),
                    columns=_Columns(row.id, row.updated_on),
                    created=row.created_on,
                    changed=row.updated_on,
                    quiet=row.state == "OPEN",
                    link=_diffstat_of(row.links) if linked else None,
                    counts=_counts(row.comment_count, row.task_count),
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
            self.write_row(participant)
            self.written += 1
