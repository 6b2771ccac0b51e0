"""NewestFirst: the newest page first, down to what is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from tap_bitbucket.http.errors import SkipPartition
from tap_bitbucket.http.paging import Page, Paging
from tap_bitbucket.http.reader import Listing, going_on
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
    logger,
    lowest,
    mark,
)
from tap_bitbucket.plan import Reading, Step, Until
from tap_bitbucket.state import State, at_or_after, earlier, moment

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream

_TOP = "what came since"
"""Marks the pages above the place where a run was cut: they do not tell where to go on."""


@dataclass(frozen=True)
class NewestFirst(Strategy):
    """Read a list that is ordered newest first, and stop below the bookmark.

    Attributes:
        replication_key: The row's property that serves as cursor.
        sort: The ``sort`` parameter that gives this order; None if the list has it anyway.
        remembers: Whether rows that are unfinished (``stream.unfinished``) are remembered and
            read again one by one. Without it, rows that have no cursor yet come first in the
            list, are read each time, and written when any of them differs.
        gate: A stream whose feed tells that nothing happened, which saves the request.
    """

    replication_key: str = "created_on"
    sort: str | None = None
    remembers: bool = False
    gate: str | None = None

    def begin(self, stream: BitbucketStream, context: Context) -> NewestFirstPass:
        """Return a pass over one partition."""
        return NewestFirstPass(self, stream, context)


class NewestFirstPass(Pass):
    """See ``NewestFirst``.

    State beside the bookmark: ``seen``, ``unfinished``, ``mark`` and the gate's; and ``resume``
    where a run was cut amid the list: what was ``newest`` then, and the page to go on ``from``.
    """

    def __init__(self, strategy: NewestFirst, stream: BitbucketStream, context: Context) -> None:
        super().__init__(stream, context)
        self._strategy = strategy
        self._resume: Mapping[str, Any] = self.before.get("resume", {})
        self.floor = floor_of(stream, self.before, OVERLAP)
        self._seen = Seen(self.before.get("seen", {}), again=stream.lookback > 0, brief=True)
        self._remembered = set(self.before.get("unfinished", []))
        self._unfinished: list[str] = []
        self._newest: str | None = None
        self._overlap: str | None = None
        self._note_newest(self.before.get("replication_key_value"))
        self._note_newest(self._resume.get("newest"))
        self._held: list[Row] = []
        self._feed = stream.directory.filling(stream.entity, context)
        self._awaited: set[str] = set()
        self._taken: set[str] = set()
        self._taken_before: set[str] = set()
        self._latest: str | None = None
        self._mark: str | None = None
        self._asked = True
        self._written: Page | None = None
        self.oldest: str | None = self._resume.get("oldest")

    def opened(self) -> None:
        """Tell the stream that the pass has its place in the plan."""
        self.stream.opened(self.context)

    def readings(self) -> Iterator[Step]:
        """Yield the list, unless the gate tells that there is nothing new."""
        if self._strategy.gate is not None:
            yield Until(self.stream.directory.feed(self._strategy.gate, self.context))
        yield from self.stream.awaited(self.context)
        stream = self.stream
        mine = stream.selected and (
            self._strategy.gate is None or stream.lookback > 0 or bool(self._resume) or self._open()
        )
        below = stream.wanted_below(self.context, reads=mine, floor=self.floor)
        self._asked = mine or below
        if self._asked:
            yield Reading(lambda: fill(self._feed, self._read(), self._note))

    def _open(self) -> bool:
        """Whether anything changed in the list that the gate is about."""
        gate = self.stream.directory.feed(self._strategy.gate or "", self.context)
        if not self.before.get("gate"):
            return any(True for _ in gate)
        known = Seen(self.before.get("gate_seen", {}), again=False)
        changed = any(
            at_or_after(parent.changed, self.before["gate"])
            and not known.known(parent.key, parent.changed)
            for parent in gate
        )
        return changed or gate.mark != self.before.get("gate_mark")

    def _read(self) -> Iterator[Page]:
        stream = self.stream
        own = [self.floor] if stream.selected else []
        floor = lowest([*own, *stream.floors_below(self.context)])
        self._awaited = self._remembered.union(*stream.unfinished_below(self.context))
        if self._resume:
            yield from self._go_on(floor)
        else:
            yield from self._list(floor)
        if self._strategy.remembers:
            yield from self._read_again()
        else:
            yield from stream.beyond_the_list(self.context, self._oldest_listed, floor)

    def _list(self, floor: str | None, first: Listing | None = None) -> Iterator[Page]:
        """Yield the pages down to a moment."""
        listing = first or self._listing()
        listing.enough = lambda page: self._reaches(page, floor)
        for page in self.stream.pages(listing):
            self._oldest_listed = self._oldest_of(page) or self._oldest_listed
            yield page

    def _listing(self) -> Listing:
        listing = self.stream.listing(self.context)
        if self._strategy.sort:
            listing.request = listing.request.with_params({"sort": self._strategy.sort})
            listing.simpler = (("sort", None), *listing.simpler)
        return listing

    _oldest_listed: str | None = None
    _top_is_cut = False

    @property
    def _reached(self) -> str | None:
        """Return the newest cursor down from which all is read."""
        newest: str | None = self._resume.get("newest") if self._top_is_cut else self._newest
        return newest

    def _go_on(self, floor: str | None) -> Iterator[Page]:
        """Yield what came since a run was cut, and then what it did not come to.

        If the overlap alone is longer than what a run may read, it would never come further down:
        then the bookmark stays, for the next round to read it.
        """
        most = max(1, (self.stream.config.get("max_requests") or math.inf) // 4)
        until = earlier(self._resume.get("newest"), OVERLAP)
        for number, page in enumerate(self._list(until), 1):
            page.about = _TOP
            yield page
            if number >= most:
                self._top_is_cut = page.after is not None and not self._reaches(page, until)
                break
        self._oldest_listed = self._resume.get("oldest")
        rest = going_on(self._listing(), self._resume.get("from"))
        if rest is None:
            return
        try:
            yield from self._list(floor, rest)
        except SkipPartition as error:
            if error.status not in {400, 404, 410}:
                raise
            # How long such a link is good for is not documented.
            logger.warning("%s. The list is read from its beginning.", error)
            yield from self._list(floor)

    def _reaches(self, page: Page, floor: str | None) -> bool:
        """Whether a page goes down to the floor. One that is not newest first reaches nothing."""
        if floor is None or not page.values:
            return False
        place = self.stream.placed_of
        first, last = (_told(page.values[end], place) for end in (0, -1))
        if not last:
            return False
        ordered = not first or (moment(first) or 0) >= (moment(last) or 0)  # type: ignore[operator]
        return ordered and not at_or_after(last, floor)

    def _oldest_of(self, page: Page) -> str | None:
        return _told(page.values[-1], self.stream.cursor_of) if page.values else None

    def _read_again(self) -> Iterator[Page]:
        """Read what the list did not reach but was unfinished the last time."""
        for key in sorted(self._awaited):
            request = self.stream.item_request(self.context, key)
            try:
                yield from self.stream.pages(Listing(request, Paging.ENTITY))
            except SkipPartition as error:
                if error.status not in {404, 410}:
                    raise
                # It was deleted: nothing is left to wait for.

    def _note(self, page: Page | None) -> None:
        """Tell the streams below about each row; runs in a worker."""
        if not self._strategy.remembers:
            return
        if page is None:
            self._feed.as_of = earlier(self._latest, OVERLAP)
            return
        for row in page.rows():
            self._awaited.discard(self.stream.key_of(row))
            self._latest = _later(self._latest, self.stream.cursor_of(row))
        self.stream.note_parents(self._feed, page)

    def _note_newest(self, cursor: str | None) -> None:
        newest = _later(self._newest, cursor)
        if newest != self._newest:
            self._newest = newest
            self._overlap = earlier(newest, OVERLAP + self.stream.lookback)

    def accept(self, row: Row) -> bool:
        """Write what is new or was unfinished; hold what has no cursor yet."""
        key, cursor = self.stream.key_of(row), self.stream.cursor_of(row)
        if key in self._taken or key in self._taken_before:
            return False  # it moved to the next page while this list was read
        self._taken.add(key)
        if self._strategy.remembers and self.stream.unfinished(row):
            self._unfinished.append(key)
            self._note_newest(cursor)
            return True
        if not cursor:
            self._held.append(row)
            return False
        self._note_newest(cursor)
        changed = self.stream.changed_of(row) or cursor
        self._seen.note(key, changed, since=self._overlap)
        if key in self._remembered:
            return True
        return at_or_after(changed, self.floor) and not self._seen.known(key, changed)

    def wrote(self, page: Page) -> None:
        """Note how far the list is written; what a page holds may come again on the next one."""
        self._taken_before, self._taken = self._taken, set()
        if page.about is None:
            self._written = page
            self.oldest = self._oldest_of(page) or self.oldest
        self.stream.wrote_page(self.context, page, self.oldest)

    def leftovers(self) -> list[Row]:
        """Return the rows without a cursor, if any of them changed."""
        self._mark = mark(sum(digest(row) for row in self._held))
        return self._held if self._mark != self.before.get("mark") else []

    def checkpoint(self) -> State | None:
        """Return a state from which the next run goes on below what is written.

        A list that tells others their parents is read from its beginning: they need all of it.
        """
        if not self._asked or self._written is None or not self.stream.goes_on_anywhere:
            return None
        after = self._written.after
        resume: State = {
            "newest": self._reached,
            "oldest": self.oldest,
            "from": after.target if after else None,
        }
        before = {key: value for key, value in self.before.items() if key != "context"}
        resume = {key: value for key, value in resume.items() if value is not None}
        state = {**before, "resume": resume}
        unfinished = self._remembered.union(self._unfinished)
        return {**state, "unfinished": sorted(unfinished)} if unfinished else state

    def bookmark(self) -> State:
        """Return the newest cursor seen."""
        if not self._asked:
            before = {key: value for key, value in self.before.items() if key != "context"}
            return {**before, **self._gate_state()}
        state: dict[str, Any] = {
            "replication_key": self._strategy.replication_key,
            "replication_key_value": self._reached,
        }
        if self._reached is None:
            state = {}
        seen = self._seen.since(floor_of(self.stream, state, OVERLAP) if state else None)
        optional: Mapping[str, Any] = {
            "seen": seen,
            "unfinished": sorted(set(self._unfinished)),
            "mark": self._mark if self._held else None,
        }
        told = {key: value for key, value in optional.items() if value}
        return {**state, **told, **self._gate_state()}

    def _gate_state(self) -> State:
        if not self._strategy.gate or self._top_is_cut:
            return {}  # where the top was cut, the next run looks whatever the gate says
        gate = self.stream.directory.feed(self._strategy.gate, self.context)
        seen = Seen({}, again=False)
        for parent in gate:
            seen.note(parent.key, parent.changed, since=gate.as_of)
        state = {"gate": gate.as_of, "gate_mark": gate.mark, "gate_seen": seen.since(gate.as_of)}
        return {key: value for key, value in state.items() if value}


def _told(raw: msgspec.Raw, when: Callable[[Row], str | None]) -> str | None:
    """Return what a row tells, if it is one."""
    row = msgspec.json.decode(raw)
    return (when(row) or None) if isinstance(row, dict) else None


def _later(known: str | None, cursor: str | None) -> str | None:
    """Return the later of two cursors, either of which may be missing."""
    return cursor if cursor and (known is None or at_or_after(cursor, known)) else known
