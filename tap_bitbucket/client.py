"""BitbucketStream joins reading, bookmarks and rows: the one module that knows them all.

A stream is a class with ``name``, ``path``, ``primary_keys`` and ``incremental``; a class that
has a name is registered by being defined. Every stream is a root stream of the SDK, with one
partition per workspace or repository: what lies below a pull request or a pipeline is read inside
its repository's partition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tap_bitbucket.directory import Repository
from tap_bitbucket.fit import Fit
from tap_bitbucket.http.errors import Fatal, MissingScope, SkipPartition, StopReading
from tap_bitbucket.http.paging import Page
from tap_bitbucket.incremental.passes import Context, Pass, Strategy
from tap_bitbucket.plan import Partition
from tap_bitbucket.relations import RelatedStream
from tap_bitbucket.rows import (
    Row,
    drop_named_secrets,
    drop_secrets,
    lift,
    to_microseconds,
    with_context,
)
from tap_bitbucket.selection import cut
from tap_bitbucket.state import State, at_or_after

if TYPE_CHECKING:
    from tap_bitbucket.layout import Place
    from tap_bitbucket.tap import TapBitbucket

REGISTRY: dict[str, type[BitbucketStream]] = {}
"""Every stream by name, in the order of definition, which is the order of reading."""


def _updated(row: Row) -> str:
    """Return when a row was updated; what does not say so counts as updated just now."""
    return row.get("updated_on") or "9999-12-31"


class BitbucketStream(RelatedStream):
    """A table of Bitbucket Cloud.

    Attributes:
        incremental: How it is read again.
        told_by: The stream that tells the partitions.
        unrolled: Whether another stream's rows hold this one's, so that there is nothing to read.
    """

    incremental: ClassVar[Strategy]
    told_by: ClassVar[str] = ""
    unrolled: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Register a class that declares a name."""
        super().__init_subclass__(**kwargs)
        if "name" in cls.__dict__:
            cls.replication_key = cls.incremental.replication_key
            REGISTRY[cls.name] = cls

    def __init__(self, tap: TapBitbucket, place: Place | None = None) -> None:
        """Set up the stream; nothing is read."""
        super().__init__(tap, place)
        self.complete = True
        self.written = 0
        self._fit = Fit(self.name, self._described.published, self.made_columns)

    # -- what a strategy asks ---------------------------------------------------------------------

    @property
    def start_date(self) -> str | None:
        """Return the moment before which nothing is read on the first pass."""
        value: str | None = self.config.get("start_date")
        return value

    @property
    def lookback(self) -> float:
        """Return how many seconds before its bookmark the user wants read again."""
        by_stream: Mapping[str, float] = self.config.get("lookback") or {}
        for name in (self.name, self.entity):
            if name in by_stream:
                return float(by_stream[name])
        return float(by_stream.get("*", 0))

    @property
    def reconciling(self) -> bool:
        """Whether this pass reads everything, to tell what was deleted."""
        return self._tap.reconciliation.due(self)

    def repository(self, context: Context) -> Repository:
        """Return a partition's repository."""
        raise NotImplementedError

    def head(self, context: Context) -> str:
        """Return the commit at the head of the main branch."""
        raise NotImplementedError

    def tree(self, context: Context, head: str) -> Iterator[Page]:
        """Yield what is there at a commit."""
        raise NotImplementedError

    def heads(self, context: Context) -> Iterator[str]:
        """Yield the hashes that branches and tags point to."""
        raise NotImplementedError

    def bookmark_of(self, context: Context) -> State:
        """Return the partition's state as the run found it; empty for a forced full table."""
        if self._forced_to_full_table:
            return {}
        return self._tap.bookmarks.of(self.name, context)

    @property
    def _forced_to_full_table(self) -> bool:
        """Whether the catalog asks for a full table where there is an incremental way."""
        forced = self.forced_replication_method == "FULL_TABLE"
        return forced and self.incremental.replication_key is not None

    def below(self) -> list[BitbucketStream]:
        """Return the streams that take their parents from this one and are read."""
        return [
            stream
            for stream in self._tap.index.needing(self.name)
            if stream.selected or stream.has_selected_descendents
        ]

    def needs(self) -> tuple[str, ...]:
        """Return the streams that must be read before this one."""
        strategy = self.incremental
        wanted = [getattr(strategy, "parents", None), getattr(strategy, "gate", None)]
        if self.place is None:
            wanted.append(self.told_by)
        return tuple(name for name in wanted if name)

    @property  # type: ignore[misc]  # final in the SDK, which asks only streams linked by class
    def has_selected_descendents(self) -> bool:
        """Whether a stream that is read depends on this one: it is then read but not written.

        The SDK asks this of parents of child streams; dependants here are root streams.
        """
        return bool(self.below())

    def floors_below(self, context: Context) -> list[str | None]:
        """Return how far back each stream below needs this one."""
        return [stream.floor_above(self.entity, context) for stream in self.below()]

    def floor_above(self, name: str, context: Context) -> str | None:
        """Return how far back this stream needs the stream ``name``."""
        before = self.bookmark_of(context)
        if getattr(self.incremental, "gate", None) == name:
            gate: str | None = before.get("gate")
            return gate
        return self.incremental.begin(self, context).floor

    def unfinished_below(self, context: Context) -> list[list[str]]:
        """Return the parents that each stream below still waits for."""
        return [stream.bookmark_of(context).get("unfinished", []) for stream in self.below()]

    def beyond_the_list(
        self,
        context: Context,  # noqa: ARG002 - for those that have something
        last: Page | None,  # noqa: ARG002
        floor: str | None,  # noqa: ARG002
    ) -> Iterator[Page]:
        """Yield what a list that ends early does not hold."""
        return iter(())

    def key_of(self, row: Row) -> str:
        """Return what identifies a row within its partition."""
        return " ".join(str(row.get(key)) for key in self.primary_keys if key not in self._own)

    @property
    def _own(self) -> frozenset[str]:
        return frozenset(("repository_uuid",))

    def cursor_of(self, row: Row) -> str | None:
        """Return a row's cursor."""
        value: str | None = row.get(self.replication_key or "")
        return value

    def changed_of(self, row: Row) -> str | None:
        """Return when a row last changed, where it tells more than the cursor does."""
        return self.cursor_of(row)

    def unfinished(self, row: Row) -> bool:  # noqa: ARG002 - for those that finish
        """Whether a row will go on changing."""
        return False

    # -- rows -------------------------------------------------------------------------------------

    def get_records(self, context: Any) -> Iterator[Row]:
        """Yield the rows of one partition and move its bookmark; or skip it, naming the reason."""
        if context is None and self.partitions is not None:
            return
        self._stream_version = self._tap.reconciliation.version_of(self)
        partition = self._tap.open(self, context)
        try:
            yield from self.select(partition, context)
            self.check_absences(context)
        except StopReading:
            if self.all_absences_checked(context):
                self._write_bookmark(partition.work.checkpoint(), context)
            raise
        except SkipPartition as error:
            partition.abandon()
            self.complete = False
            if isinstance(error, MissingScope) and self.config["on_missing_scope"] == "fail":
                raise Fatal(str(error)) from None
            self._tap.summary.skipped(self.name, self.label(context), error)
            return
        self._tap.summary.partition_read(self.name)
        self.move_bookmark(partition.work, context)

    def select(self, partition: Partition, context: Context) -> Iterator[Row]:
        """Yield the rows of a partition that are to be written."""
        work = partition.work
        for row in self.rows(partition, context):
            if self.selected and work.accept(row):
                self.written += 1
                yield row
        if self.selected:
            for row in work.leftovers():
                self.written += 1
                yield row

    def rows(self, partition: Partition, context: Context) -> Iterator[Row]:
        """Yield all rows of a partition, ready but for what is not selected."""
        columns = self.columns(context)
        for reading in partition.readings():
            whole = {**columns, **reading.columns}
            for page in partition.pages(reading):
                if not self.selected and not self.companions:
                    continue
                made = {**whole, **page.columns}
                for raw in page.values:
                    sent = self._fit.row(raw)
                    if sent is None:
                        continue
                    drop_named_secrets(sent, bytes(raw))
                    row = self.derive(lift(with_context(sent, made), self.lifted), context)
                    if row is None:
                        continue
                    if reading.since and not at_or_after(_updated(row), reading.since):
                        partition.work.known(row)
                    else:
                        yield self.finished(row)
            partition.work.done(reading)

    def finished(self, row: Row) -> Row:
        """Return a row without secrets and odd values."""
        drop_secrets(row, self._described.secret)
        if not self.takes_fields:
            to_microseconds(row, self._described.timestamps)
        self._fit.require_keys(row)
        return row

    @property
    def companions(self) -> list[BitbucketStream]:
        """Return streams whose rows are unrolled from this one's."""
        return []

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Add the columns that the tap makes; None drops the row."""
        return row

    def post_process(self, row: Any, context: Any = None) -> Any:  # noqa: ARG002
        """Cut what is not selected, in arrays too, which the SDK leaves."""
        cut(row, self.cuts)
        return row

    def move_bookmark(self, work: Pass, context: Context) -> None:
        """Write the partition's state, if its rows are out: all of them, and not only read."""
        if not self.selected:
            return
        self._write_bookmark(work.bookmark(), context)

    def _write_bookmark(self, state: State | None, context: Context) -> None:
        if state is not None and not self._forced_to_full_table:
            entry = self.get_context_state(context)
            kept = {"context": entry["context"]} if context else {}
            entry.clear()
            entry.update({**kept, **state})

    def _sync_records(self, context: Any = None, *, write_messages: bool = True) -> Any:
        yield from super()._sync_records(context, write_messages=write_messages)
        if self._tap.reading_ahead:
            self._tap.reconciliation.finish(self)

    def label(self, context: Context) -> str:
        """Return a partition's name for people."""
        return ", ".join(str(value) for value in (context or {}).values()) or "everything"
