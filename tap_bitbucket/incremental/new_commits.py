"""NewCommits: what is reachable now and was not before, whatever its dates say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tap_bitbucket.incremental.commit_walk import WALKED, CommitWalk
from tap_bitbucket.incremental.passes import Context, Pass, Row, Strategy
from tap_bitbucket.plan import Reading
from tap_bitbucket.state import State, at_or_after

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream


@dataclass(frozen=True)
class NewCommits(Strategy):
    """Ask for the commits that are new since the last run: see ``CommitWalk``.

    Attributes:
        replication_key: A date in the rows, for the catalog; not the bookmark.
    """

    replication_key: str = "date"

    def begin(self, stream: BitbucketStream, context: Context) -> NewCommitsPass:
        """Return a pass over one partition."""
        return NewCommitsPass(stream, context)


class NewCommitsPass(Pass):
    """See ``NewCommits``."""

    def __init__(self, stream: BitbucketStream, context: Context) -> None:
        super().__init__(stream, context)
        self._walk, _ = shared_walk(stream, context, self.before)

    def readings(self) -> Iterator[Reading]:
        """Yield one reading, or none while the repository did not change."""
        if self._walk.due:
            yield Reading(self._walk.read, feed=self._walk.feed)

    def accept(self, row: Row) -> bool:
        """Write every commit, on the first pass those from ``start_date``."""
        return not self._walk.first or at_or_after(row.get("date"), self.stream.start_date)

    def bookmark(self) -> State | None:
        """Return the heads of now."""
        return self._walk.state() if self._walk.due else None


def shared_walk(
    commits: BitbucketStream, context: Context, before: State
) -> tuple[CommitWalk, bool]:
    """Return the walk from a state, and whether it is still to be read by somebody.

    Streams that stand at the same heads share one walk in a run.
    """
    if not commits.directory.read_ahead:
        return CommitWalk(commits, context, before), True
    heads = {name: before.get(name) for name in WALKED}
    place = {**(context or {}), "since": msgspec.json.encode(heads).decode()}
    return commits.directory.once("walk", place, lambda: CommitWalk(commits, context, before))
