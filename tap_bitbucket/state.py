"""Bookmarks: reading them from a given state, writing them to the next one.

The state has Singer's usual form: ``{"bookmarks": {stream: {"partitions": [{"context": {…},
"replication_key": …, "replication_key_value": …, …}]}}}``. What a strategy needs beyond the
cursor (heads of branches, unfinished pipelines) stands beside it in the partition.
"""

from __future__ import annotations

import copy
import functools
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
from singer_sdk.helpers._state import StateWriter
from singer_sdk.singerlib import StateMessage
from singer_sdk.streams._state import StreamStateManager

State = dict[str, Any]

SECONDS_BETWEEN_STATES = 10.0
"""A target saves a STATE only when all rows before it are stored: more of them are waste."""

_LEAP = re.compile(r"(.*\d[T ]\d\d:59):60(.*)", re.DOTALL)


def moment(value: str | None) -> datetime | None:
    """Parse an ISO 8601 time; without a zone it is UTC, nanoseconds are cut.

    Raises:
        ValueError: If it is no time.
    """
    return _moment(value) if value else None


@functools.lru_cache(maxsize=1024)
def _moment(value: str) -> datetime:
    text = value.strip().replace("Z", "+00:00").replace("z", "+00:00")
    # A leap second, which no clock of Python's has, is the moment after the second before it.
    leap = _LEAP.match(text)
    if leap:
        text = f"{leap[1]}:59{leap[2]}"
    head, dot, tail = text.partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        text = f"{head}.{tail[:digits][:6].ljust(6, '0')}{tail[digits:]}"
    parsed = datetime.fromisoformat(text) + timedelta(seconds=1 if leap else 0)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)


def iso(value: datetime) -> str:
    """Format a time as Bitbucket's core API does: microseconds, ``+00:00``."""
    try:
        utc = value.astimezone(timezone.utc)
    except OverflowError:
        # At either end of time the zone does not matter.
        utc = value.replace(tzinfo=timezone.utc)
    return utc.isoformat(timespec="microseconds")


def earlier(value: str | None, seconds: float) -> str | None:
    """Return a time moved back; None, which is the beginning, if there is no such time."""
    try:
        parsed = moment(value)
        return None if parsed is None else iso(parsed - timedelta(seconds=seconds))
    except (OverflowError, ValueError):
        return None


def at_or_after(value: str | None, floor: str | None) -> bool:
    """Whether ``value`` is not before ``floor``; no floor lets everything through."""
    try:
        limit = moment(floor)
        if limit is None:
            return True
        parsed = moment(value)
    except ValueError:
        return True
    return parsed is not None and parsed >= limit


def is_at(value: str | None, latest: float) -> bool:
    """Whether a text is a moment, and one that had come at a moment (epoch seconds)."""
    try:
        parsed = moment(value)
    except ValueError:
        return False
    return parsed is not None and parsed.timestamp() <= latest


def _partition_key(context: Mapping[str, Any] | None) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((context or {}).items()))


class Bookmarks:
    """The state that a run was given, unchanged while the run writes its own.

    Readers run ahead of the writer in other threads, so they must not look at a state that moves.
    """

    def __init__(self, state: State) -> None:
        self._partitions: dict[tuple[str, Any], State] = {}
        for stream, bookmark in copy.deepcopy(state.get("bookmarks", {})).items():
            self._partitions[stream, ()] = bookmark
            for partition in bookmark.get("partitions", []):
                self._partitions[stream, _partition_key(partition["context"])] = partition

    def of(self, stream: str, context: Mapping[str, Any] | None) -> State:
        """Return what is known about a partition, an empty object if nothing."""
        return self._partitions.get((stream, _partition_key(context)), {})


class IndexedStateManager(StreamStateManager):
    """Finds a partition's state without scanning all of them for every record."""

    _index: dict[tuple[tuple[str, Any], ...], State] | None = None

    def get_context_state(self, context: Mapping[str, Any] | None) -> State:
        """Return the writable state of a partition, creating it."""
        if not context:
            return self.stream_state
        partitions = self.stream_state.setdefault("partitions", [])
        if self._index is None:
            self._index = {_partition_key(entry["context"]): entry for entry in partitions}
        key = _partition_key(context)
        if key not in self._index:
            self._index[key] = {"context": dict(context)}
            partitions.append(self._index[key])
        return self._index[key]


_SHARE = 80
"""How many times as much as all STATEs must have been written before there is one in between."""

_LONGEST = 300.0
"""Seconds after which a STATE is due however little was written."""


class SparingStateWriter(StateWriter):
    """Writes a STATE at most every ten seconds, small beside the rows, and one at the end.

    With thousands of repositories a STATE has megabytes.

    Attributes:
        resume: Returns what stands beside the bookmarks; see ``resumption``.
    """

    _next = _latest = 0.0
    _size = _written = _all = 0
    _last: int | None = None
    resume: Callable[[], State | None] = staticmethod(lambda: None)

    def write_state(self, state: Any) -> None:
        """Write the state if it is time to."""
        now = time.monotonic()
        written = getattr(self._message_writer, "written", 0)
        # A state grows with what is written.
        next_size = self._size * written / max(1, self._written)
        enough = (self._all + next_size) * _SHARE <= written
        if now < self._next or not (enough or now >= self._latest):
            return
        self._next, self._latest = now + SECONDS_BETWEEN_STATES, now + _LONGEST
        resume = self.resume()
        whole = _slim(state) if resume is None else {**_slim(state), "resume": resume}
        told = hash(msgspec.json.encode(whole))  # a copy of it would cost ten times its size
        if told == self._last:
            return
        self._last = told
        self._message_writer.write_message(StateMessage(value=whole))
        self._written = getattr(self._message_writer, "written", 0)
        self._size = self._written - written
        self._all += self._size

    def write_last(self, state: Any) -> None:
        """Write the state as the run's last message, also if the one before was the same."""
        self._next = self._latest = 0.0
        self._last = None
        self.write_state(state)


def _slim(state: State) -> State:
    """Return the state without partitions that say nothing, which the SDK makes for each."""
    slim: State = {}
    for stream, bookmark in state.get("bookmarks", {}).items():
        partitions = [entry for entry in bookmark.get("partitions", []) if len(entry) > 1]
        kept = {key: value for key, value in bookmark.items() if key != "partitions"}
        if partitions or kept:
            slim[stream] = {**kept, "partitions": partitions} if partitions else kept
    return {**state, "bookmarks": slim}
