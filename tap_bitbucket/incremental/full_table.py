"""FullTable: the whole list each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_bitbucket.http.paging import Page
from tap_bitbucket.incremental.passes import Context, Pass, Strategy
from tap_bitbucket.plan import Reading, Step, Until
from tap_bitbucket.state import State

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream


@dataclass(frozen=True)
class FullTable(Strategy):
    """Read the whole list.

    Attributes:
        parents: The stream of the parents, if there is one list below each.
        unless_unchanged: Skip it while the repository's ``updated_on`` stands still, which a push
            moves within seconds. Such a table is read whole every ``reconcile_every`` days.
    """

    parents: str | None = None
    unless_unchanged: bool = False

    @property
    def versioned(self) -> bool:
        """Whether a whole pass tells what was deleted."""
        return True

    @property
    def skips(self) -> bool:
        """Whether a normal pass leaves out what did not change."""
        return self.unless_unchanged

    def begin(self, stream: BitbucketStream, context: Context) -> Pass:
        """Return a pass over one partition."""
        if self.unless_unchanged:
            return GatedPass(stream, context)
        if self.parents is not None:
            return BelowAll(self, stream, context)
        return FullPass(stream, context)


@dataclass(frozen=True)
class WhenHeadMoved(FullTable):
    """Read the whole list of a repository, which is that of one commit, when the head moved.

    The repository's ``updated_on`` tells that something was pushed, one request tells whether it
    was to the main branch.
    """

    unless_unchanged: bool = True

    def begin(self, stream: BitbucketStream, context: Context) -> Pass:
        """Return a pass over one partition."""
        return HeadPass(stream, context)


class FullPass(Pass):
    """Everything, every time."""

    def readings(self) -> Iterator[Step]:
        """Yield the list."""
        yield from self.stream.readings(self.context)


class BelowAll(Pass):
    """Everything below every parent, every time."""

    def __init__(self, strategy: FullTable, stream: BitbucketStream, context: Context) -> None:
        super().__init__(stream, context)
        self._feed = stream.directory.feed(strategy.parents or "", context)

    def readings(self) -> Iterator[Step]:
        """Yield a list per parent."""
        yield Until(self._feed)
        for parent in self._feed:
            yield self.stream.reading_below(self.context, parent)


class GatedPass(Pass):
    """Everything, if the repository changed since."""

    def __init__(self, stream: BitbucketStream, context: Context) -> None:
        super().__init__(stream, context)
        # As of before this list is read: a push in between is seen by the next run.
        self._updated_on = stream.repository(context).updated_on

    @property
    def due(self) -> bool:
        """Whether the list has to be read."""
        known = self.before.get("repository_updated_on")
        return known is None or known != self._updated_on or self.stream.reconciling

    def readings(self) -> Iterator[Step]:
        """Yield the list, or nothing."""
        # An empty repository has no branches and no tags; Bitbucket may answer 404 to asking.
        if self.due and not self.stream.repository(self.context).empty:
            yield from self.stream.readings(self.context)

    def bookmark(self) -> State:
        """Remember which state of the repository was read."""
        return {"repository_updated_on": self._updated_on}


class HeadPass(GatedPass):
    """Everything, if the head of the main branch moved."""

    def __init__(self, stream: BitbucketStream, context: Context) -> None:
        super().__init__(stream, context)
        self._head: str | None = self.before.get("head")

    def readings(self) -> Iterator[Step]:
        """Yield the list, or nothing."""
        if self.due and not self.stream.repository(self.context).empty:
            yield Reading(self._read)

    def _read(self) -> Iterator[Page]:
        head = self.stream.head(self.context)
        if head != self._head or self.stream.reconciling:
            yield from self.stream.tree(self.context, head)
        self._head = head

    def bookmark(self) -> State:
        """Remember which commit was read."""
        state = super().bookmark()
        return {**state, "head": self._head} if self._head else state
