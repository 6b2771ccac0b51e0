"""UpdatedSince: the server filters by ``updated_on``."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from tap_bitbucket.decodable import decodable
from tap_bitbucket.http.errors import SkipPartition
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
from tap_bitbucket.incremental.windows import Windows
from tap_bitbucket.plan import Parts, Reading, Step
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
        numbered: Whether rows have a number of their own (``id``) by which the list filters.
        reconcile: Whether a whole pass every ``reconcile_every`` days tells what was deleted.
    """

    replication_key: str = "updated_on"
    silent: str | None = None
    numbered: bool = False
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


@decodable
class _Cursor(msgspec.Struct):
    state: str | None = None


@decodable
class _Numbered(msgspec.Struct):
    id: int | None = None


_LONG = 1000
"""Rows of a list that is read in parts."""

_CUTS = 3
"""Runs one after the other that ended amid a list, which is then read in windows."""

_PART = 500
"""Rows of a part: ten pages."""


class UpdatedSincePass(Pass):
    """See ``UpdatedSince``.

    State beside the bookmark: ``seen``; ``mark``, a digest of the rows that change in silence; and
    ``cuts`` and ``narrow`` where limits cut runs amid the list, how often and for ``Windows``.
    """

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
        self._rows = 0
        self._unread = 0
        self._noting = threading.Lock()
        self._windows: Windows | None = None
        self._cuts: int = self.before.get("cuts", 0)
        narrow: State = self.before.get("narrow", {})
        if strategy.numbered and stream.limited and (self._cuts >= _CUTS or "until" in narrow):
            self._windows = Windows(stream, context, narrow)

    def readings(self) -> Iterator[Step]:
        """Yield the list."""
        yield Reading(self._read)

    def _read(self) -> Iterator[Page | Parts]:
        stream, strategy = self.stream, self._strategy
        # Streams below this one may have older bookmarks, so the list goes back as far as they.
        own = [self.floor] if stream.selected else []
        floor = lowest([*own, *stream.floors_below(self.context)])
        if (yield from self._window(floor)):
            return
        condition = None if floor is None else strategy.condition(floor)
        listing = stream.listing(self.context)
        stream.narrow(listing, condition)
        pages = stream.pages(listing)
        try:
            first = next(pages, None)
        except BaseException as error:
            self.feed.finish(error)
            raise
        if first is not None and self._is_too_long(first):
            self._windows = Windows(stream, self.context, {})
            if (yield from self._window(floor)):
                return
        if first is not None and first.after is not None and (first.size or 0) > _LONG:
            parts = list(self._parts(first, condition))
            if parts:
                self._note_as_of(first)
                self._unread = len(parts)
                yield Parts(parts)
                return
        yield from fill(self.feed, chain([first] if first is not None else [], pages), self._note)

    def _is_too_long(self, first: Page) -> bool:
        """Whether a list takes more than half of the requests that a run may send."""
        most = self.stream.most_rows
        return self._strategy.numbered and most is not None and (first.size or 0) > most / 2

    def _window(self, floor: str | None) -> Generator[Page, None, bool]:
        """Yield a part of the list that ends at a moment, where limits are too narrow for all."""
        if self._windows is None:
            return False
        try:
            window = self._windows.next(floor)
        except BaseException as error:
            self.feed.finish(error)
            raise
        if window is None:
            return False
        self.feed.as_of, pages = window
        self.feed.narrowed = True
        self.stream.leave(self.context)
        yield from fill(self.feed, pages, self._note)
        return True

    def _parts(self, first: Page, condition: str | None) -> Iterator[Reading]:
        """Yield a long list in parts that are read at the same time, if its rows have numbers.

        Numbers are given out one after the other, so those of a whole list make full pages. Where
        they are scattered, as those of a list that is filtered, parts are longer, to have few pages
        that are not full.
        """
        numbers = [row.id for _, row in raw_rows(first, _Numbered) if row.id]
        if not self._strategy.numbered or not numbers or first.size is None:
            return
        last = max(*numbers, first.size if condition is None else 0)
        scattered = condition is not None or last > 2 * first.size
        parts = -(-first.size // (_PART * 5 if scattered else _PART))
        step = max(_PART, -(-last // parts)) if scattered else _PART
        for after in range(0, last, step):
            until = after + step if after + step < last else None
            yield Reading(partial(self._part, condition, after, until))

    def _part(self, condition: str | None, after: int, until: int | None) -> Iterator[Page]:
        bounds = f"id>{after}" if until is None else f"id>{after} AND id<={until}"
        listing = self.stream.listing(self.context)
        self.stream.narrow(listing, f"{condition} AND {bounds}" if condition else bounds)
        try:
            for page in self.stream.pages(listing):
                self._note(page)
                yield page
        except BaseException as error:
            cut = isinstance(error, GeneratorExit)
            self.feed.finish(SkipPartition("the list was not read to its end") if cut else error)
            raise
        with self._noting:
            self._unread -= 1
            done = self._unread == 0
        if done:
            self._note(None)
            self.feed.finish()

    def _note(self, page: Page | None) -> None:
        """Tell the streams below about each row; runs in a worker."""
        if page is None:
            if self.feed.as_of is None:
                self.feed.as_of = iso(datetime.now(timezone.utc))
            self.feed.mark = None if self.feed.narrowed else mark(self._silent)
            return
        self._note_as_of(page)
        if self._strategy.silent:
            rows = raw_rows(page, _Cursor)
            silent = sum(digest(raw) for raw, row in rows if row.state == self._strategy.silent)
            with self._noting:
                self._silent += silent
        self.stream.note_parents(self.feed, page)

    def _note_as_of(self, page: Page) -> None:
        if self.feed.as_of is None:
            began = datetime.fromtimestamp(page.as_of, timezone.utc)
            self.feed.as_of = earlier(iso(began), OVERLAP)

    def accept(self, row: Row) -> bool:
        """Write what is newer than the bookmark; keep what may have changed in silence."""
        self._rows += 1
        key, cursor = self.stream.key_of(row), row.get("updated_on")
        self._seen.note(key, cursor, since=self.feed.as_of)
        if at_or_after(cursor, self.floor) and not self._seen.known(key, cursor or ""):
            return True
        if self._strategy.silent and row.get("state") == self._strategy.silent:
            self._held.append(row)
        return False

    def leftovers(self) -> list[Row]:
        """Return the rows that may change in silence, if any of them did."""
        known = self.before.get("mark")  # none on a first pass, which start_date alone bounds
        changed = known is not None and self.feed.mark != known
        return self._held if changed and not self.feed.narrowed else []

    def follow(self, other: Pass) -> None:
        """Take over what another pass over the same list learned."""
        if isinstance(other, UpdatedSincePass):
            self.feed = other.feed

    def checkpoint(self) -> State | None:
        """Return a state that makes the next run read less at a time."""
        whole = self.feed.finished and not self.feed.failed
        if not self._strategy.numbered or whole or not self._rows:
            return None
        before = {key: value for key, value in self.before.items() if key != "context"}
        windows = self._windows
        narrow = windows.smaller() if windows is not None else {"rows": self._rows // 2}
        return {**before, "cuts": self._cuts + 1, "narrow": narrow}

    def bookmark(self) -> State:
        """Return the moment that the pass began, or that its window ended."""
        state: State = {
            "replication_key": self._strategy.replication_key,
            "replication_key_value": self.feed.as_of,
        }
        seen = self._seen.since(self.feed.as_of)
        if seen:
            state["seen"] = seen
        if self.feed.narrowed:
            before = self.before.get("mark")
            state |= {"mark": before} if before is not None else {}
            if self._windows is not None:
                state |= {"cuts": self._cuts, "narrow": self._windows.state}
        elif self._strategy.silent:
            state["mark"] = self.feed.mark
        return state
