"""How many requests an identity may still send, and when: shared by all threads, and by runs.

The thousand requests an hour are the scarce thing. A 429 pauses the identity for everybody, not
only for the thread that met it; and where answers tell what is left, that is made to last, so that
there is no 429.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timezone

from tap_bitbucket.http.pace import Pace
from tap_bitbucket.http.rate_limit import RateLimit, hint, wait_after_429
from tap_bitbucket.http.shared_budget import NOTHING, Notice, SharedBudget

logger = logging.getLogger("tap-bitbucket.budget")

_SAID_FOR = 600.0
"""Seconds without, after which it is said again that requests are spaced out."""

_SPREAD = 0.2
_WIDEST = 1.0
"""Runs on one identity begin again at different moments: within so many seconds."""

_SAME = 0.5
"""Seconds by which the end of a pause may be known differently."""


class Budget:
    """The requests that Bitbucket counts together: of a user, a consumer or an access token.

    A thread sends a request and takes note of its answer before it sends the next.

    Args:
        identity: A label for the log, never a secret.
        on_limit: ``wait`` or ``stop``, what a spent budget means.
        clock: A monotonic clock in seconds.
        shared: What other runs on the identity know of it.

    Attributes:
        sent: Requests so far.
        spent: Whether nothing more is to be sent in this run (``on_limit: stop``).
        waits: How often the limit held requests back: pauses, and times of spacing them out.
        waited: For how many seconds altogether.
    """

    def __init__(
        self,
        identity: str,
        *,
        on_limit: str = "wait",
        clock: Callable[[], float] = time.monotonic,
        shared: SharedBudget | None = None,
    ) -> None:
        self.identity = identity
        self.sent = 0
        self.spent = False
        self.waits = 0
        self.waited = 0.0
        self._patient = on_limit != "stop"
        self._clock = clock
        self._shared = shared
        self._lock = threading.Lock()
        self._here = threading.local()
        self._pace = Pace()
        self._hintless = 0
        self._known_until = 0.0
        self._heard_at = 0.0
        self._counted_until = 0.0
        self._near_at: float | None = None
        self._news = False

    @property
    def last(self) -> RateLimit:
        """Return what the last answer that said anything said about the limit."""
        return self._pace.told

    @property
    def pause(self) -> float:
        """Return the seconds until the end of a pause, 0 if there is none."""
        return max(0.0, self._pace.paused_until - self._clock())

    @property
    def wait(self) -> float:
        """Return the seconds until a request may be sent by this thread, 0 if one may be now."""
        if not self._patient:
            return 0.0
        with self._lock:
            return self._pace.wait(self._clock(), threading.get_ident())

    def take(self) -> None:
        """Take note that this thread sends a request."""
        with self._lock:
            self.sent += 1
            self._here.number = self._pace.sent(self._clock(), threading.get_ident())

    def held(self, since: float) -> None:
        """Take note that this thread was held back since a moment of the budget's clock."""
        with self._lock:
            now = self._clock()
            self.waited += max(0.0, now - max(since, self._counted_until))
            self._counted_until = now

    def now(self) -> float:
        """Return the time by the budget's clock."""
        return self._clock()

    # -- answers ----------------------------------------------------------------------------------

    def heard(self, headers: Mapping[str, str]) -> None:
        """Take note of the headers of an answer that was not a 429."""
        told = RateLimit.from_headers(headers)
        with self._lock:
            now, number = self._clock(), self._number()
            self._pace.done(number)
            if not self._pace.is_late(number, now):
                self._hintless = 0
            if told == NOTHING:
                self._pace.heard_nothing(now)
                return
            self._pace.hear(told, now, number)
            self._heard_at = now
            near = told.is_near()
            self._news |= near
            if told.remaining == 0 and not self._patient:
                self.spent = True
            if told.remaining == 0 and told.reset is not None:
                self._pause(told.reset, number)
            elif near and self._patient:
                self._say_near(now)

    def exhausted(self, headers: Mapping[str, str]) -> None:
        """Take note of a 429: everybody on this identity pauses, or stops."""
        when = datetime.now(timezone.utc)
        told = hint(headers, when)
        with self._lock:
            now, number = self._clock(), self._number()
            self._pace.done(number, answered=False)
            self.spent = self.spent or not self._patient
            if told is not None:
                self._hintless = 0
                self._pause(told, number)
            elif not self._pace.is_late(number, now):
                wait = wait_after_429(headers, when, self._hintless)
                self._hintless += 1
                # How long is only a guess, of which a run that does not wait for it says nothing.
                self._pause(wait, number, guess=True)

    def unanswered(self) -> None:
        """Take note that there will be no answer to this thread's request, or that none is sent."""
        with self._lock:
            self._pace.done(self._number(), answered=False)

    def _number(self) -> int | None:
        number: int | None = getattr(self._here, "number", None)
        return number

    def _pause(self, seconds: float, number: int | None, *, guess: bool = False) -> None:
        """Pause for everybody; what was under way when a pause began can only prolong it."""
        now = self._clock()
        until = now + seconds
        self._news |= self._patient or not guess
        if self._pace.is_late(number, now):
            if until > self._known_until + _SAME:
                self._known_until = until
                self._pace.prolong(until)
            return
        self._begin_pause(until, now)
        if self._patient:
            logger.warning(
                "Rate limit of %s reached: waiting %.0f s. To end the run instead, set "
                "on_rate_limit to 'stop'.",
                *(self.identity, seconds),
            )

    def _begin_pause(self, until: float, now: float) -> None:
        self._known_until = until
        spread = min(_WIDEST, _SPREAD * (until - now))
        self._pace.pause(until + spread * random.random())  # noqa: S311 - no secret
        self.waits += self._patient

    def _say_near(self, now: float) -> None:
        if not self._pace.is_near(now):
            return
        before, self._near_at = self._near_at, now
        if before is not None and now - before < _SAID_FOR:
            return
        self.waits += 1
        told = self._pace.told
        left = "less than a fifth" if told.remaining is None else f"{told.remaining} requests"
        logger.info(
            "Rate limit of %s nearly spent: %s left, sent slowly enough to last until there are"
            " more. To send them at once and end the run then, set on_rate_limit to 'stop'.",
            *(self.identity, left),
        )

    # -- other runs -------------------------------------------------------------------------------

    def exchange(self) -> None:
        """Tell other runs on the identity, and hear from them, if it is time to."""
        if self._shared is not None:
            self._shared.exchange(self._notice, self._from_another)

    def _notice(self) -> Notice | None:
        with self._lock:
            if not self._news:
                return None
            self._news = False
            now = self._clock()
            told = self._pace.told if self._pace.told.is_near() else NOTHING
            return Notice(max(0.0, self._known_until - now), told, now - self._heard_at)

    def _from_another(self, notice: Notice) -> None:
        """Wait as long as another run does.

        A run that never waits asks Bitbucket itself before it ends.
        """
        if not self._patient:
            return
        with self._lock:
            now = self._clock()
            if notice.told != NOTHING and now - notice.age > self._heard_at:
                self._pace.hear(notice.told_now, now, None)
                self._heard_at = now - notice.age
                if notice.told_now.is_near():
                    self._say_near(now)
            until = now + notice.pause
            if notice.pause <= 0 or until <= self._known_until + _SAME:
                return
            self._begin_pause(until, now)
            logger.warning(
                "Rate limit of %s reached by another run: waiting %.0f s.",
                *(self.identity, notice.pause),
            )


def spent(budgets: Collection[Budget]) -> str:
    """Return whose limit is spent, and what to do."""
    names = " and ".join(dict.fromkeys(budget.identity for budget in budgets))
    pause = min(budget.pause for budget in budgets)
    when = f"in {round(pause / 60)} minutes" if pause > 60 else "within the hour"  # noqa: PLR2004
    return (
        f"the rate limit of {names} is spent and on_rate_limit is 'stop'; there is room again"
        f" {when}, and the next run goes on from here"
    )
