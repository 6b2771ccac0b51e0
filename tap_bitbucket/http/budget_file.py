"""A notice of the rate limit in a small private file, for runs on one machine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from tap_bitbucket.auth.atomic_file import PRIVATE_FILE, Replacement, make_private_directory
from tap_bitbucket.http.shared_budget import Notice, said, understood

_PATIENCE = 2.0
"""Seconds for another run to write the file, which takes it a hundredth of one."""

_LARGEST = 4096
_ELSE = "it holds something else"


class BudgetFile:
    """A file that is replaced when there is something to tell, and read when it was replaced.

    Args:
        path: Its place; its folder is made when there is something to tell.
        clock: The time in seconds since 1970.
    """

    slow = False

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.name = str(path)
        self._path = path
        self._clock = clock
        self._seen: tuple[int, int, int] | None = None

    def look(self) -> Notice | None:
        """Read the file if it is another one than before.

        Raises:
            ValueError: It is something else.
            OSError: It cannot be read.
        """
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        if seen == self._seen:
            return None
        self._seen = seen
        return self._read()

    def tell(self, notice: Notice) -> None:
        """Replace the file.

        Raises:
            OSError: It cannot be replaced.
        """
        make_private_directory(self._path.parent)
        beside = self._path.with_name(f"{self._path.name}.lock")
        with FileLock(beside, timeout=_PATIENCE, poll_interval=0.01, mode=PRIVATE_FILE):
            with suppress(FileNotFoundError, ValueError):
                notice = notice.over(self._read().believable)
            Replacement(self._path).commit(self._text(notice).encode())

    def _text(self, notice: Notice) -> str:
        now = self._clock()
        content = {"paused_until": now + notice.pause, "said_at": now - notice.age}
        return json.dumps({**content, **said(notice.told)})

    def _read(self) -> Notice:
        with self._path.open("rb") as file:
            raw = file.read(_LARGEST)
        now = self._clock()
        try:
            content = json.loads(raw)
            paused_until, said_at = float(content["paused_until"]), float(content["said_at"])
            return Notice(paused_until - now, understood(content), now - said_at)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
            raise ValueError(_ELSE) from None
