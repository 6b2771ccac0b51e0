"""The plan: the sequence of lists that a run reads, partition by partition, in writing order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tap_bitbucket.directory import Feed
from tap_bitbucket.http.errors import SkipPartition
from tap_bitbucket.http.paging import Page

if TYPE_CHECKING:
    from tap_bitbucket.incremental.passes import Pass


@dataclass(eq=False)
class Reading:
    """One list that is, was or will be read.

    Attributes:
        source: Yields its pages; runs in a worker.
        columns: What every row of it carries beside the context, e.g. ``pull_request_id``.
        since: Rows that were updated before are known, as far as this list is concerned.
        feed: Told in vain by this list, should nobody read it.
    """

    source: Callable[[], Iterator[Page]]
    columns: Mapping[str, Any] = field(default_factory=dict)
    since: str | None = None
    feed: Feed[Any] | None = None
    ready: deque[Page] = field(default_factory=deque)
    finished: bool = False
    abandoned: bool = False
    error: BaseException | None = None
    partition: Opening | None = None
    number: int = 0

    def drop(self) -> None:
        """Tell those who wait for what it would have told that nobody reads it."""
        if self.feed is not None:
            self.feed.finish(SkipPartition("the list was not read"))

    @property
    def unwanted(self) -> bool:
        """Whether nobody will take its pages: it was abandoned, or one before it failed."""
        failed = self.partition.failed_at if self.partition is not None else None
        return self.abandoned or (failed is not None and failed < self.number)


@dataclass(eq=False)
class Opening:
    """Marks in the plan where a partition of a stream begins.

    Attributes:
        failed_at: Number of the first of its lists that cannot be read: those after it are not
            asked for, since the partition will be skipped there.
    """

    stream: str
    context: Mapping[str, Any] | None
    work: Pass
    failed_at: int | None = None


class Closing:
    """Marks in the plan where a partition ends."""


Step = Opening | Reading | Closing


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
        return self.work.readings()

    def pages(self, reading: Reading) -> Iterator[Page]:
        """Read the list now."""
        return reading.source()

    def abandon(self) -> None:
        """Nothing was begun ahead."""
