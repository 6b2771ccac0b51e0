"""Progress for somebody who watches: a table on stderr that keeps up with the run."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tap_bitbucket.progress.lines import Lines
from tap_bitbucket.summary import Line

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream
    from tap_bitbucket.tap import TapBitbucket

_A_SECOND = 2.0
_BESIDE = 7
"""Lines of the display that are not streams, and two that stay free."""

_BAR = 40
_SHOW_CURSOR = b"\x1b[?25h"


class Terminal(Lines):
    """A table of the streams, where the run is, what it cost so far and how long it may take."""

    def __init__(self, tap: TapBitbucket, console: Console) -> None:
        super().__init__(tap)
        self._console = console
        self._were: dict[str, int] = {}
        self._moved: dict[str, int] = {}
        self._frame = 0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the progress of a run; warnings go above it, the rest of the log nowhere."""
        live = Live(
            self, console=self._console, refresh_per_second=_A_SECOND, transient=True,
            redirect_stdout=False, redirect_stderr=True,
        )  # fmt: skip
        with live, _log_above():
            yield

    def restore(self) -> None:
        """Show the cursor again."""
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _SHOW_CURSOR)

    def begun(self, stream: BitbucketStream) -> None:
        """Say nothing: it is seen."""

    def ended(self, stream: BitbucketStream) -> None:
        """Say nothing: it is seen."""

    def repository(self, name: str) -> None:
        """Note where the run is."""
        self.figures.repository(name)

    def over(self, cut: str | None) -> None:
        """Print what the run did, in one table, and what limit ended it, if one did."""
        self._console.print(_table(self.figures.lines))
        self._console.print(self.figures.totals, highlight=False)
        for sentence in self.tap.summary.reasons():
            self._console.print(Text(sentence, style="yellow"))
        if cut is not None:
            self._console.print(Text(f"Stopped: {cut}."))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render what there is by now, in as many lines as the terminal has."""
        yield self._display(max(1, (options.height or console.height) - _BESIDE), options.max_width)

    def _display(self, most: int, width: int) -> RenderableType:
        figures = self.figures
        lines = figures.lines
        self._frame += 1
        for line in lines:
            if self._were.get(line.stream) != line.rows:
                self._were[line.stream], self._moved[line.stream] = line.rows, self._frame
        parts: list[RenderableType] = [_table(self._latest(lines, most))]
        if len(lines) > most:
            parts.append(Text(f"and {len(lines) - most} streams more", style="dim"))
        if figures.total:
            grid = Table.grid()  # a bar alone does not end its line
            grid.add_row(ProgressBar(figures.total, figures.done, width=min(_BAR, width)))
            parts.append(grid)
        parts.append(_one_line(figures.where(), width))
        parts.append(_one_line(figures.sentence(), width))
        return Group(*parts)

    def _latest(self, lines: list[Line], most: int) -> list[Line]:
        """Return those of the streams that moved last, in the order of reading."""
        if len(lines) <= most:
            return lines
        by_time = sorted(lines, key=lambda line: -self._moved[line.stream])
        shown = {line.stream for line in by_time[:most]}
        return [line for line in lines if line.stream in shown]


def _one_line(sentence: str, width: int) -> Text:
    text = Text(sentence, no_wrap=True, overflow="ellipsis")
    text.truncate(width, overflow="ellipsis")
    return text


def _table(lines: Iterable[Line]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stream", no_wrap=True, min_width=28)
    for name in ("rows", "read", "skipped"):
        table.add_column(name, justify="right", no_wrap=True, min_width=8)
    for line in lines:
        skipped = Text(f"{line.skipped:,}", style="yellow" if line.skipped else "")
        table.add_row(line.stream, f"{line.rows:,}", f"{line.read:,}", skipped)
    return table


@contextmanager
def _log_above() -> Iterator[None]:
    """Let the log be written above the table, and of what is usual only the tap's own sentences."""
    to_stderr = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.__stderr__
    ]
    for handler in to_stderr:
        handler.setStream(sys.stderr)
        handler.addFilter(_worth_a_line)
        handler.setLevel(logging.NOTSET)
    try:
        yield
    finally:
        for handler in to_stderr:
            handler.setStream(sys.__stderr__)
            handler.removeFilter(_worth_a_line)
            handler.setLevel(logging.WARNING)


def _worth_a_line(record: logging.LogRecord) -> bool:
    return record.levelno != logging.INFO or record.name == "tap-bitbucket"
