"""UpdatedSince: the server filters by ``updated_on``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import msgspec

from tap_bitbucket.http.paging import Page
from tap_bitbucket.incremental.passes import (
    OVERLAP,
    Context,
    Pass,
    Row,
    Seen,
    Strategy,
    digest,
    fill,
    floor_of,
    lowest,
    mark,
    raw_rows,
)
from tap_bitbucket.plan import Reading
from tap_bitbucket.state import State, at_or_after, earlier, iso

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream


@dataclass(frozen=True)
class UpdatedSince(Strategy):
    """Ask for what was updated since the last pass began.

    There is no ``sort``: Bitbucket answers 500 to it on large repositories, and pages of a list
    ordered by what moves would skip rows. So nothing counts before the whole list is read, and
    the bookmark is the moment, on Bitbucket's clock, that the pass began, less an overlap.

    Attributes:
        replication_key: The column that holds ``updated_on``.
        silent: A state in which rows change without moving the cursor; they are read every time,
            and written when any of them differs.
        reconcile: Whether a whole pass every ``reconcile_every`` days tells what was deleted.
    """

    replication_key: str = "updated_on"
    silent: str | None = None
    reconcile: bool = False

    @property
    def versioned(self) -> bool:
        """Whether a whole pass tells what was deleted."""
        return self.reconcile

    @property
    def skips(self) -> bool:
        """Whether a normal pass leaves out what did not change."""
        return True

    def begin(self, stream: BitbucketStream, context: Context) -> UpdatedSincePass:
        """Return a pass over one partition."""
        return UpdatedSincePass(self, stream, context)

    def condition(self, floor: str) -> str:
        """Return the filter in Bitbucket's query language."""
        condition = f'updated_on>="{floor}"'
        return f'({condition} OR state="{self.silent}")' if self.silent else condition


class _Cursor(msgspec.Struct):
    state: str | None = None


class UpdatedSincePass(Pass):
    """See ``UpdatedSince``."""

    def __init__(self, strategy: UpdatedSince, stream: BitbucketStream, context: Context) -> None:
        super().__init__(stream, context)
        self._strategy = strategy
        self._everything = stream.reconciling
        self.floor = stream.start_date if self._everything else floor_of(stream, self.before)
        again = stream.lookback > 0 or self._everything
        self._seen = Seen(self.before.get("seen", {}), again=again)
        self._held: list[Row] = []
        self.feed = stream.directory.filling(stream.entity, context)
        self._silent = 0

    def readings(self) -> Iterator[Reading]:
        """Yield the list."""
        yield Reading(self._read)

    def _read(self) -> Iterator[Page]:
        stream, strategy = self.stream, self._strategy
        # Streams below this one may have older bookmarks, so the list goes back as far as they.
        own = [self.floor] if stream.selected else []
        floor = lowest([*own, *stream.floors_below(self.context)])
        listing = stream.listing(self.context)
        stream.narrow(listing, None if floor is None else strategy.condition(floor))
        return fill(self.feed, stream.pages(listing), self._note)

    def _note(self, page: Page | None) -> None:
        """Tell the streams below about each row; runs in a worker."""
        if page is None:
            if self.feed.as_of is None:
                self.feed.as_of = iso(datetime.now(timezone.utc))
            self.feed.mark = mark(self._silent)
            return
        if self.feed.as_of is None:
            began = datetime.fromtimestamp(page.as_of, timezone.utc)
            self.feed.as_of = earlier(iso(began), OVERLAP)
        if self._strategy.silent:
            for raw, row in raw_rows(page, _Cursor):
                if row.state == self._strategy.silent:
                    self._silent += digest(raw)
        self.stream.note_parents(self.feed, page)

    def accept(self, row: Row) -> bool:
        """Write what is newer than the bookmark; keep what may have changed in silence."""
        key, cursor = self.stream.key_of(row), row.get("updated_on")
        self._seen.note(key, cursor)
        if at_or_after(cursor, self.floor) and not self._seen.known(key, cursor or ""):
            return True
        if self._strategy.silent and row.get("state") == self._strategy.silent:
            self._held.append(row)
        return False

    def leftovers(self) -> list[Row]:
        """Return the rows that may change in silence, if any of them did."""
        known = self.before.get("mark")  # none on a first pass, which start_date alone bounds
        return self._held if known is not None and self.feed.mark != known else []

    def follow(self, other: Pass) -> None:
        """Take over what another pass over the same list learned."""
        if isinstance(other, UpdatedSincePass):
            self.feed = other.feed

    def bookmark(self) -> State:
        """Return the moment that the pass began."""
        state: State = {
            "replication_key": self._strategy.replication_key,
            "replication_key_value": self.feed.as_of,
        }
        seen = self._seen.since(self.feed.as_of)
        if seen:
            state["seen"] = seen
        if self._strategy.silent:
            state["mark"] = self.feed.mark
        return state
