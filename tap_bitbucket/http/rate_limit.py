"""What Bitbucket's headers say about the rate limit. Functions of headers, no I/O.

Bitbucket documents ``X-RateLimit-*`` for access tokens only and sends ``Retry-After`` sometimes
(https://support.atlassian.com/bitbucket-cloud/docs/api-request-limits/), so every value is
optional here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 3600.0
"""Seconds. Bitbucket counts over a rolling hour: no wait needs to be longer."""

USUAL_LIMIT = 1000
"""Requests an hour, where an answer does not say how many."""

_NEAR = 5
"""Near the limit is who has less than one part in five left, as Bitbucket has it."""


@dataclass(frozen=True)
class RateLimit:
    """What one response told.

    Attributes:
        limit: Requests allowed in an hour.
        remaining: Requests left.
        reset: Seconds (not an epoch) until there are new ones.
        near: Whether less than a fifth is left.
    """

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    near: bool = False

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> RateLimit:
        """Read the headers; ``X-RateLimit-Limit`` may be ``1000, 1000;w=3600``."""
        return cls(
            limit=_first_int(headers.get("X-RateLimit-Limit")),
            remaining=_first_int(headers.get("X-RateLimit-Remaining")),
            reset=_first_int(headers.get("X-RateLimit-Reset")),
            near=headers.get("X-RateLimit-NearLimit", "").strip().lower() in {"true", "1"},
        )

    @property
    def per_hour(self) -> int:
        """Return the requests allowed in an hour, the usual ones if it was not told."""
        return self.limit or USUAL_LIMIT

    def is_near(self, under_way: int = 0) -> bool:
        """Tell whether little is left.

        Args:
            under_way: Requests that were sent and may not be counted yet.
        """
        if self.remaining is None or self.limit is None:
            return self.near or self.remaining == 0
        return self.near or (self.remaining - under_way) * _NEAR < self.limit


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that ``Retry-After`` asks to wait, given as seconds or as an HTTP date.

    A value that is neither, or longer than an hour, counts as none or as an hour.
    """
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except (ValueError, TypeError, OverflowError):
            return None
        if when.tzinfo is None:
            when = when.replace(tzinfo=timezone.utc)
        seconds = (when - now).total_seconds()
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)


def hint(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how long a 429 says to wait, None if it does not say."""
    told = retry_after(headers, now)
    if told is not None:
        # A date has whole seconds: one more makes sure not to come too early.
        return told + 1
    reset = RateLimit.from_headers(headers).reset
    return None if reset is None else min(max(float(reset), 1.0), LONGEST_WAIT)


def wait_after_429(headers: Mapping[str, str], now: datetime, earlier: int) -> float:
    """Return how long to wait after a 429: as told, or doubling from 15 seconds to an hour.

    Args:
        headers: Of the 429 response.
        now: What time it is.
        earlier: How many 429s without any hint came directly before.
    """
    told = hint(headers, now)
    return float(min(15 * 2 ** min(earlier, 10), LONGEST_WAIT)) if told is None else told


def _first_int(value: str | None) -> int | None:
    digits = (value or "").split(",")[0].split(";")[0].strip()
    return int(digits) if digits.isascii() and digits.isdecimal() else None
