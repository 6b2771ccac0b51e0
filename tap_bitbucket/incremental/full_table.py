"""FullTable: the whole list each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_bitbucket.incremental.passes import Context, Pass, Strategy
from tap_bitbucket.plan import Reading
from tap_bitbucket.state import State

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream


@dataclass(frozen=True)
class FullTable(Strategy):
    """Read the whole list.

    Attributes:
        unless_unchanged: Skip it while the repository's ``updated_on`` stands still, which a push
            moves within seconds. Such a table is read whole every ``reconcile_every`` days.
    """

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
        return GatedPass(stream, context) if self.unless_unchanged else FullPass(stream, context)


class FullPass(Pass):
    """Everything, every time."""

    def readings(self) -> Iterator[Reading]:
        """Yield the list."""
        yield from self.stream.readings(self.context)


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

    def readings(self) -> Iterator[Reading]:
        """Yield the list, or nothing."""
        # An empty repository has no branches and no tags; Bitbucket may answer 404 to asking.
        if self.due and not self.stream.repository(self.context).empty:
            yield from self.stream.readings(self.context)

    def bookmark(self) -> State:
        """Remember which state of the repository was read."""
        return {"repository_updated_on": self._updated_on}
