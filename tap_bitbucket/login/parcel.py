"""Tokens on the way to another machine: an encrypted file, and the key it was locked with."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tap_bitbucket.auth.atomic_file import (
    PRIVATE_FILE,
    Replacement,
    is_planted,
    others_may_read,
)
from tap_bitbucket.auth.encryption import TokenCipher, new_key
from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.tokens import StoredTokens

VERSION = 1
_KIND = "tap-bitbucket parcel"
_SETTING = "the setting token_encryption_key"


@dataclass(frozen=True)
class Key:
    """A key for parcels.

    Attributes:
        value: The key itself.
        source: Where it is, for people.
        file: The file it is in; None for the setting.
        is_new: Whether it has yet to be written there.
    """

    value: str = field(repr=False)
    source: str
    file: Path | None = None
    is_new: bool = False

    @property
    def cipher(self) -> TokenCipher:
        """What encrypts with it.

        Raises:
            AuthenticationError: It is no key.
        """
        try:
            return TokenCipher(self.value)
        except AuthenticationError:
            message = (
                f"There is no key in {self.source}: give a file that `tap-bitbucket auth export`"
                " wrote with --key-file, or a key as `tap-bitbucket auth key --show-secret` makes"
                " one"
            )
            raise AuthenticationError(message) from None


def key_to_seal(parcel: Path, key_file: Path | None, setting: str | None) -> Key:
    """Return the key to lock a parcel with: the file's, else the setting's, else a new one.

    Raises:
        AuthenticationError: The file cannot be read, or holds no key.
    """
    if key_file is None and setting:
        return Key(setting, _SETTING)
    file = key_file or beside(parcel)
    # A key that an earlier parcel left is not used again: only a file that was named is.
    if key_file is not None and file.exists():
        return _read_key(file)
    return Key(new_key(), str(file), file, is_new=True)


def key_to_open(parcel: Path, key_file: Path | None, setting: str | None) -> Key:
    """Return the key to open a parcel with: the file's, the one beside it, or the setting's.

    Raises:
        AuthenticationError: There is none.
    """
    if key_file is not None:
        return _read_key(key_file)
    if beside(parcel).exists():
        return _read_key(beside(parcel))
    if setting:
        return Key(setting, _SETTING)
    message = (
        f"There is no key for {parcel}: give the file that `tap-bitbucket auth export` named with"
        f" --key-file, put it at {beside(parcel)}, or set token_encryption_key to the exporter's"
    )
    raise AuthenticationError(message)


def seal(tokens: StoredTokens, parcel: Path, key: Key, *, force: bool) -> None:
    """Write tokens to an encrypted file, and the key to its own if it is a new one.

    Args:
        tokens: What to write.
        parcel: Where; on return it outlives a power cut.
        key: What to lock it with.
        force: Whether existing files may be replaced.

    Raises:
        AuthenticationError: A file exists or cannot be written; then neither is there.
    """
    content = {"kind": _KIND, "version": VERSION, "tokens": json.loads(tokens.to_json())}
    text = key.cipher.encrypt(json.dumps(content))
    if not force:
        for path in (parcel, *([key.file] if key.is_new and key.file else [])):
            _refuse_existing(path)
    if key.is_new and key.file is not None:
        _write(key.file, f"{key.value}\n", force=force)
    try:
        _write(parcel, text, force=force)
    except AuthenticationError:
        if key.is_new and key.file is not None:
            key.file.unlink(missing_ok=True)
        raise


def again(key: Key) -> Key:
    """Return a key that was written, to lock another parcel with."""
    return replace(key, is_new=False)


def opened(parcel: Path, key: Key) -> StoredTokens:
    """Return the tokens in a parcel.

    Raises:
        AuthenticationError: It is none, or was locked with another key.
    """
    text = _read(parcel, "the parcel")
    if not _is_encrypted(text):
        raise _no_parcel(parcel)
    cipher = key.cipher
    try:
        inside = cipher.decrypt(text, str(parcel))
    except AuthenticationError:
        message = (
            f"The key in {key.source} does not open {parcel}: give the one that it was exported"
            " with by --key-file; if the file was changed on its way, export it again"
        )
        raise AuthenticationError(message) from None
    try:
        content: dict[str, Any] = json.loads(inside)
        if content["kind"] != _KIND or content["version"] != VERSION:
            raise _no_parcel(parcel)
        return StoredTokens.from_json(json.dumps(content["tokens"]))
    except (ValueError, KeyError, TypeError):
        raise _no_parcel(parcel) from None


def beside(parcel: Path) -> Path:
    """Return where the key of a parcel is looked for."""
    return parcel.with_name(f"{parcel.name}.key")


def exposed(*files: Path | None) -> list[Path]:
    """Return which of these files others may read."""
    return [file for file in files if file and file.exists() and others_may_read(file.stat())]


def _read_key(file: Path) -> Key:
    return Key(_read(file, "the key file").strip(), str(file), file)


def _read(file: Path, what: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""
    except OSError as error:
        message = f"Cannot read {what} {file} ({error.strerror or error}): give its right name"
        raise AuthenticationError(message) from None


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        message = f"{path} exists and is not replaced: give another name, or add --force"
        raise AuthenticationError(message)


def _write(path: Path, text: str, *, force: bool) -> None:
    """Write a file for its owner's eyes only, to the disk.

    Raises:
        AuthenticationError: It cannot be written, or leads to where somebody else wants it.
    """
    if is_planted(path):
        message = f"{path} was put there by somebody else: give a place that is yours"
        raise AuthenticationError(message)
    target = Path(os.path.realpath(path))
    replacement = Replacement(target, PRIVATE_FILE)
    taken = False
    try:
        if not force:
            # Nobody else's file can come between the look and the replacement.
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
            taken = True
        replacement.commit(text.encode())
    except OSError as error:
        with suppress(OSError):  # where nothing can be written, nothing is left
            replacement.discard()
        if taken:
            target.unlink(missing_ok=True)
        message = (
            f"Cannot write {path} ({error.strerror or error}): give a place that can be written"
        )
        raise AuthenticationError(message) from None


def _is_encrypted(text: str) -> bool:
    try:
        content = json.loads(text)
    except ValueError:
        return False
    return isinstance(content, dict) and isinstance(content.get("encrypted"), str)


def _no_parcel(parcel: Path) -> AuthenticationError:
    return AuthenticationError(
        f"{parcel} is no file that `tap-bitbucket auth export` of this version wrote: export it"
        " again"
    )
