"""How many requests may still be sent, and when: shared by all threads, one per identity.

The thousand requests an hour are the scarce thing. A 429 pauses the identity for everybody, not
only for the thread that met it, and the limits that the user set end the run here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone

from tap_bitbucket.http.errors import StopReading
from tap_bitbucket.http.rate_limit import RateLimit, hint, wait_after_429

logger = logging.getLogger("tap-bitbucket.budget")

_SLICE = 0.2
"""Seconds between two looks at the stop flag while waiting."""


class Budget:
    """The requests of one identity.

    Args:
        identity: A label for the log, never a secret.
        on_limit: ``wait`` or ``stop``, what a spent budget means.
        max_requests: The user's own limit for this run.
        max_duration: Seconds after which no further request is sent.
        stopping: Set when the run is ended from outside.
        clock: A monotonic clock in seconds.
    """

    def __init__(
        self,
        identity: str,
        *,
        on_limit: str = "wait",
        max_requests: int | None = None,
        max_duration: float | None = None,
        stopping: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity
        self.sent = 0
        self.waits = 0
        self.waited = 0.0
        self.last = RateLimit()
        self._on_limit = on_limit
        self._max_requests = max_requests
        self._clock = clock
        self._ends_at = None if max_duration is None else clock() + max_duration
        self._stopping = stopping or threading.Event()
        self._lock = threading.Lock()
        self._paused_until = 0.0
        self._hintless = 0

    def spend(self) -> None:
        """Wait until a request may be sent, and count it.

        Raises:
            StopReading: If the run's budget is spent or the run is ended from outside.
        """
        while True:
            with self._lock:
                now = self._clock()
                self._check(now)
                wait = self._paused_until - now
                if wait <= 0:
                    self.sent += 1
                    return
            self._stopping.wait(min(wait, _SLICE))

    def heard(self, headers: Mapping[str, str]) -> None:
        """Take note of the headers of an answer that was not a 429."""
        limit = RateLimit.from_headers(headers)
        with self._lock:
            self._hintless = 0
            if limit != RateLimit():
                self.last = limit

    def exhausted(self, headers: Mapping[str, str]) -> None:
        """Take note of a 429: everybody on this identity pauses.

        Raises:
            StopReading: If the user prefers to stop (``on_rate_limit: stop``).
        """
        with self._lock:
            now = self._clock()
            already = self._paused_until > now
            when = datetime.now(timezone.utc)
            wait = wait_after_429(headers, when, self._hintless)
            if hint(headers, when) is not None:
                self._hintless = 0
            elif not already:
                self._hintless += 1
            if not already:
                self.waits += 1
                self.waited += wait
            self._paused_until = max(self._paused_until, now + wait)
        if self._on_limit == "stop":
            message = (
                f"the rate limit of {self.identity} is spent and on_rate_limit is 'stop'; "
                "the next run goes on from here"
            )
            raise StopReading(message)
        if not already:
            logger.warning(
                "Rate limit of %s reached: waiting %.0f s. To end the run instead, set "
                "on_rate_limit to 'stop'.",
                self.identity,
                wait,
            )

    def _check(self, now: float) -> None:
        if self._stopping.is_set():
            message = "the run was stopped"
            raise StopReading(message)
        if self._max_requests is not None and self.sent >= self._max_requests:
            message = f"max_requests ({self._max_requests}) reached; the next run goes on from here"
            raise StopReading(message)
        if self._ends_at is not None and now >= self._ends_at:
            message = "max_duration reached; the next run goes on from here"
            raise StopReading(message)
