"""Deletions: Bitbucket tells of none, so a target learns them from a whole pass.

Rows of such streams carry the version of their run. ACTIVATE_VERSION, sent after a pass in which
nothing was left out, tells the target that rows of older versions are gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_bitbucket.settings import shard_of

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream
    from tap_bitbucket.replication import ReplicatedStream
    from tap_bitbucket.tap import TapBitbucket


class Reconciliation:
    """Decides which passes are whole.

    Attributes:
        version: The table version of this round of runs, in seconds as the SDK's: targets keep
            32 bits.
        unknown: The streams whose list could not be read in every workspace, of those that tell
            the partitions of others.
    """

    def __init__(self, tap: TapBitbucket) -> None:
        self.version = tap.resumption.version
        self.unknown: set[str] = set()
        self._tap = tap
        self._knows_all = False

    def due(self, stream: ReplicatedStream) -> bool:
        """Whether this run reads everything of a stream that otherwise skips the unchanged."""
        if not stream.incremental.versioned:
            return False
        done = self._tap.bookmarks.of(stream.name, None).get("reconciled_at")
        every = float(self._tap.config["reconcile_every"]) * 86_400
        # As of the begin of the round: all its runs must decide alike.
        return done is None or self.version - float(done) >= every

    def version_of(self, stream: BitbucketStream) -> int | None:
        """Return the version that a stream's rows carry."""
        return self.version if stream.incremental.versioned else None

    def finish(self, stream: BitbucketStream) -> None:
        """Tell the target that a table is whole, if it is: rows not seen are deleted ones."""
        if not stream.selected or not stream.incremental.versioned:
            return
        if not stream.complete or not self._all_partitions_known(stream):
            return
        if stream.incremental.skips:
            if not self.due(stream):
                return
            stream.stream_state["reconciled_at"] = self.version
            stream.state_manager.is_flushed = False
        stream.activate_version(self.version)
        self._knows_all |= stream.entity == "repositories" and not self._tap.partitions.filters

    def forget(self) -> None:
        """Take the bookmarks of repositories that are gone out of the state.

        Only after a run that saw all there are. One that comes back is read from its beginning.
        """
        if not self._knows_all or self._tap.places is not None:
            return
        if "repositories" in self.unknown:
            return
        there = {None, *(repository.uuid for repository in self._tap.partitions.repositories)}
        for bookmark in self._tap.state.get("bookmarks", {}).values():
            partitions = bookmark.get("partitions", [])
            partitions[:] = [
                one for one in partitions if one["context"].get("repository_uuid") in there
            ]

    def _all_partitions_known(self, stream: BitbucketStream) -> bool:
        """Whether the list of partitions was whole: no shard, no workspace that was skipped."""
        if stream.place is not None and stream.kind == "repository":
            return True
        if shard_of(self._tap.config) is not None or "workspaces" in self.unknown:
            return False
        return self.unknown.isdisjoint({*stream.needs(), stream.entity})
