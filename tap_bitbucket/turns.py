"""Whose turn it is: the order in which a run reads and writes the partitions of its streams.

What belongs to no repository comes first, stream by stream. Then comes one repository after the
other with all its streams: a run that is cut has finished all repositories but one, and what was
told about a repository can be forgotten when the next one begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tap_bitbucket.plan import Opening, Until

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream
    from tap_bitbucket.tap import TapBitbucket

Context = Mapping[str, Any] | None


class Turns:
    """The streams that a run reads, in order."""

    def __init__(self, tap: TapBitbucket) -> None:
        self._tap = tap
        streams = tap.streams_read()
        self.outside = [one for one in streams if one.kind != "repository"]
        self.inside = [one for one in streams if one.kind == "repository"]

    def of(self, stream: BitbucketStream) -> Iterator[Context]:
        """Yield the partitions of a stream that are read now."""
        found: list[Any] | None = stream.partitions
        for context in [None] if found is None else found:
            if not self._tap.resumption.skips(stream, context):
                yield context

    @property
    def _by_place(self) -> dict[Any, list[BitbucketStream]]:
        found: dict[Any, list[BitbucketStream]] = {}
        for stream in self.inside:
            found.setdefault(stream.place, []).append(stream)
        return found

    @property
    def count(self) -> int:
        """Return how many repositories there are; waits until that is known."""
        return sum(len(streams[0].partitions or ()) for streams in self._by_place.values())

    def repositories(self) -> Iterator[tuple[Context, Sequence[BitbucketStream]]]:
        """Yield each repository with its streams."""
        for streams in self._by_place.values():
            for context in streams[0].partitions or ():
                yield context, streams

    def left(
        self, context: Context, streams: Sequence[BitbucketStream]
    ) -> Iterator[BitbucketStream]:
        """Yield the streams of a repository that are read now."""
        return (one for one in streams if not self._tap.resumption.skips(one, context))

    def plan(self) -> Iterator[Opening | Until]:
        """Yield everything that is read, in the order in which it is written."""
        for stream in self.outside:
            yield from self._known(stream)
            for context in self.of(stream):
                yield _opening(stream, context)
        for stream in self.inside[:1]:
            yield from self._known(stream)
        for context, streams in self.repositories():
            for stream in self.left(context, streams):
                yield _opening(stream, context)

    def _known(self, stream: BitbucketStream) -> Iterator[Until]:
        """Yield what must be complete before the partitions of a stream are known."""
        if stream.place is not None or not stream.told_by:
            return
        feed = self._tap.directory.feed
        yield Until(feed("workspaces"))
        if stream.told_by != "workspaces":
            # A shard other than the first reads repositories alone.
            known = self._tap.partitions
            everywhere = stream.told_by == "repositories"
            for workspace in known.workspaces() if everywhere else known.own_workspaces():
                yield Until(feed(stream.told_by, {"workspace": workspace}))


def _opening(stream: BitbucketStream, context: Context) -> Opening:
    work = stream.incremental.begin(stream, context)
    work.opened()
    return Opening(stream.name, context, work)
