"""Bitbucket's request limits: a rolling window per identity."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

from tap_bitbucket.demo.errors import ApiError

_MESSAGE = "Rate limit for this resource has been exceeded"
_ANONYMOUS = 60


@dataclass
class RateLimit:
    """A limit; OAuth is counted per consumer, each access token and each user on its own.

    `headers`: none, remaining (limit, remaining and reset) or nearlimit (limit, resource and
    nearlimit). `retry_after` of a 429: none, seconds or date.
    """

    limit: int = 1000
    window: float = 3600.0
    headers: str = "none"
    retry_after: str = "none"
    plain_text: bool = False
    clock: Callable[[], float] = time.monotonic
    _spent: dict[str, deque[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def spend(self, key: str) -> dict[str, str]:
        """Count a request and give the headers of its answer, or answer 429."""
        now = self.clock()
        limit = min(self.limit, _ANONYMOUS) if key == "anonymous" else self.limit
        with self._lock:
            spent = self._spent.setdefault(key, deque())
            while spent and spent[0] <= now - self.window:
                spent.popleft()
            left = limit - len(spent)
            reset = math.ceil(spent[0] + self.window - now) if spent else math.ceil(self.window)
            if left > 0:
                spent.append(now)
        told = self._told(limit, max(0, left - 1), reset)
        if left > 0:
            return told
        if self.retry_after == "seconds":
            told["Retry-After"] = str(reset)
        if self.retry_after == "date":
            told["Retry-After"] = formatdate(time.time() + reset, usegmt=True)
        if self.plain_text:
            told["Content-Type"] = "text/plain; charset=utf-8"
            raise ApiError(429, _MESSAGE, told)
        raise ApiError(429, {"type": "error", "error": {"message": _MESSAGE}}, told)

    def remaining(self, key: str) -> int:
        """Tell how many requests an identity has left."""
        now = self.clock()
        with self._lock:
            spent = self._spent.get(key, deque())
            return self.limit - sum(moment > now - self.window for moment in spent)

    def _told(self, limit: int, left: int, reset: int) -> dict[str, str]:
        if self.headers == "remaining":
            return {
                "x-ratelimit-limit": f"{limit}, {limit};w={self.window:g}",
                "x-ratelimit-remaining": str(left),
                # Seconds that remain, not a moment.
                "x-ratelimit-reset": str(reset),
            }
        if self.headers == "nearlimit":
            return {
                "X-RateLimit-Limit": str(limit),
                "X-RateLimit-Resource": "api",
                "X-RateLimit-NearLimit": "true" if left < limit / 5 else "false",
            }
        return {}
