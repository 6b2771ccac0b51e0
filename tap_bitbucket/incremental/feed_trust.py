"""Whether the feed of a repository's activity can be trusted to hold its comments whole.

That it shows deleted comments, and each comment as it is now, is not documented. A deleted one and
an edited one among its entries prove it. Until these were seen, what the feed says of a few pull
requests is compared with their own lists of comments, and nothing is trusted before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tap_bitbucket.directory import Feed
from tap_bitbucket.state import State

SAMPLES = 12
"""Pull requests whose own lists agree with the feed, until it is trusted without proof."""

ODD_SAMPLES = 3
"""The same, where the feed showed both, of those that changed later than it tells."""


class FeedTrust:
    """What this run, and those before it, learned about the feed.

    Shared by the passes of all repositories, which decide one after the other: whether a list is
    asked for must not depend on which worker was quicker.

    State of the stream: ``feed_is_whole``, and until that is known how many lists ``feed_agrees``
    with.

    Attributes:
        whole: Whether the feed holds comments whole; None as long as that is not known.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        self.whole: bool | None = state.get("feed_is_whole")
        self._agreeing: int = state.get("feed_agrees", 0)
        self._trust_if_enough()
        self._last: Feed[None] | None = None

    def queue(self, decided: Feed[None]) -> Feed[None] | None:
        """Take a place behind the pass that came before, and return what tells its decision."""
        before, self._last = self._last, decided
        return before

    @property
    def samples(self) -> int:
        """Return how many pull requests are to be compared before anything is trusted."""
        return 0 if self.whole is not None else SAMPLES - self._agreeing

    def proven(self) -> None:
        """Take note of a feed that showed a deleted comment, and an edited one."""
        if self.whole is None:
            self.whole = True

    def compared(self, results: Iterable[bool]) -> None:
        """Take note of comparisons."""
        found = list(results)
        if not all(found):
            self.whole = False
        elif self.whole is None:
            self._agreeing += len(found)
            self._trust_if_enough()

    def _trust_if_enough(self) -> None:
        if self.whole is None and self._agreeing >= SAMPLES:
            self.whole = True

    def state(self, more: int = 0) -> State:
        """Return what the next run begins from, with so many more lists that agreed."""
        if self.whole is not None:
            return {"feed_is_whole": self.whole}
        agreeing = self._agreeing + more
        return {"feed_agrees": agreeing} if agreeing else {}
