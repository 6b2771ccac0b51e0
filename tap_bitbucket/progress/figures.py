"""How far a run is, in figures."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tap_bitbucket.durations import duration
from tap_bitbucket.http.budget import Budget
from tap_bitbucket.http.session import Session
from tap_bitbucket.summary import Line, totals_of

if TYPE_CHECKING:
    from tap_bitbucket.tap import TapBitbucket

_SOON = 3
"""Repositories that must be done before the rest is guessed from them."""


class Figures:
    """What a run has done so far; may be asked at any time, by any thread.

    Attributes:
        place: The repository that is being written.
        done: How many repositories are done, of those that had something left to do.
        total: How many repositories there are; None while that is not known.
    """

    def __init__(self, tap: TapBitbucket) -> None:
        self._tap = tap
        self._began = time.monotonic()
        self._inside: float | None = None
        self._sent_before = 0
        self.place = ""
        self.done = 0
        self.total: int | None = None

    def repositories(self, total: int) -> None:
        """Note that the repositories begin."""
        self.total, self._inside = total, time.monotonic()
        self._sent_before = self.requests

    def repository(self, name: str) -> None:
        """Note that a repository begins."""
        self.place = name

    def repository_done(self, *, skipped: bool) -> None:
        """Note that a repository is done, or was by an earlier run."""
        if skipped and self.total:
            self.total -= 1
        else:
            self.done += 1

    @property
    def lines(self) -> list[Line]:
        """Return the selected streams that were begun, in the order of reading."""
        summary = self._tap.summary
        skipped = Counter(skip.stream for skip in list(summary.skips))
        return [
            Line(stream.name, stream.written, summary.read[stream.name], skipped[stream.name])
            for stream in self._tap.bitbucket_streams
            if stream.selected
            and (stream.written or skipped[stream.name] or summary.read[stream.name])
        ]

    @property
    def rows(self) -> int:
        """Return the rows of all streams."""
        return sum(stream.written for stream in self._tap.bitbucket_streams)

    @property
    def _session(self) -> Session | None:
        return self._tap.__dict__.get("session")

    @property
    def _budgets(self) -> Sequence[Budget]:
        return () if self._session is None else self._session.identities.budgets

    @property
    def totals(self) -> str:
        """Return what the run cost."""
        return totals_of(self._session)

    @property
    def requests(self) -> int:
        """Return the requests that were sent."""
        return 0 if self._session is None else self._session.identities.limits.sent

    @property
    def left(self) -> int | None:
        """Return what the rate limit has left, as far as Bitbucket told."""
        told = [one.last.remaining for one in self._budgets if one.last.remaining is not None]
        return sum(told) if told else None

    @property
    def pause(self) -> float:
        """Return the seconds until any identity may ask again."""
        return min((one.pause for one in self._budgets), default=0.0)

    @property
    def _per_hour(self) -> int:
        return sum(one.last.per_hour for one in self._budgets)

    @property
    def hours_to_go(self) -> float | None:
        """Return a guess of the hours until the end, as if all repositories were alike.

        What the rate limit has left may be less than what is still to be asked.
        """
        if self._inside is None or self.total is None or self.done < _SOON:
            return None
        share = (self.total - self.done) / self.done
        hours = (time.monotonic() - self._inside) / 3600 * share
        beyond = (self.requests - self._sent_before) * share - (self.left or 0)
        if self.left is None or self._per_hour == 0:
            return hours
        return max(hours, beyond / self._per_hour)

    def sentence(self) -> str:
        """Return all of it in one line."""
        parts = [f"{self.rows:,} rows", f"{self.requests:,} requests"]
        if self.pause >= 1:
            parts.append(f"waiting {duration(self.pause / 3600)} for the rate limit")
        elif self.left is not None:
            parts.append(f"{self.left:,} left this hour")
        parts.append(f"{clock(time.monotonic() - self._began)} so far")
        if self.hours_to_go is not None:
            parts.append(f"about {duration(self.hours_to_go)} to go")
        return ", ".join(parts)

    def where(self) -> str:
        """Return which repository of how many it is."""
        if self.total is None:
            return "Workspaces and what belongs to no repository"
        return f"Repository {min(self.done + 1, self.total):,} of {self.total:,}: {self.place}"


def clock(seconds: float) -> str:
    """Return a span of time with its seconds.

    >>> clock(7), clock(67), clock(3667)
    ('0:07', '1:07', '1:01:07')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
