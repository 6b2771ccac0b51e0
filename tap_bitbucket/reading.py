"""Reading ahead: many lists in flight, one order of output.

The plan is the sequence of lists that the run needs, in the order in which they are written.
Worker threads take lists from it in that order and read each to its end, page after page; the
main thread takes the pages in the same order, so the output is the same for one worker and for
sixteen. What was read and not yet taken is bounded in bytes, except for the list that the main
thread is waiting for, which is always let through: that is why this cannot lock up.

Only the main thread writes messages and moves bookmarks.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tap_bitbucket.auth import AuthenticationError
from tap_bitbucket.http.errors import Fatal, SkipPartition, StopReading
from tap_bitbucket.http.paging import Page
from tap_bitbucket.plan import Opening, Reading, Step

if TYPE_CHECKING:
    from tap_bitbucket.incremental.passes import Pass

WINDOW = 48 * 1024 * 1024
"""Bytes read ahead at most. Decoding happens row by row, so this is what memory goes to."""

_CUT = "the run was stopped"

_ENDS = (AuthenticationError, Fatal, StopReading)
"""What is not about one list."""

_SLICE = 0.2
"""Seconds between two looks at the stop flag while the main thread waits."""


class ReadAhead:
    """Workers over a plan.

    Args:
        plan: The steps in writing order. Advanced by one worker at a time; it may wait for what
            an earlier step's list tells.
        concurrency: How many lists are read at the same time.
        stopping: Set to end everything.
        on_idle: Called by the main thread when it has waited for a while.
        window: Bytes read ahead at most.
    """

    def __init__(
        self,
        plan: Iterator[Step],
        concurrency: int,
        stopping: threading.Event,
        on_idle: Callable[[], None] = lambda: None,
        window: int = WINDOW,
    ) -> None:
        self._plan = plan
        self._planning = threading.Lock()
        self._stopping = stopping
        self._on_idle = on_idle
        self._window = window
        self._state = threading.Condition()
        self._steps: deque[Step] = deque()
        self._held = 0
        self._wanted: Reading | None = None
        self._planned = False
        self._over = False
        self._opening: Opening | None = None
        self._count = 0
        self._threads = [
            threading.Thread(target=self._work, name=f"reader-{number}", daemon=True)
            for number in range(concurrency)
        ]

    def start(self) -> None:
        """Begin to read."""
        for thread in self._threads:
            thread.start()

    def open(self, stream: str, context: Mapping[str, Any] | None) -> PlannedPartition:
        """Take the next partition of the plan, which must be this one."""
        opening = self.take()
        if isinstance(opening, Reading) and opening.error is not None:
            raise opening.error
        if not isinstance(opening, Opening) or (opening.stream, opening.context) != (
            stream,
            context,
        ):
            message = f"the plan is out of step at {stream} {context}"
            raise RuntimeError(message)
        return PlannedPartition(self, opening.work)

    def take(self) -> Step:
        """Return the plan's next step, waiting until it is known."""
        with self._state:
            while not self._steps:
                if self._planned:
                    message = "the plan has ended"
                    raise RuntimeError(message)
                self._wait()
            return self._steps.popleft()

    def pages(self, reading: Reading) -> Iterator[Page]:
        """Yield the pages of a step that was taken."""
        while True:
            with self._state:
                if self._stopping.is_set():
                    raise StopReading(_CUT)
                self._wanted = reading
                self._state.notify_all()
                while not reading.ready and not reading.finished:
                    self._wait()
                if not reading.ready:
                    self._wanted = None
                    break
                page = reading.ready.popleft()
            yield page
            with self._state:
                self._held -= page.nbytes
                self._state.notify_all()
        if reading.error is not None:
            raise reading.error

    def abandon(self, reading: Reading) -> None:
        """Free what a list holds; its worker stops at the next page."""
        with self._state:
            reading.abandoned = True
            self._held -= sum(page.nbytes for page in reading.ready)
            reading.ready.clear()
            self._state.notify_all()

    def close(self) -> None:
        """Let the workers end; they do so at their next page."""
        self._stopping.set()
        with self._state:
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

    def _work(self) -> None:
        while not self._stopping.is_set():
            reading = self._next_reading()
            if reading is None:
                return
            pages: Iterator[Page] = iter(())
            try:
                pages = reading.source()
                for page in pages:
                    if not self._deliver(reading, page):
                        # What is not read to its end must not look as if it were.
                        raise StopReading(_CUT)  # noqa: TRY301
            except BaseException as error:  # noqa: BLE001 - raised in the main thread instead
                self._failed(reading, error)
            if isinstance(pages, Generator):
                pages.close()
            with self._state:
                reading.finished = True
                self._state.notify_all()

    def _failed(self, reading: Reading, error: BaseException) -> None:
        with self._state:
            reading.error = error
            # The run ends there: nothing after it is of use, and each would cost a request.
            self._over |= isinstance(error, _ENDS) and not reading.unwanted
            if reading.partition is not None and isinstance(error, SkipPartition):
                earlier = reading.partition.failed_at
                number = reading.number
                reading.partition.failed_at = number if earlier is None else min(earlier, number)
            self._state.notify_all()

    def _next_reading(self) -> Reading | None:
        """Advance the plan to its next list; None at its end."""
        with self._planning:
            if self._planned or self._over:
                return None
            step: Step
            while True:
                try:
                    step = next(self._plan)
                except StopIteration:
                    with self._state:
                        self._planned = True
                        self._state.notify_all()
                    return None
                except BaseException as error:  # noqa: BLE001 - raised in the main thread instead
                    step = Reading(lambda: iter(()), finished=True, error=error)
                    with self._state:
                        self._planned = True
                        self._steps.append(step)
                        self._state.notify_all()
                    return None
                if isinstance(step, Opening):
                    self._opening = step
                elif isinstance(step, Reading):
                    self._count += 1
                    step.partition, step.number = self._opening, self._count
                    if step.unwanted:
                        step.drop()
                        continue
                with self._state:
                    self._steps.append(step)
                    self._state.notify_all()
                if isinstance(step, Reading) and not step.finished:
                    return step

    def _deliver(self, reading: Reading, page: Page) -> bool:
        """Hand a page over when there is room; False if nobody wants it any more."""
        with self._state:
            while (
                self._held >= self._window
                and self._wanted is not reading
                and not reading.unwanted
                and not self._stopping.is_set()
            ):
                self._state.wait(_SLICE)
            if reading.unwanted or self._stopping.is_set():
                return False
            reading.ready.append(page)
            self._held += page.nbytes
            self._state.notify_all()
            return True


class PlannedPartition:
    """A partition whose lists are being read ahead."""

    def __init__(self, ahead: ReadAhead, work: Pass) -> None:
        self.work = work
        self._ahead = ahead
        self._closed = False

    def readings(self) -> Iterator[Reading]:
        """Yield the lists in order."""
        while not self._closed:
            step = self._ahead.take()
            if isinstance(step, Reading):
                yield step
            else:
                self._closed = True

    def pages(self, reading: Reading) -> Iterator[Page]:
        """Yield the pages of a list; raise at its place what went wrong in reading it."""
        return self._ahead.pages(reading)

    def abandon(self) -> None:
        """Give up the rest of the partition."""
        for reading in self.readings():
            self._ahead.abandon(reading)
