"""ChangedParents: one list per parent that changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_bitbucket.directory import Parent
from tap_bitbucket.incremental.passes import Context, Pass, Row, Seen, Strategy, floor_of
from tap_bitbucket.plan import Reading
from tap_bitbucket.state import State, at_or_after

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream


@dataclass(frozen=True)
class ChangedParents(Strategy):
    """Read the lists below those parents that changed since this stream's own bookmark.

    Attributes:
        replication_key: A date in the rows, for the catalog; the bookmark is the parents'.
        parents: The stream of the parents. It is read also when it is not selected.
        unless_zero: A counter of the parent; zero saves the request, but only for a parent that
            is new: of one that changed, the last child may have been deleted.
        quietly: Whether rows also change below a parent that says nothing of it. Such parents
            (``Parent.quiet``) are read each time, of which the rows that were updated count, and
            once more those with a row that was unfinished.
    """

    parents: str
    replication_key: str = "updated_on"
    unless_zero: str | None = None
    quietly: bool = False

    def begin(self, stream: BitbucketStream, context: Context) -> ChangedParentsPass:
        """Return a pass over one partition."""
        return ChangedParentsPass(self, stream, context)


class ChangedParentsPass(Pass):
    """See ``ChangedParents``."""

    def __init__(self, strategy: ChangedParents, stream: BitbucketStream, context: Context) -> None:
        super().__init__(stream, context)
        self._strategy = strategy
        self.floor = floor_of(stream, self.before)
        self._seen = Seen(self.before.get("seen", {}), again=stream.lookback > 0)
        self._remembered = set(self.before.get("unfinished", []))
        self._unfinished: list[str] = []
        self._feed = stream.directory.feed(strategy.parents, context)

    def readings(self) -> Iterator[Reading]:
        """Yield a list per parent."""
        taken: set[str] = set()
        for parent in self._feed:
            if parent.key in taken:
                continue  # it moved to the next page while the parents were read
            taken.add(parent.key)
            self._seen.note(parent.key, parent.changed)
            if parent.unfinished:
                self._unfinished.append(parent.key)
            if self._wants(parent):
                yield self.stream.reading_below(self.context, parent)
            elif self._strategy.quietly and (parent.quiet or parent.key in self._remembered):
                yield self.stream.reading_below(self.context, parent, self.floor)
        for key in sorted(self._remembered - taken) if self._strategy.quietly else ():
            parent = self.stream.parent_of(key)
            yield self.stream.reading_below(self.context, parent, self.floor)

    def accept(self, row: Row) -> bool:
        """Write every row."""
        self.known(row)
        return True

    def known(self, row: Row) -> None:
        """Remember the parent of a row that will go on changing."""
        if self._strategy.quietly and self.stream.unfinished(row):
            self._unfinished.append(self.stream.parent_key(row))

    def _wants(self, parent: Parent) -> bool:
        if parent.key in self._remembered and not self._strategy.quietly:
            return True
        if not at_or_after(parent.changed, self.floor):
            return False
        if not parent.unfinished and self._seen.known(parent.key, parent.changed):
            return False
        zero = self._strategy.unless_zero
        return not (zero and parent.counts.get(zero) == 0 and self._is_new(parent))

    def _is_new(self, parent: Parent) -> bool:
        """Whether the last run cannot have seen a parent, so that it has lost no child since."""
        bookmark = self.before.get("replication_key_value")
        if parent.key in self.before.get("seen", {}):
            return False
        return bookmark is None or at_or_after(parent.created, bookmark)

    def bookmark(self) -> State | None:
        """Return the moment that the list of the parents describes."""
        as_of = self._feed.as_of
        if as_of is None:
            return None
        state: State = {
            "replication_key": self._strategy.replication_key,
            "replication_key_value": as_of,
        }
        seen = self._seen.since(as_of)
        if seen:
            state["seen"] = seen
        if self._unfinished:
            state["unfinished"] = sorted(set(self._unfinished))
        return state
