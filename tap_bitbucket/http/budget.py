"""How many requests an identity may still send, and when: shared by all threads.

The thousand requests an hour are the scarce thing. A 429 pauses the identity for everybody, not
only for the thread that met it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone

from tap_bitbucket.http.rate_limit import RateLimit, hint, wait_after_429

logger = logging.getLogger("tap-bitbucket.budget")


class Budget:
    """The requests that Bitbucket counts together: of a user, a consumer or an access token.

    Args:
        identity: A label for the log, never a secret.
        on_limit: ``wait`` or ``stop``, what a spent budget means.
        clock: A monotonic clock in seconds.

    Attributes:
        sent: Requests so far.
        spent: Whether nothing more is to be sent in this run (``on_limit: stop``).
        waits: How often a 429 made everybody wait.
        waited: For how many seconds altogether.
        last: What the last answer said about the limit.
    """

    def __init__(
        self,
        identity: str,
        *,
        on_limit: str = "wait",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity
        self.sent = 0
        self.spent = False
        self.waits = 0
        self.waited = 0.0
        self.last = RateLimit()
        self._on_limit = on_limit
        self._clock = clock
        self._lock = threading.Lock()
        self._paused_until = 0.0
        self._hintless = 0

    @property
    def wait(self) -> float:
        """Return the seconds until a request may be sent, 0 if one may be now."""
        return max(0.0, self._paused_until - self._clock())

    def heard(self, headers: Mapping[str, str]) -> None:
        """Take note of the headers of an answer that was not a 429."""
        limit = RateLimit.from_headers(headers)
        with self._lock:
            self._hintless = 0
            if limit != RateLimit():
                self.last = limit

    def exhausted(self, headers: Mapping[str, str]) -> None:
        """Take note of a 429: everybody on this identity pauses, or stops."""
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
            self.spent = self._on_limit == "stop"
        if not already and not self.spent:
            logger.warning(
                "Rate limit of %s reached: waiting %.0f s. To end the run instead, set "
                "on_rate_limit to 'stop'.",
                self.identity,
                wait,
            )
