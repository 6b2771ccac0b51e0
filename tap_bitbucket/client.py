"""BitbucketStream joins reading, bookmarks and rows: the one module that knows them all.

A stream is a class with ``name``, ``path``, ``primary_keys`` and ``incremental``; a class that
has a name is registered by being defined. Every stream is a root stream of the SDK, with one
partition per workspace or repository: what lies below a pull request or a pipeline is read inside
its repository's partition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from tap_bitbucket.fit import Fit
from tap_bitbucket.http.errors import (
    Fatal,
    MissingScope,
    Postponed,
    SkipPartition,
    StopReading,
)
from tap_bitbucket.incremental.passes import Context, Pass
from tap_bitbucket.plan import Partition
from tap_bitbucket.replication import ReplicatedStream
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


class BitbucketStream(ReplicatedStream):
    """A table of Bitbucket Cloud.

    Attributes:
        unrolled: Whether another stream's rows hold this one's, so that there is nothing to read.
    """

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
        except (Postponed, StopReading) as error:
            if self.all_absences_checked(context):
                self.keep_progress(partition.work, context)
            if self._tap.stopping.is_set():
                raise
            # A limit: what was read ahead of other partitions is written nevertheless.
            partition.abandon()
            self.complete = False
            self._tap.resumption.cut = str(error)
            return
        except SkipPartition as error:
            partition.abandon()
            self.complete = False
            if isinstance(error, MissingScope) and self.config["on_missing_scope"] == "fail":
                raise Fatal(str(error)) from None
            self._tap.summary.skipped(self.name, self.label(context), error)
            return
        self._tap.summary.partition_read(self.name)
        self.move_bookmark(partition.work, context)
        self._tap.resumption.note(self, context)

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
                    row = self.row_of(raw, made, context)
                    if row is None:
                        continue
                    if reading.since and not at_or_after(_updated(row), reading.since):
                        partition.work.known(row)
                    else:
                        yield self.finished(row)
                partition.work.wrote(page)
            partition.work.done(reading)

    def row_of(self, raw: msgspec.Raw, made: Mapping[str, Any], context: Context) -> Row | None:
        """Return a row with the columns that it has of its place; None if it is none."""
        sent = self._fit.row(raw)
        if sent is None:
            return None
        drop_named_secrets(sent, bytes(raw))
        return self.derive(lift(with_context(sent, made), self.lifted), context)

    def finished(self, row: Row) -> Row:
        """Return a row without secrets and odd values."""
        drop_secrets(row, self._described.secret)
        if not self.takes_fields:
            to_microseconds(row, self._described.timestamps)
        self._fit.require_keys(row)
        return row

    def get_batch_config(self, config: Any) -> None:
        """Return nothing: rows in a batch have no version, and the target would delete them."""

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

    def keep_progress(self, work: Pass, context: Context) -> None:
        """Write what the state may be after a part of a partition, when a run is cut there."""
        if self.selected:
            self._write_bookmark(work.checkpoint(), context)

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

    def label(self, context: Context) -> str:
        """Return a partition's name for people."""
        return ", ".join(str(value) for value in (context or {}).values()) or "everything"
