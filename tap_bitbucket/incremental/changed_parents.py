"""ChangedParents: one list per parent that changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_bitbucket.directory import Parent
from tap_bitbucket.incremental.passes import Context, Pass, Row, Seen, Strategy, floor_of
from tap_bitbucket.plan import Reading, Step, Until
from tap_bitbucket.state import State, at_or_after

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream

_MANY = 2000
"""Parents that are remembered as read before the older ones are let go."""


@dataclass(frozen=True)
class ChangedParents(Strategy):
    """Read the lists below those parents that changed since this stream's own bookmark.

    They are read in the order of the parents' cursor, so that a run that is cut leaves a bookmark
    from which the next one goes on.

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
    """See ``ChangedParents``.

    State beside the bookmark: ``seen``, the parents read since then; ``unfinished``, those to be
    read again; ``partial`` where a run was cut; ``quiet``, how far those came then that are read
    each time: ``since`` when rows of theirs count, and ``after`` which parent it goes on.
    """

    def __init__(self, strategy: ChangedParents, stream: BitbucketStream, context: Context) -> None:
        super().__init__(stream, context)
        self._strategy = strategy
        partial = bool(self.before.get("partial"))
        # What was cut goes on exactly where it ended: a lookback would begin anew each time.
        exact = self._bookmark if partial else None
        self.floor = exact or floor_of(stream, self.before)
        self._seen = Seen(self.before.get("seen", {}), again=stream.lookback > 0 and not partial)
        self._remembered = set(self.before.get("unfinished", []))
        self._unfinished: set[str] = set()
        self._going_on: set[str] = set()
        self._feed = stream.directory.feed(strategy.parents, context)
        quiet = self.before.get("quiet", {})
        self._quiet_since: str | None = quiet.get("since", self.floor)
        self._quiet_after: str | None = quiet.get("after")
        self._quiet_done = False
        self._quiet_began: str | None = quiet.get("began")
        self._under_way: dict[Reading, Parent] = {}
        self._read: dict[str, str] = {}
        self._left = set(self._remembered)
        self._reached: str | None = None

    @property
    def _bookmark(self) -> str | None:
        return self.before.get("replication_key_value")

    @property
    def _by_creation(self) -> bool:
        """Whether the list of the parents goes by creation, as that of pipelines does."""
        key: str | None = self.stream.related(self._strategy.parents).replication_key
        return key == "created_on"

    def _cursor(self, parent: Parent) -> str:
        return parent.created if self._by_creation else parent.changed

    def readings(self) -> Iterator[Step]:
        """Yield a list per parent."""
        yield Until(self._feed)
        parents: dict[str, Parent] = {}
        for parent in self._feed:
            # One that moved to the next page while the parents were read comes twice.
            known = parents.get(parent.key)
            if known is None or known.changed <= parent.changed:
                parents[parent.key] = parent
            self._seen.note(parent.key, parent.changed, since=self._feed.as_of)
            if parent.unfinished:
                self._going_on.add(parent.key)
        if self._quiet_began is None:
            self._quiet_began = self._feed.as_of
        if self._strategy.quietly:
            yield from self._quiet(parents)
        for parent in sorted(parents.values(), key=lambda one: (self._cursor(one), one.key)):
            if self._wants(parent):
                yield from self._below(parent)

    def _quiet(self, parents: dict[str, Parent]) -> Iterator[Reading]:
        """Yield a list per parent that did not change, as far as it says."""
        keys = {key for key, one in parents.items() if one.quiet} | self._remembered
        for key in sorted(keys, key=_number):
            if self._quiet_after is not None and _number(key) <= _number(self._quiet_after):
                self._unfinished |= {key} & self._remembered
                continue
            parent = parents.get(key) or self.stream.parent_of(key)
            if key not in parents or not self._wants(parent):
                yield from self._below(parent, self._quiet_since)

    def _below(self, parent: Parent, since: str | None = None) -> Iterator[Reading]:
        reading = self.stream.reading_below(self.context, parent, since)
        self._under_way[reading] = parent
        yield reading

    def done(self, reading: Reading) -> None:
        """Note that all rows below a parent are out."""
        parent = self._under_way.pop(reading, None)
        if parent is None:
            return
        self._left.discard(parent.key)
        if parent.unfinished:
            self._unfinished.add(parent.key)
        if reading.since is not None or not parent.changed:
            self._quiet_after = parent.key
            return
        self._quiet_done = True
        self._reached = self._cursor(parent)
        self._read[parent.key] = parent.changed
        if len(self._read) > _MANY:
            self._read = self._since(self._read, self._reached)

    def accept(self, row: Row) -> bool:
        """Write every row."""
        self.known(row)
        return True

    def known(self, row: Row) -> None:
        """Remember the parent of a row that will go on changing."""
        if self._strategy.quietly and self.stream.unfinished(row):
            self._unfinished.add(self.stream.parent_key(row))

    def _wants(self, parent: Parent) -> bool:
        if parent.key in self._remembered and not self._strategy.quietly:
            return True
        if parent.unfinished and self._bookmark is not None:
            return True  # one that had ended and goes on again tells no moment of that
        if not at_or_after(parent.changed, self.floor):
            return False
        if not parent.unfinished and self._seen.known(parent.key, parent.changed):
            return False
        zero = self._strategy.unless_zero
        return not (zero and parent.counts.get(zero) == 0 and self._is_new(parent))

    def _is_new(self, parent: Parent) -> bool:
        """Whether the last run cannot have seen a parent, so that it has lost no child since."""
        if parent.key in self.before.get("seen", {}):
            return False
        return self._bookmark is None or at_or_after(parent.created, self._bookmark)

    def checkpoint(self) -> State | None:
        """Return a state from which the next run goes on after the parents that are done."""
        if self._reached is None and self._quiet_after is None:
            return None
        reached = self._earliest(self._reached, self._feed.as_of) or self._bookmark
        state: State = {"partial": True}
        if reached:
            state |= {
                "replication_key": self._strategy.replication_key,
                "replication_key_value": reached,
            }
        seen = self._since({**self.before.get("seen", {}), **self._read}, reached)
        if seen:
            state["seen"] = seen
        unfinished = self._left | self._unfinished
        if unfinished:
            state["unfinished"] = sorted(unfinished)
        if self._strategy.quietly:
            quiet = {"since": self._quiet_since, "began": self._quiet_began}
            quiet["after"] = self._quiet_after
            if self._quiet_done:
                quiet = {"since": self._quiet_began}
            state["quiet"] = {key: value for key, value in quiet.items() if value is not None}
        return state

    @staticmethod
    def _since(read: Mapping[str, str], floor: str | None) -> dict[str, str]:
        return {key: changed for key, changed in read.items() if at_or_after(changed, floor)}

    @staticmethod
    def _earliest(one: str | None, other: str | None) -> str | None:
        if one is None or other is None:
            return None
        return other if at_or_after(one, other) else one

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
        unfinished = self._unfinished | self._going_on
        if unfinished:
            state["unfinished"] = sorted(unfinished)
        if self._strategy.quietly and self._quiet_began and self._quiet_began != as_of:
            state["quiet"] = {"since": self._quiet_began}
        return state


def _number(key: str) -> tuple[int, str]:
    """Return what orders keys: numbers by size, then texts."""
    return (int(key), "") if key.isascii() and key.isdecimal() else (-1, key)
