"""Where tokens are kept between runs and shared by processes: a locked, private file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from tap_bitbucket.auth.atomic_file import (
    PRIVATE_FILE,
    Replacement,
    directory_to_disk,
    is_planted,
    make_private_directory,
    others_may_read,
)
from tap_bitbucket.auth.encryption import TokenCipher, decrypted, encrypted
from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.token_store import LOCK_PATIENCE
from tap_bitbucket.auth.tokens import StoredTokens

ELSEWHERE = "set token_file to a place that can be written and that outlives the run"


class TokenFile:
    """A token store in one file, a lock file beside it."""

    def __init__(self, path: Path, cipher: TokenCipher | None = None) -> None:
        """Keep tokens in `path`; a link stays a link, its target is what is replaced."""
        self._named = path.expanduser()
        self._path = Path(os.path.realpath(self._named))
        self._cipher = cipher
        self._next = Replacement(self._path)

    @property
    def place(self) -> str:
        """The path."""
        return str(self._path)

    def load(self) -> StoredTokens | None:
        """Read the file; None when there is none, or an empty one.

        Raises:
            AuthenticationError: It cannot be read or decrypted, others may read it, or it is
                something else.
        """
        self._refuse_planted()
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
        text = decrypted(text, f"token_file {self._path}", self._cipher)
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
        self._refuse_planted()
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
        """Write a file as big as tokens of this size take, beside the token file.

        Raises:
            AuthenticationError: It cannot be written; the token file is untouched.
        """
        try:
            self._next.reserve(len(encrypted("?" * size, self._cipher)))
        except OSError as error:
            raise self._unwritable(error) from None

    def save(self, tokens: StoredTokens) -> None:
        """Replace the file, with mode 0600.

        Raises:
            AuthenticationError: It could not be replaced and is as before.
        """
        try:
            self._next.commit(encrypted(tokens.to_json(), self._cipher).encode())
        except OSError as error:
            raise self._unwritable(error) from None

    def forget(self) -> None:
        """Delete the file; its lock file stays, for others may be waiting for it.

        Raises:
            AuthenticationError: It cannot be deleted.
        """
        try:
            self._path.unlink(missing_ok=True)
            directory_to_disk(self._path.parent)
        except OSError as error:
            raise self._unwritable(error) from None

    def _refuse_planted(self) -> None:
        if is_planted(self._named):
            message = (
                f"token_file {self._named} was put there by somebody else, in a folder that all may"
                " write to: name a place that is yours"
            )
            raise AuthenticationError(message)

    def _unwritable(self, error: OSError) -> AuthenticationError:
        return AuthenticationError(
            f"Cannot write token_file {self._path} ({error.strerror or error}): {ELSEWHERE}"
        )
