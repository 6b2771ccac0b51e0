"""The user's own configuration file, as far as a rotating token concerns it."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock

from tap_bitbucket.auth.atomic_file import PRIVATE_FILE, Replacement, others_may_read

Position = tuple[str | int, ...]
"""Where a value is in a document: keys of objects and numbers in lists, from the outside in."""

PATIENCE = 60.0
"""Seconds to wait for others who write to the file; each takes milliseconds."""

_OPENING, _CLOSING = ("{", "["), ("}", "]")

logger = logging.getLogger("tap-bitbucket.auth")


class ConfigFile:
    """A JSON file given with --config, a link followed to its target."""

    def __init__(self, path: Path, position: Position = ("refresh_token",)) -> None:
        """Look at the file at `path`, and at the refresh token at a position in it."""
        self.path = Path(os.path.realpath(path))
        self._position = position
        self._warned = False

    @property
    def is_throwaway(self) -> bool:
        """Whether nothing beside it outlives the run: a pipe, or what Meltano writes per run."""
        folders = list(zip(self.path.parts, self.path.parts[1:], strict=False))
        return (".meltano", "run") in folders or not self.path.is_file()

    def carries_refresh_token(self) -> bool:
        """Tell whether the file itself, not the environment, names a refresh token."""
        try:
            return bool(string_span(self.path.read_bytes().decode(), self._position))
        except (OSError, ValueError):
            return False

    def write_back(self, token: str, is_known: Callable[[str], bool]) -> None:
        """Put the rotated refresh token in the place of the one it came from.

        Everything else in the file stays as it is, byte for byte. A token in the file that is not
        known was put there by somebody meanwhile and stays too. A file that cannot be written is
        a warning, once: the token is safe in the token file.
        """
        try:
            with self._alone():
                reason = self._try_write_back(token, is_known)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not readable as JSON"
        if reason and not self._warned:
            self._warned = True
            logger.warning("refresh_token in %s was not updated: %s", self.path, reason)

    def forget(self) -> None:
        """Empty the refresh token, leaving everything else as it is.

        Raises:
            OSError: The file cannot be written.
            ValueError: It is not JSON.
        """
        with self._alone():
            text = self.path.read_bytes().decode()
            span = string_span(text, self._position)
            if span is not None:
                self._replace(text, span, "", stat.S_IMODE(self.path.stat().st_mode))

    def _alone(self) -> AbstractContextManager[object]:
        """Keep others out where several credentials write to one file.

        A single one is written back within the lock of its token file.
        """
        if len(self._position) == 1:
            return nullcontext()
        lock = self.path.with_name(f"{self.path.name}.lock")
        return FileLock(lock, mode=PRIVATE_FILE, timeout=PATIENCE)

    def _try_write_back(self, token: str, is_known: Callable[[str], bool]) -> str | None:
        status = self.path.stat()
        text = self.path.read_bytes().decode()
        span = string_span(text, self._position)
        if span is None:
            return "it names none"
        present = json.loads(text[span[0] : span[1]])
        if present == token:
            return None
        if not is_known(present):
            return "it holds another one, which is left as it is"
        if others_may_read(status):
            return f"others may read the file; chmod 600 {self.path}"
        self._replace(text, span, token, stat.S_IMODE(status.st_mode))
        return None

    def _replace(self, text: str, span: tuple[int, int], token: str, mode: int) -> None:
        changed = text[: span[0]] + json.dumps(token) + text[span[1] :]
        replacement = Replacement(self.path, mode)
        try:
            replacement.commit(changed.encode())
        finally:
            replacement.discard()


def string_span(text: str, position: Position) -> tuple[int, int] | None:
    """Find the string at a position in JSON text.

    Returns:
        Where it begins and ends, quotes included; None when there is no such string in it.

    Raises:
        ValueError: The text is not JSON.
    """
    json.loads(text)
    span: tuple[int, int] | None = (_past_space(text, 0), len(text))
    for key in position:
        if span is None:
            return None
        span = _member(text, span[0], key)
    if span is None:
        return None
    value = json.loads(text[span[0] : span[1]])
    return span if isinstance(value, str) and value else None


def _member(text: str, at: int, key: str | int) -> tuple[int, int] | None:
    """Return where the member of an object or list that begins at `at` begins and ends."""
    if text[at] != _OPENING[isinstance(key, int)]:
        return None
    closing = _CLOSING[isinstance(key, int)]
    decode = json.JSONDecoder().raw_decode
    number, span = 0, None
    while text[at] != closing and text[at := _past_space(text, at + 1)] != closing:
        name: Any = number
        if isinstance(key, str):
            name, end = decode(text, at)
            at = _past_space(text, _past_space(text, end) + 1)
        _, end = decode(text, at)
        if name == key:  # of two equal keys the last one counts, as in json.loads
            span = (at, end)
        number += 1
        at = _past_space(text, end)
    return span


def _past_space(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at
