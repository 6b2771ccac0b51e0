"""Commits, refs and build statuses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_bitbucket.demo.model.places import User


@dataclass(eq=False, slots=True)
class FileChange:
    """One file of a commit."""

    path: str
    status: str
    added: int
    removed: int
    old_path: str | None = None


@dataclass(eq=False, slots=True)
class Commit:
    """A commit; `sequence` grows with every commit made, so it orders topologically."""

    hash: str
    sequence: int
    date: datetime
    author: str
    user: User | None
    message: str
    parents: tuple[str, ...]
    files: tuple[FileChange, ...]


@dataclass(eq=False, slots=True)
class Ref:
    """A branch or a tag, as it is listed."""

    name: str
    target: Commit
    kind: str
    message: str | None = None
    tagger: str | None = None
    user: User | None = None
    date: datetime | None = None


@dataclass(eq=False, slots=True)
class Status:
    """A build status of a commit."""

    commit: str
    key: str
    state: str
    name: str
    description: str
    url: str
    refname: str | None
    created_on: datetime
    updated_on: datetime
    uuid: str
