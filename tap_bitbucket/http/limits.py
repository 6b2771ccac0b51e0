"""What ends a run from the outside: the user's own limits, and a signal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tap_bitbucket.http.errors import StopReading


class Limits:
    """The limits of a run, whoever asks.

    Args:
        max_requests: Requests of this run, all identities together.
        max_duration: Seconds after which no further request is sent.
        stopping: Set when the run is ended from outside.
        clock: A monotonic clock in seconds.

    Attributes:
        sent: Requests so far.
    """

    def __init__(
        self,
        *,
        max_requests: int | None = None,
        max_duration: float | None = None,
        stopping: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sent = 0
        self.stopping = stopping or threading.Event()
        self.clock = clock
        self._max_requests = max_requests
        self._ends_at = None if max_duration is None else clock() + max_duration

    def check(self, wait: float = 0.0) -> None:
        """Go on, or not.

        Args:
            wait: Seconds to wait before there is anything to go on with.

        Raises:
            StopReading: If a limit is reached or the run is ended from outside.
        """
        if self.stopping.is_set():
            message = "the run was stopped"
            raise StopReading(message)
        if self._max_requests is not None and self.sent >= self._max_requests:
            message = f"max_requests ({self._max_requests}) reached; the next run goes on from here"
            raise StopReading(message)
        if self._ends_at is not None and self.clock() + wait >= self._ends_at:
            message = "max_duration reached; the next run goes on from here"
            raise StopReading(message)
