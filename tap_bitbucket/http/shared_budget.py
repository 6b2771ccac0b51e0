"""What runs on one identity tell each other of its rate limit: little, and never in the way."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tap_bitbucket.http.rate_limit import LONGEST_WAIT, RateLimit

LOOK_EVERY = 0.5
"""Seconds between two looks at what others say."""

TELL_EVERY = 1.0
REST = 60.0
"""Seconds in which nothing is tried after a failure: it may have taken long."""

_SLACK = 5.0
"""Seconds by which the clocks of two machines may differ."""

NOTHING = RateLimit()
"""What an answer without headers says."""

logger = logging.getLogger("tap-bitbucket.budget")


@dataclass(frozen=True)
class Notice:
    """What one run tells others.

    Attributes:
        pause: Seconds from now in which nobody is to send anything.
        told: What the last answer said; its reset is counted from then.
        age: Seconds since then.
    """

    pause: float = 0.0
    told: RateLimit = NOTHING
    age: float = 0.0

    @property
    def believable(self) -> Notice:
        """Return the notice without what cannot be: another's clock may have jumped.

        No pause is longer than an hour, and what was told is of use until its reset.
        """
        pause = self.pause if 0 < self.pause <= LONGEST_WAIT + _SLACK else 0.0
        told, age = self.told, self.age
        reset = LONGEST_WAIT if told.reset is None else told.reset
        if not -_SLACK <= age < reset <= LONGEST_WAIT + _SLACK:
            told, age = NOTHING, 0.0
        return Notice(min(pause, LONGEST_WAIT), told, max(0.0, age))

    @property
    def told_now(self) -> RateLimit:
        """Return what was told, with the seconds to the reset that are left."""
        told = self.told
        return told if told.reset is None else replace(told, reset=max(0.0, told.reset - self.age))

    def over(self, other: Notice) -> Notice:
        """Return this notice and what another one knows beyond it."""
        mine = self.told != NOTHING and (other.told == NOTHING or self.age <= other.age)
        told, age = (self.told, self.age) if mine else (other.told, other.age)
        return Notice(max(self.pause, other.pause), told, age)


def said(told: RateLimit) -> dict[str, Any]:
    """Return what was told as a JSON object."""
    return {
        "limit": told.limit,
        "remaining": told.remaining,
        "reset": told.reset,
        "near": told.near,
    }


def understood(fields: Mapping[str, Any]) -> RateLimit:
    """Return what was told from a JSON object.

    Raises:
        ValueError: It is something else.
    """
    limit, remaining = _number(fields.get("limit")), _number(fields.get("remaining"))
    return RateLimit(
        None if limit is None else int(limit),
        None if remaining is None else int(remaining),
        _number(fields.get("reset")),
        fields.get("near") is True,
    )


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        message = "no number where there must be one"
        raise ValueError(message)
    return value


class Place(Protocol):
    """Where runs leave notices for each other."""

    name: str
    """For people; no secret."""

    slow: bool
    """Whether looking may take a while."""

    def look(self) -> Notice | None:
        """Return what was left there; None if there is nothing new.

        Raises:
            ValueError: It is something else.
        """

    def tell(self, notice: Notice) -> None:
        """Leave a notice, over what is known there already."""


class SharedBudget:
    """Looks at a place and leaves notices there, seldom; a failure disturbs nobody.

    Args:
        place: Where.
        clock: A monotonic clock in seconds.
    """

    def __init__(self, place: Place, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._clock = clock
        self._next_look = -math.inf
        self._next_tell = -math.inf
        self._began = False
        self._complained = False
        self._busy = threading.Lock()

    def exchange(self, news: Callable[[], Notice | None], heard: Callable[[Notice], None]) -> None:
        """Tell and hear what there is, if it is time to.

        The first time it is waited for: whoever begins is to know what others know.

        Args:
            news: Returns what others are to know; None for nothing.
            heard: Called with what others say.
        """
        if self._clock() < self._next_look:
            return
        if not self._began:
            with self._busy:
                if not self._began:
                    self._now(news, heard)
                    self._began = True
        elif self._busy.acquire(blocking=False):
            self._next_look = self._clock() + LOOK_EVERY
            if self._place.slow:
                threading.Thread(target=self._and_release, args=(news, heard), daemon=True).start()
            else:
                self._and_release(news, heard)

    def _and_release(
        self, news: Callable[[], Notice | None], heard: Callable[[Notice], None]
    ) -> None:
        try:
            self._now(news, heard)
        finally:
            self._busy.release()

    def _now(self, news: Callable[[], Notice | None], heard: Callable[[Notice], None]) -> None:
        self._next_look = self._clock() + LOOK_EVERY
        try:
            if self._clock() >= self._next_tell:
                notice = news()
                if notice is not None:
                    self._next_tell = self._clock() + TELL_EVERY
                    self._place.tell(notice)
            seen = self._place.look()
        except ValueError as error:
            self._complain(error)  # it stays as it is until somebody has something to tell
        except Exception as error:  # noqa: BLE001 - whatever it is, the run can do without
            self._next_look = self._clock() + REST
            self._complain(error)
        else:
            if seen is not None:
                heard(seen.believable)

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            logger.warning(
                "What runs on one credential know of its rate limit cannot be shared over %s (%s):"
                " each goes by its own.",
                *(self._place.name, _reason(error)),
            )


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) or type(error).__name__
