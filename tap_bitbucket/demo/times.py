"""Time as Bitbucket writes it, and the clock that a world's events are stamped with."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

UTC = timezone.utc


class Clock:
    """The time of a world: the real one until it is set; never the same instant twice."""

    def __init__(self) -> None:
        """Start with the wall clock."""
        self._source: Callable[[], datetime] | None = None
        self._fixed: datetime | None = None
        self._last: datetime | None = None

    def __call__(self) -> datetime:
        """Tell the time, without consuming it."""
        if self._fixed is not None:
            return self._fixed
        if self._source is not None:
            return self._source()
        return datetime.now(UTC)

    def set(self, to: datetime | Callable[[], datetime] | None) -> None:
        """Stop the clock at a moment, follow another clock, or (None) the wall clock again."""
        self._fixed = to if isinstance(to, datetime) else None
        self._source = None if isinstance(to, datetime) else to

    @contextmanager
    def standing_at(self) -> Iterator[None]:
        """Let the clock be set at will inside, and go on as before afterwards."""
        source, fixed = self._source, self._fixed
        try:
            yield
        finally:
            self._source, self._fixed = source, fixed

    @contextmanager
    def aside(self, at: datetime) -> Iterator[None]:
        """Stop at another moment inside, and leave no trace of it afterwards."""
        last, self._last = self._last, None
        try:
            with self.standing_at():
                self.set(at)
                yield
        finally:
            self._last = last

    def stamp(self) -> datetime:
        """Time for one event; events of one instant are a microsecond apart, so ordered."""
        now = self()
        if self._last is not None and now <= self._last < now + timedelta(milliseconds=5):
            now = self._last + timedelta(microseconds=1)
        self._last = now
        return now


def core(moment: datetime | None) -> str | None:
    """Format as the core API does: six digits and `+00:00`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def commit(moment: datetime) -> str:
    """Format a commit's date: no fraction, and the author's own offset."""
    return moment.isoformat(timespec="seconds")


def pipelines(moment: datetime | None) -> str | None:
    """Format as the pipelines service does: up to nanoseconds (no trailing zeros) and `Z`."""
    if moment is None:
        return None
    micros = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    nanos = int(hashlib.md5(micros.encode(), usedforsecurity=False).hexdigest()[:4], 16) % 1000
    return f"{micros}{nanos:03d}".rstrip("0").ljust(23, "0") + "Z"


def parse(text: str) -> datetime | None:
    """Read a date or date-time of BBQL; offset, fraction and time are optional."""
    cleaned = text.strip()
    if cleaned.endswith(("Z", "z")):
        cleaned = cleaned[:-1] + "+00:00"
    cleaned = re.sub(r"([+-]\d{2})(\d{2})$", r"\1:\2", cleaned) if "T" in cleaned else cleaned
    head, dot, tail = cleaned.partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        cleaned = f"{head}.{tail[:digits][:6].ljust(6, '0')}{tail[digits:]}"
    try:
        moment = datetime.fromisoformat(cleaned)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
