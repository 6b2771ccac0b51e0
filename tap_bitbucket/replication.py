"""What a strategy asks of a stream: its bookmark, how far back it goes, who depends on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tap_bitbucket.directory import Repository
from tap_bitbucket.http.paging import Page
from tap_bitbucket.incremental.feed_trust import FeedTrust
from tap_bitbucket.incremental.passes import Context, Row, Strategy
from tap_bitbucket.plan import Until
from tap_bitbucket.relations import RelatedStream
from tap_bitbucket.state import State, is_at

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream

_DAY = 86_400.0
"""How much a moment may lie ahead: clocks differ."""


class ReplicatedStream(RelatedStream):
    """A stream that is read again and again.

    Attributes:
        incremental: How it is read again.
        told_by: The stream that tells the partitions.
    """

    incremental: ClassVar[Strategy]
    told_by: ClassVar[str] = ""

    @property
    def start_date(self) -> str | None:
        """Return the moment before which nothing is read on the first pass."""
        value: str | None = self.config.get("start_date")
        return value

    @property
    def lookback(self) -> float:
        """Return how many seconds before its bookmark the user wants read again."""
        by_stream: Mapping[str, float] = self.config.get("lookback") or {}
        for name in (self.name, self.entity):
            if name in by_stream:
                return float(by_stream[name])
        return float(by_stream.get("*", 0))

    @property
    def reconciling(self) -> bool:
        """Whether this pass reads everything, to tell what was deleted."""
        return self._tap.reconciliation.due(self)

    @property
    def limited(self) -> bool:
        """Whether the user set limits that may end a run early."""
        limits = (self.config.get("max_requests"), self.config.get("max_duration"))
        return limits != (None, None) or self.config["on_rate_limit"] == "stop"

    @property
    def most_rows(self) -> int | None:
        """Return how many rows a run may read if it reads nothing else; None for any number."""
        most: int | None = self.config.get("max_requests")
        return None if most is None else most * (self.pagelen or 1)

    def leave(self, context: Context) -> None:
        """Leave the rest of a partition, and of all below it, to the next run."""
        own: Any = self
        left = [own, *self._tap.index.needing(self.name)]
        self._tap.resumption.leave([stream.name for stream in left], context)

    def repository(self, context: Context) -> Repository:
        """Return a partition's repository."""
        raise NotImplementedError

    def head(self, context: Context) -> str:
        """Return the commit at the head of the main branch."""
        raise NotImplementedError

    def tree(self, context: Context, head: str) -> Iterator[Page]:
        """Yield what is there at a commit."""
        raise NotImplementedError

    def heads(self, context: Context) -> Iterator[str]:
        """Yield the hashes that branches and tags point to."""
        raise NotImplementedError

    def bookmark_of(self, context: Context) -> State:
        """Return the partition's state as the run found it; empty for a forced full table."""
        if self._forced_to_full_table:
            return {}
        return self._tap.bookmarks.of(self.name, context)

    @property
    def _forced_to_full_table(self) -> bool:
        """Whether the catalog asks for a full table where there is an incremental way."""
        forced = self.forced_replication_method == "FULL_TABLE"
        return forced and self.incremental.replication_key is not None

    def below(self) -> list[BitbucketStream]:
        """Return the streams that take their parents from this one and are read."""
        return [
            stream
            for stream in self._tap.index.needing(self.name)
            if stream.selected or stream.has_selected_descendents
        ]

    def needs(self) -> tuple[str, ...]:
        """Return the streams that must be read before this one."""
        strategy = self.incremental
        wanted = [getattr(strategy, name, None) for name in ("parents", "gate", "feed")]
        if self.place is None:
            wanted.append(self.told_by)
        return tuple(name for name in wanted if name)

    @property  # type: ignore[misc]  # final in the SDK, which asks only streams linked by class
    def has_selected_descendents(self) -> bool:
        """Whether a stream that is read depends on this one: it is then read but not written.

        The SDK asks this of parents of child streams; dependants here are root streams.
        """
        return bool(self.below())

    def floors_below(self, context: Context) -> list[str | None]:
        """Return how far back each stream below needs this one."""
        return [stream.floor_above(self.entity, context) for stream in self.below()]

    def floor_above(self, name: str, context: Context) -> str | None:
        """Return how far back this stream needs the stream ``name``."""
        before = self.bookmark_of(context)
        if getattr(self.incremental, "gate", None) == name:
            gate: str | None = before.get("gate")
            return gate
        own: Any = self
        return self.incremental.begin(own, context).floor

    @property
    def goes_on_anywhere(self) -> bool:
        """Whether a list that was cut may go on amid it: no other stream needs it whole."""
        return not self.below()

    def wanted_below(self, context: Context, *, reads: bool, floor: str | None) -> bool:  # noqa: ARG002
        """Whether a stream below needs a list now, which may be read down to ``floor`` anyway."""
        return bool(self.below())

    def opened(self, context: Context) -> None:
        """Note that a pass over a partition has its place in the plan."""

    def awaited(self, context: Context) -> Iterator[Until]:  # noqa: ARG002
        """Yield what must be complete before a pass can plan."""
        return iter(())

    def wrote_page(self, context: Context, page: Page, oldest: str | None) -> None:
        """Note that a page of a list is out, which is now out down to ``oldest``."""

    @property
    def feed_trust(self) -> FeedTrust:
        """Return what is known about the feed that holds this stream's rows."""

        def make() -> FeedTrust:
            return FeedTrust(self._tap.bookmarks.of(self.name, None))

        return self.directory.once("trust in the feed", None, make)[0]

    def unfinished_below(self, context: Context) -> list[list[str]]:
        """Return the parents that each stream below still waits for."""
        return [stream.bookmark_of(context).get("unfinished", []) for stream in self.below()]

    def beyond_the_list(
        self,
        context: Context,  # noqa: ARG002 - for those that have something
        oldest: str | None,  # noqa: ARG002
        floor: str | None,  # noqa: ARG002
    ) -> Iterator[Page]:
        """Yield what a list that ends early does not hold."""
        return iter(())

    def key_of(self, row: Row) -> str:
        """Return what identifies a row within its partition."""
        return " ".join(str(row.get(key)) for key in self.primary_keys if key not in self._own)

    @property
    def _own(self) -> frozenset[str]:
        return frozenset(("repository_uuid",))

    def cursor_of(self, row: Row) -> str | None:
        """Return a row's cursor; None where it is no moment, or one that is still to come.

        As a bookmark it would leave out all that comes until then.
        """
        value: str | None = row.get(self.replication_key or "")
        return value if is_at(value, self._tap.session.now() + _DAY) else None

    def placed_of(self, row: Row) -> str | None:
        """Return the latest moment that a row's place in its list may stand for."""
        return self.cursor_of(row)

    def changed_of(self, row: Row) -> str | None:
        """Return when a row last changed, where it tells more than the cursor does."""
        return self.cursor_of(row)

    def unfinished(self, row: Row) -> bool:  # noqa: ARG002 - for those that finish
        """Whether a row will go on changing."""
        return False
