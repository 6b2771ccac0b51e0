"""Where a run was cut that took children from a feed, and what of the parents it had dealt with."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tap_bitbucket.directory import Parent
from tap_bitbucket.state import State, at_or_after


class FeedCut:
    """What the last run left in the state, under ``cut``, if it was cut; nothing if it was not.

    Attributes:
        ask: The parents whose lists are still to be read.
        until: The place in the feed down to which it is decided which these are.
        open: What the feed told until there about parents that reach further down.
        as_of: The moment that the list of the parents described then.
        read: When those changed that are dealt with and may have changed after it.
        sample: The parents by which the feed is still to be compared, with their fingerprints.
        shows: What the feed showed that proves something about it.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._there = bool(state)
        self.ask: Collection[str] = state.get("ask", ())
        self.until: str | None = state.get("until")
        self.open: Mapping[str, Any] = state.get("open", {})
        self.as_of: str | None = state.get("as_of")
        self.read: Mapping[str, str] = state.get("read", {})
        self.sample: Mapping[str, str] = state.get("sample", {})
        self.shows: Collection[str] = state.get("shows", ())
        self.is_to_compare = "sample" in state and self.until == ""

    def __bool__(self) -> bool:
        return self._there

    def has_seen(self, parent: Parent) -> bool:
        """Whether the run that was cut had dealt with a parent."""
        if not self or parent.key in self.ask:
            return False
        return parent.key in self.read or self._has_decided(parent)

    def _has_decided(self, parent: Parent) -> bool:
        """Whether it had decided about a parent, which was there then."""
        there = not at_or_after(parent.created, self.as_of)
        return there and at_or_after(parent.created, self.until)

    def leaves(self, parent: Parent) -> bool:
        """Whether a parent that is due is still to be dealt with."""
        if not self or parent.key in self.ask:
            return True
        if self.read.get(parent.key) == parent.changed:
            return False
        return not self._has_decided(parent) or at_or_after(parent.changed, self.as_of)

    def moved_on(self, cut: State, read: Mapping[str, str], as_of: str | None) -> State:
        """Return where this run is cut.

        Args:
            cut: What is still to be done.
            read: When the parents changed that this run dealt with.
            as_of: The moment that the list of the parents describes.
        """
        since = self.as_of or as_of
        every = {**self.read, **read}
        late = {key: changed for key, changed in every.items() if at_or_after(changed, since)}
        return {"as_of": since, **cut, **({"read": late} if late else {})}
