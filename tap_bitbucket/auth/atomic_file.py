"""Replacing a small secret file so that a crash at any moment leaves the old one or the new one."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700
READABLE_BY_OTHERS = 0o044


class Replacement:
    """The next content of a file: room is made for it first, it is put in place last.

    One writer at a time: the caller holds a lock.
    """

    def __init__(self, path: Path, mode: int = PRIVATE_FILE) -> None:
        """Prepare to replace `path` (which is no link) by a file with this mode."""
        self._path = path
        self._mode = mode
        self._beside = path.with_name(f".{path.name}.new")
        self._file: IO[bytes] | None = None

    def reserve(self, size: int) -> None:
        """Make sure that `size` bytes can be written, by writing as many.

        Raises:
            OSError: They cannot.
        """
        self.discard()
        # A new file each time: never through a link, nor with the mode, that somebody left there.
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._file = os.fdopen(os.open(self._beside, flags, PRIVATE_FILE), "r+b")
        try:
            self._file.write(os.urandom(size))  # zeros would be a hole on some file systems
            _to_disk(self._file)
        except OSError:
            self.discard()
            raise

    def commit(self, content: bytes) -> None:
        """Put the content in the file's place, on disk before and after the rename.

        Raises:
            OSError: The file is as it was before.
        """
        if self._file is None:
            self.reserve(len(content))
        assert self._file is not None  # noqa: S101 - for the type checker
        try:
            self._file.seek(0)
            self._file.write(content)
            self._file.truncate()
            self._keep_owner_and_mode(self._file.fileno())
            _to_disk(self._file)
            self._file.close()
            self._beside.replace(self._path)
        except OSError:
            self.discard()
            raise
        self._file = None
        directory_to_disk(self._path.parent)

    def discard(self) -> None:
        """Leave nothing behind."""
        if self._file is not None:
            with suppress(OSError):  # a full disk shows up again when buffers are flushed
                self._file.close()
            self._file = None
        self._beside.unlink(missing_ok=True)

    def _keep_owner_and_mode(self, descriptor: int) -> None:
        if os.name == "nt":
            return
        os.fchmod(descriptor, self._mode)
        with suppress(OSError):  # no file yet, or not ours to give away
            before = self._path.stat()
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, before.st_uid, before.st_gid)


def make_private_directory(path: Path) -> None:
    """Create a directory, and its missing parents, for nobody else's eyes.

    Raises:
        OSError: It cannot be created.
    """
    for directory in [*reversed(path.parents), path]:
        if not directory.exists():
            directory.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)


def others_may_read(status: os.stat_result) -> bool:
    """Tell whether a file's mode lets its group or everybody read it."""
    return os.name != "nt" and bool(status.st_mode & READABLE_BY_OTHERS)


def is_planted(path: Path) -> bool:
    """Tell whether somebody else may have put this path into a folder that all may write to.

    The kernel refuses to follow such links (protected_symlinks), but not to say where they lead.
    """
    path = path.absolute()
    links = [one for one in path.parents if one.is_symlink()]
    return os.name != "nt" and any(_is_from_others(one) for one in (path, *links))


def _is_from_others(path: Path) -> bool:
    try:
        entry, folder = path.lstat(), path.parent.stat()
    except OSError:
        return False
    return bool(folder.st_mode & stat.S_IWOTH) and entry.st_uid not in _trusted(folder)


def _trusted(folder: os.stat_result) -> set[int]:
    """Return whose entries of a folder are followed: the user's own, its owner's and root's."""
    return {os.geteuid(), folder.st_uid, 0}


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def directory_to_disk(path: Path) -> None:
    """Let a directory's new, renamed and removed names outlive a power cut."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems know no such thing
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
