"""Writing messages: whole lines in order, few writes, no STATE for rows that are not out."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from singer_sdk.singerlib import RecordMessage, StateMessage

from tap_bitbucket import writer as module
from tap_bitbucket.state import SparingStateWriter
from tap_bitbucket.writer import LineWriter


class Output:
    """A stdout that takes as much as it likes."""

    def __init__(self, takes: Iterator[int | Exception] | None = None) -> None:
        self.buffer = self
        self.written = bytearray()
        self.writes = 0
        self.flushes = 0
        self._takes = takes

    def write(self, data: Any) -> int:
        """Take some of it."""
        self.writes += 1
        take: int | Exception = len(data) if self._takes is None else next(self._takes, len(data))
        if isinstance(take, Exception):
            raise take
        self.written += bytes(data[:take])
        return min(take, len(data))

    def flush(self) -> None:
        """Count it."""
        self.flushes += 1

    @property
    def messages(self) -> list[Any]:
        """Return the lines, decoded."""
        assert not self.written or self.written.endswith(b"\n"), "the last line is not whole"
        return [json.loads(line) for line in self.written.splitlines()]


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Output:
    """Replace stdout."""
    output = Output()
    monkeypatch.setattr(module, "sys", SimpleNamespace(stdout=output))
    return output


def record(number: int, size: int = 0) -> RecordMessage:
    """Return a row."""
    return RecordMessage(stream="s", record={"id": number, "text": "x" * size})


def ids(output: Output) -> list[int]:
    """Return the rows that were written."""
    return [m["record"]["id"] for m in output.messages if m["type"] == "RECORD"]


def test_a_message_goes_out_at_once_unless_buffering(output: Output) -> None:
    """Outside a sync (a dry run, discovery) nothing is held back."""
    writer = LineWriter()
    writer.write_message(record(1))
    assert ids(output) == [1]
    assert output.flushes == 1


def test_many_rows_are_few_writes_in_order(output: Output) -> None:
    """While buffering, rows are collected, and come out complete and in order."""
    writer = LineWriter()
    writer.buffering = True
    for number in range(10_000):
        writer.write_message(record(number, 60))
    assert output.writes < 20
    writer.flush()
    assert ids(output) == list(range(10_000))


def test_the_buffer_is_bounded(output: Output) -> None:
    """A buffer that is full goes out; memory does not grow with the stream."""
    writer = LineWriter()
    writer.buffering = True
    for number in range(20):
        writer.write_message(record(number, 100_000))
    assert len(ids(output)) >= 16


def test_a_state_goes_out_with_all_rows_before_it(output: Output) -> None:
    """A STATE is never written before the rows that it speaks for, and never waits."""
    writer = LineWriter()
    writer.buffering = True
    writer.write_message(record(1))
    assert not output.written
    writer.write_message(StateMessage(value={"bookmarks": {}}))
    assert [m["type"] for m in output.messages] == ["RECORD", "STATE"]


def test_short_writes_are_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stdout that takes a few bytes at a time gets every byte, in order."""
    output = Output(iter([1, 7, 0, 3] * 200))
    monkeypatch.setattr(module, "sys", SimpleNamespace(stdout=output))
    writer = LineWriter()
    writer.buffering = True
    for number in range(50):
        writer.write_message(record(number))
    writer.flush()
    assert ids(output) == list(range(50))


def test_an_empty_flush_writes_nothing(output: Output) -> None:
    """Flushing what is not there does not touch stdout."""
    LineWriter().flush()
    assert (output.writes, output.flushes) == (0, 0)


def test_what_json_cannot_say_is_kept_readable(output: Output) -> None:
    """Text of any language goes out as UTF-8, on one line."""
    writer = LineWriter()
    writer.write_message(RecordMessage(stream="s", record={"t": "größe\n大\u2028😀\x01"}))
    assert output.written.count(b"\n") == 1
    assert output.messages[0]["record"] == {"t": "größe\n大\u2028😀\x01"}


@pytest.mark.parametrize("error", [BrokenPipeError(), TimeoutError(errno.ETIMEDOUT, "Too late")])
def test_nothing_is_written_after_a_failed_write(
    error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once rows were lost, no later message gets out: a STATE would speak for the lost rows."""
    output = Output(iter([error]))
    monkeypatch.setattr(module, "sys", SimpleNamespace(stdout=output))
    writer = LineWriter()
    writer.buffering = True
    writer.write_message(record(1))
    with pytest.raises(type(error)):
        writer.flush()
    writer.write_message(StateMessage(value={}))
    writer.flush()
    assert not output.written


# -- fewer STATE messages -----------------------------------------------------------------------


@pytest.fixture
def sparing(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> tuple[SparingStateWriter, list[float], Output]:
    """Return a writer of states, and the clock it looks at."""
    clock = [100.0]
    monkeypatch.setattr("tap_bitbucket.state.time.monotonic", lambda: clock[0])
    return SparingStateWriter(LineWriter()), clock, output


def written(output: Output) -> list[Any]:
    """Return the states that were written."""
    return [m["value"]["n"] for m in output.messages if m["type"] == "STATE"]


def test_states_are_sparse_and_the_last_is_never_lost(
    sparing: tuple[SparingStateWriter, list[float], Output],
) -> None:
    """At most one STATE in ten seconds; the newest goes out at the end."""
    writer, clock, output = sparing
    rows = writer._message_writer
    for second in range(25):
        clock[0] = 100.0 + second
        rows.write_message(record(second, 10_000))
        writer.write_state({"n": second})
    assert written(output) == [0, 10, 20]
    writer.write_last({"n": 24})
    assert written(output) == [0, 10, 20, 24]


def test_a_large_state_waits_for_rows(
    sparing: tuple[SparingStateWriter, list[float], Output],
) -> None:
    """Beside few rows a state of megabytes is written every five minutes, not every ten seconds."""
    writer, clock, output = sparing
    writer._message_writer.write_message(record(1))
    for second in range(0, 700, 5):
        clock[0] = 100.0 + second
        writer.write_state({"n": second, "large": "x" * 100_000})
    assert written(output) == [0, 300, 600]


def test_the_last_state_follows_the_last_row(
    sparing: tuple[SparingStateWriter, list[float], Output],
) -> None:
    """A state is not repeated, but for the end of a run, after which nothing follows."""
    writer, clock, output = sparing
    writer.write_state({"n": 1})
    clock[0] += 60
    writer.write_state({"n": 1})
    assert written(output) == [1]
    writer.write_last({"n": 1})
    assert written(output) == [1, 1]


def test_a_state_says_nothing_about_partitions_that_were_not_read(
    sparing: tuple[SparingStateWriter, list[float], Output],
) -> None:
    """A partition without a bookmark is left out, one with a bookmark stays whole."""
    writer, _, output = sparing
    full = {"context": {"repository_uuid": "{1}"}, "replication_key_value": "2026-01-01"}
    bare = {"context": {"repository_uuid": "{2}"}}
    state: dict[str, Any] = {
        "bookmarks": {
            "a": {"partitions": [bare, full]},
            "b": {"partitions": [bare]},
            "c": {"reconciled_at": 5},
        }
    }
    writer.write_state(state)
    assert output.messages[0]["value"] == {
        "bookmarks": {"a": {"partitions": [full]}, "c": {"reconciled_at": 5}}
    }
    assert state["bookmarks"]["a"]["partitions"] == [bare, full], "the run's own state is not cut"
