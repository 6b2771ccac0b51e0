"""The main thread's way through a run: partition after partition, written as Singer messages."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from singer_sdk.metrics import Counter

from tap_bitbucket.turns import Context, Turns

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream
    from tap_bitbucket.tap import TapBitbucket

_ROWS_BETWEEN_STATES = 1000
"""How often it is asked whether a STATE is due; see ``state.SparingStateWriter``."""


class Driver:
    """Writes what a run reads.

    The SDK syncs stream by stream, each with all its partitions. Here the streams of a repository
    follow each other, so its loop over the records of a stream is done here, with the SDK's own
    means for each step: SCHEMA, RECORD, metrics.
    """

    def __init__(self, tap: TapBitbucket, turns: Turns) -> None:
        self._tap = tap
        self._turns = turns
        self._progress = tap.progress
        self._rows = 0
        self._counters: dict[str, Counter] = {}

    def run(self) -> None:
        """Read and write everything that is selected."""
        tap, turns = self._tap, self._turns
        for stream in turns.outside:
            with ExitStack() as begun:
                self._begin(stream, begun)
                for context in turns.of(stream):
                    self._write(stream, context)
            tap.reconciliation.finish(stream)
        with ExitStack() as begun:
            for stream in tap.bitbucket_streams:
                if stream.kind == "repository" and (stream in turns.inside or stream.selected):
                    self._begin(stream, begun)
            self._progress.repositories(turns.count)
            for context, streams in turns.repositories():
                left = list(turns.left(context, streams))
                self._progress.repository(streams[0].label(context))
                for stream in left:
                    self._write(stream, context)
                self._progress.repository_done(skipped=not left)
                tap.resumption.note_repository(context, streams)
                tap.directory.forget(context or {})
        for stream in turns.inside:
            tap.reconciliation.finish(stream)
        tap.reconciliation.forget()

    def _begin(self, stream: BitbucketStream, begun: ExitStack) -> None:
        """Announce a stream."""
        self._progress.begun(stream)
        begun.callback(self._progress.ended, stream)
        if stream.selected:
            stream.write_schema()
        self._counters[stream.name] = begun.enter_context(stream.get_record_counter())
        begun.enter_context(stream.get_sync_timer())

    def _write(self, stream: BitbucketStream, context: Context) -> None:
        """Write one partition."""
        counter = self._counters[stream.name]
        for row in stream.get_records(context):
            stream.write_row(row)
            counter.increment()
            self._rows += 1
            if self._rows % _ROWS_BETWEEN_STATES == 0:
                self._tap.write_state_if_due()
        self._tap.write_state_if_due()
