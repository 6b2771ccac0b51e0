"""Singer messages on stdout: whole lines, few writes."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from singer_sdk.contrib.msgspec import enc_hook
from singer_sdk.singerlib import StateMessage
from singer_sdk.singerlib.encoding.base import GenericSingerWriter

_FULL = 256 * 1024


class LineWriter(GenericSingerWriter[bytes, Any]):
    """Collects lines while ``buffering``, and writes them at 256 KiB, at a STATE and at the end.

    Attributes:
        buffering: Whether lines may wait.
        broken: Whether writing failed; nothing is written any more.
        written: Bytes so far.
    """

    def __init__(self) -> None:
        self.buffering = False
        self.broken = False
        self.written = 0
        self._encoder = msgspec.json.Encoder(enc_hook=enc_hook)
        self._lines = bytearray()

    def serialize_message(self, message: Any) -> bytes:
        """Return a message as a line."""
        return self._encoder.encode(message.to_dict()) + b"\n"

    def write_message(self, message: Any) -> None:
        """Write a message, or keep it for a moment."""
        line = self.serialize_message(message)
        self._lines += line
        self.written += len(line)
        if not self.buffering or len(self._lines) >= _FULL or isinstance(message, StateMessage):
            self.flush()

    def flush(self) -> None:
        """Write what was collected.

        A raw stdout (``PYTHONUNBUFFERED``) may take less than it was given, for one after a
        signal, without an error: so the rest is written until there is none.
        """
        if self.broken or not self._lines:
            return
        lines, self._lines = self._lines, bytearray()
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[sys.stdout.buffer.write(rest) :]
            sys.stdout.buffer.flush()
        except OSError:
            # What did not get out is lost: no later STATE may speak for it.
            self.broken = True
            raise
