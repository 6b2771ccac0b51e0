"""Where tokens are kept between runs and shared by processes: a locked, private file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from tap_bitbucket.auth.atomic_file import (
    PRIVATE_FILE,
    Replacement,
    make_private_directory,
    others_may_read,
)
from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.tokens import StoredTokens

LOCK_PATIENCE = 420.0
"""Seconds to wait for another process: longer than the longest refresh."""

ELSEWHERE = "set token_file to a place that can be written and that outlives the run"


class TokenStore(Protocol):
    """Keeps tokens between runs, for one process at a time."""

    @property
    def place(self) -> str:
        """Where that is, for messages."""

    def load(self) -> StoredTokens | None:
        """Read what is kept; needs no lock."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep all others out, in this process and in any other."""

    def reserve(self, size: int) -> None:
        """Fail now, while nothing is at stake, rather than at `save`; within the lock."""

    def save(self, tokens: StoredTokens) -> None:
        """Keep these; on return they outlive a power cut. Within the lock."""


class TokenFile:
    """A token store in one file, a lock file beside it."""

    def __init__(self, path: Path) -> None:
        """Keep tokens in `path`; a link stays a link, its target is what is replaced."""
        self._path = Path(os.path.realpath(path.expanduser()))
        self._next = Replacement(self._path)

    @property
    def place(self) -> str:
        """The path."""
        return str(self._path)

    def load(self) -> StoredTokens | None:
        """Read the file; None when there is none, or an empty one.

        Raises:
            AuthenticationError: It cannot be read, others may read it, or it is something else.
        """
        try:
            with self._path.open(encoding="utf-8") as file:
                exposed = others_may_read(os.fstat(file.fileno()))
                text = file.read()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            text, exposed = "?", False
        except OSError as error:
            message = f"Cannot read token_file {self._path} ({error.strerror}): {ELSEWHERE}"
            raise AuthenticationError(message) from None
        if exposed:
            message = (
                f"Others may read token_file {self._path}, so no token is written to it:"
                f" chmod 600 {self._path}"
            )
            raise AuthenticationError(message)
        if not text.strip():
            return None
        try:
            return StoredTokens.from_json(text)
        except ValueError as error:
            message = (
                f"token_file {self._path} is {error}: name another one, or move it away to begin"
                " again with refresh_token"
            )
            raise AuthenticationError(message) from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock file, `<name>.lock`.

        Raises:
            AuthenticationError: There can be no lock there, or another process will not let go.
        """
        lock = FileLock(self._path.with_name(f"{self._path.name}.lock"), mode=PRIVATE_FILE)
        try:
            make_private_directory(self._path.parent)
            lock.acquire(timeout=LOCK_PATIENCE)
        except Timeout:
            message = (
                f"Another process has held {lock.lock_file} for {LOCK_PATIENCE / 60:.0f} minutes:"
                " end it and run again"
            )
            raise AuthenticationError(message) from None
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            yield
        finally:
            with suppress(OSError):
                self._next.discard()
            lock.release()

    def reserve(self, size: int) -> None:
        """Write a file of this size beside the token file.

        Raises:
            AuthenticationError: It cannot be written; the token file is untouched.
        """
        try:
            self._next.reserve(size)
        except OSError as error:
            raise self._unwritable(error) from None

    def save(self, tokens: StoredTokens) -> None:
        """Replace the file, with mode 0600.

        Raises:
            AuthenticationError: It could not be replaced and is as before.
        """
        try:
            self._next.commit(tokens.to_json().encode())
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> AuthenticationError:
        return AuthenticationError(
            f"Cannot write token_file {self._path} ({error.strerror or error}): {ELSEWHERE}"
        )
