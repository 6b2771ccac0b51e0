"""What a feed told of the children of new parents, and about which of them it told all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tap_bitbucket.directory import Parent
from tap_bitbucket.http.paging import Page
from tap_bitbucket.incremental.passes import Row, digest
from tap_bitbucket.state import at_or_after, earlier

_MOMENT = 2.0
"""Seconds between creation and change of what was not edited, at most."""


class _Fed:
    """What the feed told about one parent."""

    __slots__ = ("children", "expected", "fingerprint", "latest")

    def __init__(self, expected: int, children: int, fingerprint: int) -> None:
        self.expected = expected
        self.children = children
        self.fingerprint = fingerprint
        self.latest: str | None = None


class FeedTold:
    """What was told so far; in the main thread, in the order of the feed.

    Attributes:
        until: How far down the feed is written; empty once all of it is.
        failed: Whether it could not be read to its end.
    """

    def __init__(self, until: str | None, shows: Iterable[str] = ()) -> None:
        self.until = until
        self.failed = False
        self._shows = set(shows)
        self._fed: dict[str, _Fed] = {}
        self._alone: set[str] = set()
        self._ids: tuple[set[object], set[object]] = (set(), set())

    def expect(self, key: str, expected: int, children: int, fingerprint: int) -> None:
        """Listen for the children of a parent, of which an earlier run may have heard some."""
        self._fed[key] = _Fed(expected, children, fingerprint)

    def entry(self, key: str, when: str | None) -> None:
        """Take note of an entry of the feed."""
        fed = self._fed.get(key)
        if fed is not None and when and (fed.latest is None or at_or_after(when, fed.latest)):
            fed.latest = when

    def child(self, key: str, child: Row) -> bool:
        """Take note of a child in the feed; whether it is to be written."""
        deleted = bool(child.get("deleted"))
        if deleted or _edited(child):
            self._shows.add("deleted" if deleted else "edited")
        fed, number = self._fed.get(key), child.get("id")
        if fed is None or any(number in ids for ids in self._ids):
            return False  # not of a new parent, or it moved to the next page
        self._ids[0].add(number)
        fed.children += not deleted
        fed.fingerprint += fingerprint(child)
        self.entry(key, child.get("updated_on"))
        return True

    def page(self, page: Page, oldest: str | None) -> None:
        """Note that a page of the feed is written, and how far down that is."""
        self._ids = (set(), self._ids[0])
        if page.about is None:
            self.until = oldest if self.until != "" else ""
        elif page.after is None:
            self._alone.add(page.about)

    @property
    def shows(self) -> list[str]:
        """Return what kinds of children the feed showed that prove something about it."""
        return sorted(self._shows)

    @property
    def proves(self) -> bool:
        """Whether the feed showed that deleted children are in it, and edited ones as they are."""
        return self._shows >= {"deleted", "edited"}

    def covers(self, parent: Parent) -> bool:
        """Whether the feed told all about a parent, if it is whole at all."""
        fed = self._fed.get(parent.key)
        if fed is None or self.failed or self.until is None:
            return False
        whole = parent.key in self._alone or at_or_after(parent.created, self.until)
        return whole and fed.children == fed.expected

    def goes_on_about(self, parent: Parent) -> bool:
        """Whether more about a parent may come further down."""
        return parent.key in self._fed and not at_or_after(parent.created, self.until)

    def is_behind(self, parent: Parent) -> bool:
        """Whether a parent changed later than the feed tells."""
        latest = self._fed[parent.key].latest
        return latest is None or not at_or_after(latest, earlier(parent.changed, _MOMENT))

    def fingerprint_of(self, parent: Parent) -> int:
        """Return what must be the same in the list of a parent's children."""
        return self._fed[parent.key].fingerprint

    def so_far(self, parents: Iterable[Parent]) -> dict[str, tuple[int, str]]:
        """Return number and fingerprint of the children of those about which more may come."""
        return {
            one.key: (fed.children, f"{fed.fingerprint % 2**64:x}")
            for one in parents
            if self.goes_on_about(one) and (fed := self._fed[one.key]).children
        }


def _edited(child: Mapping[str, Any]) -> bool:
    """Whether a child changed after it was made; that takes Bitbucket milliseconds."""
    updated = child.get("updated_on")
    return bool(updated) and at_or_after(earlier(updated, _MOMENT), child.get("created_on"))


def fingerprint(child: Mapping[str, Any]) -> int:
    """Return what must be the same of a child in the feed and in its own list."""
    facts = [child.get("id"), bool(child.get("deleted")), child.get("updated_on")]
    return digest([*facts, bool(child.get("resolution"))])
