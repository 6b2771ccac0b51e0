"""Reading ahead: many lists in flight, one order of output.

The plan is the sequence of partitions that the run reads, in the order in which they are written;
each plans its lists. Workers read page by page: after each page a worker takes up the list that
comes first in writing order, so what the main thread needs next is always under way. A partition
whose parents are not all known yet is passed over and does not hold up those after it. The main
thread takes the pages in writing order, so the output is the same for one worker and for sixteen.

What was read and not yet taken is bounded in bytes. The list that the main thread waits for is
let through beyond that bound, and planning is not bound by it: that is why this cannot lock up.

Only the main thread writes messages and moves bookmarks.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_bitbucket.auth import AuthenticationError
from tap_bitbucket.directory import Feed
from tap_bitbucket.http.errors import Fatal, SkipPartition, StopReading
from tap_bitbucket.http.paging import Page
from tap_bitbucket.plan import Opening, Parts, Reading, Until

if TYPE_CHECKING:
    from tap_bitbucket.incremental.passes import Pass

WINDOW = 16 * 1024 * 1024
"""Bytes read ahead at most. Decoding happens row by row, so this is what memory goes to."""

_CUT = "the run was stopped"

_ENDS = (AuthenticationError, Fatal)
"""What is not about one list."""

_SLICE = 0.2
"""Seconds between two looks at the stop flag while waiting."""

_AHEAD = 500
"""Partitions that are opened before they are written: many of them have nothing to read."""

_Position = tuple[int, int, int]
"""Number of the partition, of the list in it, and of the part of the list."""


@dataclass(eq=False)
class _Slot:
    """A partition of the plan.

    Attributes:
        waits_for: Planning it goes on when this is complete.
        unread: Its list that no worker has begun; there is at most one.
        failed_at: The first of its lists that cannot be read: those after it are not asked for,
            since the partition will be skipped there.
    """

    opening: Opening
    number: int
    lists: deque[_List] = field(default_factory=deque)
    planner: Iterator[Any] | None = None
    waits_for: Feed[Any] | None = None
    unread: _List | None = None
    planned: bool = False
    abandoned: bool = False
    count: int = 0
    failed_at: _Position | None = None


@dataclass(eq=False)
class _List:
    """A list of the plan, and how far it was read."""

    reading: Reading
    slot: _Slot
    position: _Position
    source: Iterator[Page | Parts] | None = None
    ready: deque[Page] = field(default_factory=deque)
    finished: bool = False
    error: BaseException | None = None

    def __lt__(self, other: _List) -> bool:
        """Compare by writing order."""
        return self.position < other.position

    @property
    def unwanted(self) -> bool:
        """Whether nobody will take its pages: one before it failed, or all was given up."""
        failed = self.slot.failed_at
        return self.slot.abandoned or (failed is not None and failed < self.position)

    def close(self) -> None:
        """End its source, and tell those who wait for it."""
        if isinstance(self.source, Generator):
            self.source.close()
        elif self.source is None:
            self.reading.drop()
        self.source = None
        self.finished = True


class ReadAhead:
    """Workers over a plan.

    Args:
        plan: The partitions in writing order, and what must be complete before the next is known.
        concurrency: How many requests are made at the same time.
        stopping: Set to end everything.
        on_idle: Called by the main thread when it has waited for a while.
        window: Bytes read ahead at most.
    """

    def __init__(
        self,
        plan: Iterator[Opening | Until],
        concurrency: int,
        stopping: threading.Event,
        on_idle: Callable[[], None] = lambda: None,
        window: int = WINDOW,
    ) -> None:
        self._plan = plan
        self._plan_waits_for: Feed[Any] | None = None
        self._planned = False
        self._planning = False
        self._plan_error: BaseException | None = None
        self._stopping = stopping
        self._on_idle = on_idle
        self._window = window
        self._state = threading.Condition()
        self._opened: deque[_Slot] = deque()
        self._unplanned: list[_Slot] = []
        self._runnable: list[_List] = []
        self._slots = 0
        self._held = 0
        self._wanted: _List | None = None
        self._ends_at: _Position | None = None
        self._limit: StopReading | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"reader-{number}", daemon=True)
            for number in range(concurrency)
        ]

    def start(self) -> None:
        """Begin to read."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Let the workers end; they do so at their next page."""
        self._stopping.set()
        with self._state:
            self._state.notify_all()

    # -- the main thread --------------------------------------------------------------------------

    def open(self, stream: str, context: Mapping[str, Any] | None) -> PlannedPartition:
        """Take the next partition of the plan, which must be this one."""
        with self._state:
            while not self._opened:
                if self._plan_error is not None:
                    raise self._plan_error
                if self._limit is not None:
                    raise self._limit
                if self._planned:
                    message = "the plan has ended"
                    raise RuntimeError(message)
                self._wait()
            slot = self._opened.popleft()
            if len(self._opened) == _AHEAD - 1:
                self._state.notify_all()
        if (slot.opening.stream, slot.opening.context) != (stream, context):
            message = f"the plan is out of step at {stream} {context}"
            raise RuntimeError(message)
        return PlannedPartition(self, slot)

    def next_list(self, slot: _Slot) -> _List | None:
        """Take the next list of a partition, waiting until it is known; None at its end."""
        with self._state:
            while not slot.lists:
                if slot.planned:
                    return None
                self._wait()
            return slot.lists.popleft()

    def pages(self, one: _List) -> Iterator[Page]:
        """Yield the pages of a list that was taken."""
        while True:
            with self._state:
                if self._stopping.is_set():
                    raise StopReading(_CUT)
                if not one.ready and not one.finished:
                    self._wanted = one
                    self._state.notify_all()
                    while not one.ready and not one.finished:
                        self._wait()
                    self._wanted = None
                if not one.ready:
                    break
                page = one.ready.popleft()
            yield page
            with self._state:
                full = self._held >= self._window
                self._held -= page.nbytes
                if full:
                    self._state.notify_all()
        if one.error is not None:
            raise one.error

    def abandon(self, slot: _Slot, taken: _List | None) -> None:
        """Free what a partition holds; its lists are not read on."""
        with self._state:
            slot.abandoned = slot.planned = True
            for one in [*slot.lists, *([taken] if taken else [])]:
                self._held -= sum(page.nbytes for page in one.ready)
                one.ready.clear()
            slot.lists.clear()
            self._state.notify_all()

    def _wait(self) -> None:
        """Wait in slices: a signal must be seen by the main thread while it waits."""
        if self._stopping.is_set():
            raise StopReading(_CUT)
        if not self._state.wait(_SLICE):
            self._state.release()
            try:
                self._on_idle()
            finally:
                self._state.acquire()

    # -- the workers ------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            one = self._choose()
            if one is None:
                return
            self._advance(one)

    def _choose(self) -> _List | None:
        """Return the list to read a page of: the first in writing order; None at the end."""
        with self._state:
            while not self._stopping.is_set():
                if not self._planning and self._plan_more():
                    continue
                one = self._first_runnable()
                if one is not None:
                    if one.slot.unread is one:
                        one.slot.unread = None
                    return one
                if not self._planning and self._open_more():
                    continue
                self._state.wait(_SLICE)
            return None

    def _first_runnable(self) -> _List | None:
        while self._runnable and self._runnable[0].unwanted:
            one = heapq.heappop(self._runnable)
            one.slot.unread = None if one.slot.unread is one else one.slot.unread
            one.close()
        if not self._runnable or self._beyond_the_end(self._runnable[0].position):
            return None
        if self._held < self._window:
            return heapq.heappop(self._runnable)
        wanted = self._wanted
        if wanted is not None and not wanted.ready and wanted in self._runnable:
            self._runnable.remove(wanted)
            heapq.heapify(self._runnable)
            return wanted
        return None

    def _beyond_the_end(self, position: _Position) -> bool:
        return self._ends_at is not None and position > self._ends_at

    def _plan_more(self) -> bool:
        """Plan the next list of the first partition that is not waiting; whether that was it.

        One list at a time, when the one before it was begun: a partition may have many thousands.
        """
        for slot in self._unplanned:
            if slot.planned:
                self._unplanned.remove(slot)
                if slot.abandoned and isinstance(slot.planner, Generator):
                    slot.planner.close()
                return True
            if slot.waits_for is not None and not slot.waits_for.finished:
                continue
            if slot.unread is not None or self._beyond_the_end((slot.number, 0, 0)):
                return False
            slot.waits_for = None
            self._plan_one(slot)
            return True
        return False

    def _plan_one(self, slot: _Slot) -> None:
        step: Reading | Until | None = None
        error: BaseException | None = None
        self._planning = True
        self._state.release()
        try:
            slot.planner = slot.planner or slot.opening.work.readings()
            step = next(slot.planner, None)
        except BaseException as caught:  # noqa: BLE001 - raised in the main thread instead
            error = caught
        finally:
            self._state.acquire()
            self._planning = False
        if isinstance(step, Until):
            slot.waits_for = step.feed
        elif step is None:
            slot.planned = True
        if isinstance(step, Reading) or error is not None:
            slot.count += 1
            reading = step if isinstance(step, Reading) else Reading(lambda: iter(()))
            one = _List(reading, slot, (slot.number, slot.count, 0))
            if error is not None:
                one.finished, slot.planned = True, True
                self._failed(one, error)
            elif one.unwanted:
                one.close()
                self._state.notify_all()
                return
            else:
                slot.unread = one
                heapq.heappush(self._runnable, one)
            slot.lists.append(one)
        self._state.notify_all()

    def _open_more(self) -> bool:
        """Open the next partition of the plan; whether there was one."""
        waiting = self._plan_waits_for is not None and not self._plan_waits_for.finished
        waiting = waiting or len(self._opened) >= _AHEAD
        if self._planned or self._limit or waiting or self._beyond_the_end((self._slots + 1, 0, 0)):
            return False
        step: Opening | Until | None = None
        self._planning = True
        self._state.release()
        try:
            step = next(self._plan, None)
        except BaseException as caught:  # noqa: BLE001 - raised in the main thread instead
            self._plan_error = caught
        finally:
            self._state.acquire()
            self._planning = False
        if isinstance(step, Until):
            self._plan_waits_for = step.feed
        elif step is None:
            self._planned = True
        else:
            self._slots += 1
            slot = _Slot(step, self._slots)
            self._opened.append(slot)
            self._unplanned.append(slot)
        self._state.notify_all()
        return True

    def _advance(self, one: _List) -> None:
        """Read one page of a list."""
        found: Page | Parts | None = None
        error: BaseException | None = None
        try:
            if one.source is None:
                one.source = iter(one.reading.source())
            found = next(one.source, None)
        except BaseException as caught:  # noqa: BLE001 - raised in the main thread instead
            error = caught
        if one.unwanted:
            one.close()
            return
        with self._state:
            if self._stopping.is_set():
                # What is not read to its end must not look as if it were.
                error = StopReading(_CUT)
            if error is not None:
                one.finished = True
                self._failed(one, error)
            elif found is None:
                one.finished = True
            elif isinstance(found, Parts):
                self._add_parts(one, found)
                heapq.heappush(self._runnable, one)
            else:
                one.ready.append(found)
                self._held += found.nbytes
                heapq.heappush(self._runnable, one)
            self._state.notify_all()

    def _add_parts(self, whole: _List, parts: Parts) -> None:
        slot, (number, count, _) = whole.slot, whole.position
        made = [
            _List(reading, slot, (number, count, part))
            for part, reading in enumerate(parts.readings, 1)
        ]
        at = slot.lists.index(whole) + 1 if whole in slot.lists else 0
        for offset, one in enumerate(made):
            slot.lists.insert(at + offset, one)
            heapq.heappush(self._runnable, one)

    def _failed(self, one: _List, error: BaseException) -> None:
        one.error = error
        slot = one.slot
        if isinstance(error, _ENDS) and not one.unwanted:
            # The run ends there: nothing after it is of use, and each would cost a request.
            self._ends_at = min(self._ends_at or one.position, one.position)
        if isinstance(error, StopReading):
            # What was read ahead by then is still written; it was paid for.
            self._limit = error
        if isinstance(error, (SkipPartition, StopReading)):
            slot.failed_at = min(slot.failed_at or one.position, one.position)


class PlannedPartition:
    """A partition whose lists are being read ahead."""

    def __init__(self, ahead: ReadAhead, slot: _Slot) -> None:
        self.work: Pass = slot.opening.work
        self._ahead = ahead
        self._slot = slot
        self._taken: _List | None = None

    def readings(self) -> Iterator[Reading]:
        """Yield the lists in order."""
        while True:
            self._taken = self._ahead.next_list(self._slot)
            if self._taken is None:
                return
            yield self._taken.reading

    def pages(self, reading: Reading) -> Iterator[Page]:
        """Yield the pages of a list; raise at its place what went wrong in reading it."""
        if self._taken is None or self._taken.reading is not reading:
            message = "the lists of a partition are taken one after the other"
            raise RuntimeError(message)
        return self._ahead.pages(self._taken)

    def abandon(self) -> None:
        """Give up the rest of the partition."""
        self._ahead.abandon(self._slot, self._taken)
