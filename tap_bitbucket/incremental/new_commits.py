"""NewCommits: what is reachable now and was not before, whatever its dates say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tap_bitbucket.http.paging import Page
from tap_bitbucket.incremental.commit_walk import WALKED, Commit, CommitWalk
from tap_bitbucket.incremental.passes import Context, Pass, Row, Strategy, raw_rows
from tap_bitbucket.plan import Reading, Step, Until
from tap_bitbucket.state import State, at_or_after

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream

_MANY = 5000
"""Hashes in a state at most: a repository with so many open ends is read from the beginning."""


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
        self._rest: Reading | None = None
        self._rest_is_out = False
        self._since_cut: CommitWalk | None = None
        self._left: dict[str, None] | None = None

    def readings(self) -> Iterator[Step]:
        """Yield one reading, or none while the repository did not change.

        Where the last run was cut amid a walk: its rest, and then what was pushed since.
        """
        if not self._walk.due:
            return
        first = Reading(self._walk.read, feed=self._walk.feed)
        if not self._walk.cut:
            yield first
            return
        self._rest = first
        yield first
        yield Until(self._walk.feed)
        if self._walk.feed.failed:
            return
        since_cut = CommitWalk(self.stream, self.context, self._walk.state())
        if since_cut.due:
            self._since_cut = since_cut
            yield Reading(since_cut.read, feed=since_cut.feed)

    def accept(self, row: Row) -> bool:
        """Write every commit, on the first pass those from ``start_date``."""
        if self._rest_is_out:
            self._turn_to_what_came_since()
        return not self._walk.first or at_or_after(row.get("date"), self.stream.start_date)

    def wrote(self, page: Page) -> None:
        """Note what is left to read: whatever those that are written build on.

        Bitbucket lists a commit after all that build on it.
        """
        self._turn_to_what_came_since()
        if self._left is None:
            self._left = dict.fromkeys(self._walk.begins_with)
        for _, commit in raw_rows(page, Commit):
            self._left.pop(commit.hash, None)
            self._left.update(dict.fromkeys(parent.hash for parent in commit.parents or ()))

    def done(self, reading: Reading) -> None:
        """Note that the rest of a cut walk is out."""
        self._rest_is_out = reading is self._rest

    def _turn_to_what_came_since(self) -> None:
        """Go over to the second walk where the rest of the first is out."""
        if self._rest_is_out and self._since_cut is not None:
            self.before, self._walk = self._walk.state(), self._since_cut
            self._rest_is_out, self._left = False, None

    def checkpoint(self) -> State | None:
        """Return a state from which the next run goes on after the commits that are written."""
        if self._left is None or len(self._left) > _MANY:
            return None
        before = {key: value for key, value in self.before.items() if key != "context"}
        return {**before, "walk": self._walk.state_amid(self._left)}

    def bookmark(self) -> State | None:
        """Return the heads of now."""
        self._turn_to_what_came_since()
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
