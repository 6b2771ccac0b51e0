"""One workspace, project or repository that is looked at, and what was found out about it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_bitbucket.client import BitbucketStream
from tap_bitbucket.directory import Parent
from tap_bitbucket.estimate.lists import Listed, length
from tap_bitbucket.estimate.looks import look
from tap_bitbucket.http.errors import SkipPartition
from tap_bitbucket.incremental.passes import Context
from tap_bitbucket.state import at_or_after

if TYPE_CHECKING:
    from tap_bitbucket.tap import TapBitbucket


class NothingAbove(SkipPartition):
    """The list of the parents is refused: nothing below it is asked for.

    Attributes:
        entity: The stream of the parents.
    """

    def __init__(self, entity: str, error: SkipPartition) -> None:
        super().__init__(str(error), error.status)
        self.entity = entity


@dataclass(frozen=True)
class Spot:
    """A partition.

    Attributes:
        kind: ``workspace``, ``project``, ``repository`` or empty.
        key: Its context value.
        workspace: The slug of the workspace that it lies in.
        label: What people call it.
        created_on: When it was created, if the list says so.
        updated_on: When something was last pushed to it.
        empty: Whether nothing was ever pushed to it.
    """

    kind: str
    key: str = ""
    workspace: str = ""
    label: str = ""
    created_on: str | None = None
    updated_on: str | None = None
    empty: bool = False

    @property
    def context(self) -> Context:
        """Return the partition as the streams name it."""
        if not self.kind:
            return None
        return {"workspace" if self.kind == "workspace" else f"{self.kind}_uuid": self.key}


class Here:
    """What is asked about one partition, each thing once.

    Args:
        tap: Whose streams ask.
        spot: The partition.
        read: The streams that a run reads.

    Attributes:
        start_date: The moment down to which a first pass reads; None for all.
    """

    def __init__(self, tap: TapBitbucket, spot: Spot, read: Collection[str]) -> None:
        self.spot = spot
        self.read = read
        self.start_date: str | None = tap.config.get("start_date")
        self._tap = tap
        self._known: dict[str, Listed | SkipPartition] = {}
        self._place = next(
            (one for one in tap.places or () if (one.kind, one.key) == (spot.kind, spot.key)), None
        )

    @property
    def context(self) -> Context:
        """Return the partition as the streams name it."""
        return self.spot.context

    @property
    def workspaces(self) -> list[str]:
        """Return the workspaces of the run."""
        return self._tap.partitions.workspaces()

    def stream(self, entity: str) -> BitbucketStream:
        """Return a stream of this partition."""
        return self._tap.index.related(entity, self._place)

    def listed(self, stream: BitbucketStream) -> Listed:
        """Return what is known about a stream's list.

        Raises:
            SkipPartition: It is refused.
        """
        return self._once(stream.entity, lambda: look(stream.incremental, stream, self))

    def gate(self, entity: str) -> Listed:
        """Return what is known about a list that another stream depends on.

        Raises:
            NothingAbove: It is refused.
        """
        try:
            return self.listed(self.stream(entity))
        except SkipPartition as error:
            raise NothingAbove(entity, error) from None

    def above(self, entity: str) -> Listed:
        """Return what is known about the parents below which a first pass reads.

        Raises:
            NothingAbove: Their list is refused.
        """
        found = self.gate(entity)
        wanted = [one for one in found.parents if at_or_after(one.changed, self.start_date)]
        if len(wanted) == len(found.parents):
            return found
        return replace(found, rows=found.rows * len(wanted) / len(found.parents), parents=wanted)

    def below(
        self, stream: BitbucketStream, parents: Sequence[Parent]
    ) -> list[tuple[Parent, Listed | None]]:
        """Return what is known about the list below each of some parents; None if it is not there.

        Raises:
            SkipPartition: It is refused.
        """
        return [(one, self._below(stream, one)) for one in parents]

    def _below(self, stream: BitbucketStream, parent: Parent) -> Listed | None:
        try:
            return self._once(
                f"{stream.entity} {parent.columns}",
                lambda: length(stream, lambda: stream.listing(self.context, parent.columns)),
            )
        except SkipPartition as error:
            if error.status in stream.nothing_if:
                return None
            raise

    def know(self, entity: str, listed: Listed) -> None:
        """Take note of a list that was read already."""
        self._known[entity] = listed

    def _once(self, name: str, ask: Callable[[], Listed]) -> Listed:
        if name not in self._known:
            try:
                self._known[name] = ask()
            except SkipPartition as error:
                self._known[name] = error
        known = self._known[name]
        if isinstance(known, SkipPartition):
            raise known
        return known
