"""Progress where nobody watches: lines in the log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tap_bitbucket.progress.figures import Figures

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream
    from tap_bitbucket.tap import TapBitbucket

_EVERY = 60.0
"""Seconds between two lines about the repositories."""


class Lines:
    """Says when a stream begins and ends, and once a minute how far the run is."""

    def __init__(self, tap: TapBitbucket) -> None:
        self.tap = tap
        self.figures = Figures(tap)
        self._said = time.monotonic()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the progress of a run."""
        yield

    def restore(self) -> None:
        """Leave the terminal as it was, at once: the process is about to end."""

    def begun(self, stream: BitbucketStream) -> None:
        """Say that a stream begins."""
        mode = stream.replication_method.lower()
        stream.log("Beginning sync of '%s' in %s mode", stream.name, mode)

    def ended(self, stream: BitbucketStream) -> None:
        """Say that a stream has ended."""
        if stream.selected:
            stream.log("Ended sync of '%s', rows: %d", stream.name, stream.written)

    def repositories(self, total: int) -> None:
        """Note that the repositories begin."""
        self.figures.repositories(total)

    def repository(self, name: str) -> None:
        """Say now and then where the run is."""
        self.figures.repository(name)
        if time.monotonic() - self._said > _EVERY:
            self._said = time.monotonic()
            self.tap.logger.info("%s. %s", self.figures.where(), self.figures.sentence())

    def repository_done(self, *, skipped: bool) -> None:
        """Note that a repository is done, or was by an earlier run."""
        self.figures.repository_done(skipped=skipped)

    def over(self, cut: str | None) -> None:
        """Show what the run did, in one table, and what limit ended it, if one did."""
        if cut is not None:
            self.tap.logger.info("Stopped: %s.", cut)
        table = self.tap.summary.table(self.figures.lines, self.figures.totals)
        self.tap.logger.info("%s", "Summary\n" + table)
