"""The plan: the lists that a run reads, partition by partition, in writing order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tap_bitbucket.directory import Feed
from tap_bitbucket.http.errors import SkipPartition
from tap_bitbucket.http.paging import Page

if TYPE_CHECKING:
    from tap_bitbucket.incremental.passes import Pass


@dataclass(frozen=True)
class Until:
    """What follows in a partition is known once a feed is complete."""

    feed: Feed[Any]


@dataclass(eq=False)
class Reading:
    """One list that is, was or will be read.

    Attributes:
        source: Yields its pages; runs in a worker, which may leave it between two pages to
            another one. It may also yield ``Parts``.
        columns: What every row of it carries beside the context, e.g. ``pull_request_id``.
        since: Rows that were updated before are known, as far as this list is concerned.
        feed: Told in vain by this list, should nobody read it.
    """

    source: Callable[[], Iterator[Page | Parts]]
    columns: Mapping[str, Any] = field(default_factory=dict)
    since: str | None = None
    feed: Feed[Any] | None = None

    def drop(self) -> None:
        """Tell those who wait for what it would have told that nobody reads it."""
        if self.feed is not None:
            self.feed.finish(SkipPartition("the list was not read"))

    def pages(self) -> Iterator[Page]:
        """Read it now, to its end."""
        for found in self.source():
            if isinstance(found, Parts):
                for part in found.readings:
                    yield from part.pages()
            else:
                yield found


@dataclass(frozen=True)
class Parts:
    """What a long list is read in from here on: several parts at the same time."""

    readings: Iterable[Reading]


Step = Reading | Until
"""What a pass plans."""


@dataclass(frozen=True, eq=False)
class Opening:
    """A partition of a stream, and its place in the plan."""

    stream: str
    context: Mapping[str, Any] | None
    work: Pass


class Partition(Protocol):
    """What the main thread sees of one partition."""

    work: Pass

    def readings(self) -> Iterator[Reading]:
        """Yield the lists in order."""

    def pages(self, reading: Reading) -> Iterator[Page]:
        """Yield the pages of a list; raise at its place what went wrong in reading it."""

    def abandon(self) -> None:
        """Give up the rest of the partition."""


class InlinePartition:
    """Reads when asked, in the caller's thread: for dry runs, which want one row."""

    def __init__(self, work: Pass) -> None:
        self.work = work

    def readings(self) -> Iterator[Reading]:
        """Yield the lists in order."""
        return (step for step in self.work.readings() if isinstance(step, Reading))

    def pages(self, reading: Reading) -> Iterator[Page]:
        """Read the list now."""
        return reading.pages()

    def abandon(self) -> None:
        """Nothing was begun ahead."""
