"""The user's own configuration file, as far as a rotating token concerns it."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

from tap_bitbucket.auth.atomic_file import Replacement, others_may_read

KEY = "refresh_token"

logger = logging.getLogger("tap-bitbucket.auth")


class ConfigFile:
    """A JSON file given with --config, a link followed to its target."""

    def __init__(self, path: Path) -> None:
        """Look at the file at `path`."""
        self.path = Path(os.path.realpath(path))
        self._warned = False

    @property
    def is_throwaway(self) -> bool:
        """Whether nothing beside it outlives the run: a pipe, or what Meltano writes per run."""
        folders = list(zip(self.path.parts, self.path.parts[1:], strict=False))
        return (".meltano", "run") in folders or not self.path.is_file()

    def carries_refresh_token(self) -> bool:
        """Tell whether the file itself, not the environment, names a refresh token."""
        try:
            return bool(string_span(self.path.read_bytes().decode(), KEY))
        except (OSError, ValueError):
            return False

    def write_back(self, token: str, is_known: Callable[[str], bool]) -> None:
        """Put the rotated refresh token in the place of the one it came from.

        Everything else in the file stays as it is, byte for byte. A token in the file that is not
        known was put there by somebody meanwhile and stays too. A file that cannot be written is
        a warning, once: the token is safe in the token file.
        """
        try:
            reason = self._try_write_back(token, is_known)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not readable as JSON"
        if reason and not self._warned:
            self._warned = True
            logger.warning("refresh_token in %s was not updated: %s", self.path, reason)

    def _try_write_back(self, token: str, is_known: Callable[[str], bool]) -> str | None:
        status = self.path.stat()
        text = self.path.read_bytes().decode()
        span = string_span(text, KEY)
        if span is None:
            return "it names none"
        present = json.loads(text[span[0] : span[1]])
        if present == token:
            return None
        if not is_known(present):
            return "it holds another one, which is left as it is"
        if others_may_read(status):
            return f"others may read the file; chmod 600 {self.path}"
        changed = text[: span[0]] + json.dumps(token) + text[span[1] :]
        replacement = Replacement(self.path, stat.S_IMODE(status.st_mode))
        try:
            replacement.commit(changed.encode())
        finally:
            replacement.discard()
        return None


def string_span(text: str, key: str) -> tuple[int, int] | None:
    """Find the string that is the value of a top-level key in JSON text.

    Returns:
        Where it begins and ends, quotes included; None when there is no such string in it.

    Raises:
        ValueError: The text is not JSON.
    """
    json.loads(text)
    decode = json.JSONDecoder().raw_decode
    at, span = _past_space(text, 0), None
    if text[at] != "{":
        return None
    while text[at] != "}" and text[at := _past_space(text, at + 1)] != "}":
        name, end = decode(text, at)
        begin = _past_space(text, _past_space(text, end) + 1)
        value, end = decode(text, begin)
        if name == key:  # of two equal keys the last one counts, as in json.loads
            span = (begin, end) if isinstance(value, str) and value else None
        at = _past_space(text, end)
    return span


def _past_space(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at
