"""When the next request may go: what is left is made to last, and nobody bursts out of a pause.

Pure bookkeeping over (what was told, now). It has no clock and no lock; nothing here sleeps.
"""

from __future__ import annotations

from dataclasses import replace

from tap_bitbucket.http.rate_limit import LONGEST_WAIT, RateLimit

FIRST_GAP = 1.0
"""Seconds between the first requests after a pause."""

_SHRINK = 0.85
_NO_GAP = 0.01
"""A gap that is shorter is none: it is reached after 29 answers."""

_LOOK_AGAIN = 0.1
"""Seconds until it is worth a look whether somebody else's request was answered."""


def spacing(told: RateLimit, left: int, until_reset: float) -> float:
    """Return the seconds between two requests that make what is left last until the reset.

    Args:
        told: What the last answer said; its own ``remaining`` and ``reset`` are not looked at.
        left: Requests that may still be sent; below one, none is sent before the reset.
        until_reset: Seconds from the last request to the reset.
    """
    if told.remaining is None or told.reset is None:
        return LONGEST_WAIT / told.per_hour
    return max(0.0, until_reset) / max(1, left)


def gap_after(answers: int) -> float:
    """Return the seconds between two requests, so many answers after a pause."""
    gap: float = FIRST_GAP * _SHRINK ** max(0, answers - 1)
    return gap if gap > _NO_GAP else 0.0


class Pace:
    """The pace of an identity's requests.

    Requests have numbers, so that what was under way when a pause began is told from what was sent
    after it. Times are of any one clock, in seconds.

    Attributes:
        told: What the last answer said about the limit.
        paused_until: No request before that.
        under_way: Requests that were sent and not answered yet.
    """

    def __init__(self) -> None:
        self.told = RateLimit()
        self.paused_until = 0.0
        self.under_way = 0
        self._told_at = 0
        self._reset_at = 0.0
        self._last = 0.0
        self._sent = 0
        self._before_pause = 0
        self._answers: int | None = None
        self._first_by: int | None = None

    def wait(self, now: float, who: int = 0) -> float:
        """Return the seconds until a request may be sent, 0 if one may be now.

        Args:
            now: What time it is.
            who: The thread that asks: it does not wait for an answer to its own request.
        """
        if now < self.paused_until:
            return self.paused_until - now
        gap = 0.0
        if self._answers is not None:
            if not self._answers and self._first_by not in {None, who}:
                return _LOOK_AGAIN
            gap = gap_after(self._answers) if self._answers else 0.0
        if self.told.is_near(self.under_way):
            gap = max(gap, self._spacing(now))
        return max(0.0, self._last + gap - now) if gap else 0.0

    def is_near(self, now: float) -> bool:
        """Tell whether requests are spaced out because little is left."""
        return self.told.is_near() and self._spacing(now) > 0

    def sent(self, now: float, who: int = 0) -> int:
        """Take note that a request is sent, and return its number."""
        self._sent += 1
        self.under_way += 1
        self._last = now
        if self._answers == 0 and self._first_by is None:
            self._first_by = who
        return self._sent

    def done(self, number: int | None, *, answered: bool = True) -> None:
        """Take note that a request is not under way any more.

        Args:
            number: Which one; None for one that is not known.
            answered: Whether there was an answer, and not a 429.
        """
        self.under_way = max(0, self.under_way - 1)
        if self._answers is None or (number is not None and number <= self._before_pause):
            return
        if not self._answers:
            self._first_by = None
        if answered:
            self._answers += 1
            if not gap_after(self._answers):
                self._answers = None

    def hear(self, told: RateLimit, now: float, number: int | None) -> None:
        """Take note of what an answer said; answers may overtake each other."""
        number = self._sent if number is None else number
        if number < self._told_at and not _is_less(told, self.told):
            return
        self.told, self._told_at = told, number
        self._reset_at = now + (LONGEST_WAIT if told.reset is None else told.reset)

    def heard_nothing(self, now: float) -> None:
        """Take note of an answer that did not say anything: what was told before has an end."""
        if now >= self._reset_at:
            self.told = RateLimit()

    def is_late(self, number: int | None, now: float) -> bool:
        """Tell whether an answer belongs to a request of before the present or last pause."""
        if number is None:
            return now < self.paused_until
        return number <= self._before_pause

    def pause(self, until: float) -> None:
        """Send nothing before a moment, then one request alone, then gradually more."""
        self.paused_until = max(self.paused_until, until)
        self._before_pause = self._sent
        self._answers, self._first_by = 0, None

    def prolong(self, until: float) -> None:
        """Let the pause that has begun last longer."""
        self.paused_until = max(self.paused_until, until)

    def left_at(self, now: float) -> RateLimit:
        """Return what was told as of now: with the seconds to the reset that are left."""
        if self.told.reset is None:
            return self.told
        return replace(self.told, reset=max(0.0, self._reset_at - now))

    def _spacing(self, now: float) -> float:
        told = self.told
        if told.remaining is not None and told.reset is not None and now >= self._reset_at:
            # What was told is over. Until an answer says more, there may be as little as before.
            return FIRST_GAP
        left = (told.remaining or 0) - self.under_way
        return spacing(told, left, self._reset_at - self._last)


def _is_less(told: RateLimit, than: RateLimit) -> bool:
    if told.remaining is None or than.remaining is None:
        return told.near and not than.near
    return told.remaining < than.remaining
