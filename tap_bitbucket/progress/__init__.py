"""What a person sees while a run goes on: a table on a terminal, else lines in the log."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

from tap_bitbucket.progress.lines import Lines

if TYPE_CHECKING:
    from tap_bitbucket.tap import TapBitbucket

__all__ = ["Lines", "calm", "progress_of"]

_OWN_LOG = ("SINGER_SDK_LOG_CONFIG", "LOGLEVEL", "TAP_BITBUCKET_LOGLEVEL")
"""Who sets one of these wants the log as it is."""


def calm(*, quiet: bool) -> None:
    """Keep what is usual out of the log, for the silent and for those who see a table."""
    if quiet or _is_watched():
        for handler in logging.getLogger().handlers:
            handler.setLevel(logging.WARNING)


def progress_of(tap: TapBitbucket, *, quiet: bool) -> Lines:
    """Return how a run shows its progress."""
    if quiet or not _is_watched():
        return Lines(tap)
    from rich.console import Console  # noqa: PLC0415 - no other run needs it

    from tap_bitbucket.progress.terminal import Terminal  # noqa: PLC0415 - no other run needs it

    return Terminal(tap, Console(stderr=True))


def _is_watched() -> bool:
    """Whether stderr is a terminal, the rows go elsewhere, and nobody configured the log."""
    if not sys.stderr.isatty() or sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return False
    return not any(os.environ.get(name) for name in _OWN_LOG)
