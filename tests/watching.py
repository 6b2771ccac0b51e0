"""Runs that somebody watches: stderr is a terminal of some size."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyte

from tests.support import PROJECT

END = 90.0
"""Seconds after which a run that does not end is killed."""


@dataclass
class Watched:
    """What a run showed.

    Attributes:
        sent: All bytes that the terminal got.
        screen: What stands on it at the end, scrolled lines included.
        frames: What stood on it in between.
        out: What went to stdout.
    """

    code: int
    sent: bytes
    screen: list[str]
    frames: list[list[str]] = field(default_factory=list)
    out: bytes = b""

    @property
    def text(self) -> str:
        """Return what stands on the screen at the end."""
        return "\n".join(self.screen)


def watch(
    line: Sequence[str],
    folder: Path,
    *,
    columns: int = 80,
    lines: int = 24,
    environment: Mapping[str, str] | None = None,
    once_shown: Callable[[subprocess.Popen[bytes]], object] | None = None,
) -> Watched:
    """Run a command line before somebody's eyes.

    Args:
        line: The command line.
        folder: Takes what goes to stdout.
        columns: Of the terminal.
        lines: Of the terminal.
        environment: Variables beside those of the test.
        once_shown: Called when a table stands on the screen for the first time.
    """
    screen = pyte.HistoryScreen(columns, lines, history=10_000)
    stream = pyte.ByteStream(screen)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    # pytest-xdist tells its workers of a terminal of its own.
    apart = {"NO_COLOR", "CI", "LINES", "COLUMNS"}
    plain = {name: value for name, value in os.environ.items() if name not in apart}
    env = {**plain, "PYTHONPATH": str(PROJECT), "TERM": "xterm-256color", **(environment or {})}
    out = folder / "rows"
    sent, frames = b"", []
    with out.open("wb") as rows:
        run = subprocess.Popen(line, stdout=rows, stderr=theirs, stdin=theirs, cwd=folder, env=env)
    os.close(theirs)
    ends = time.monotonic() + END
    try:
        while True:
            if time.monotonic() > ends:
                run.send_signal(signal.SIGKILL)
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                data = os.read(ours, 65_536)
            except OSError:  # the other end is closed: the run is over
                break
            if not data:
                break
            sent += data
            stream.feed(data)
            frames.append(list(screen.display))
            if once_shown is not None and "requests" in "\n".join(screen.display):
                once_shown(run)
                once_shown = None
        code = run.wait(10)
    finally:
        os.close(ours)
    above = ["".join(line[x].data for x in range(columns)) for line in screen.history.top]
    return Watched(code, sent, [*above, *screen.display], frames, out.read_bytes())
