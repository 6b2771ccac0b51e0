"""Snippets: small git repositories of a workspace."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_bitbucket.demo.model.git import Commit
    from tap_bitbucket.demo.model.places import User, Workspace


@dataclass(eq=False, slots=True)
class SnippetComment:
    """A comment on a snippet."""

    id: int
    user: User
    raw: str
    created_on: datetime
    updated_on: datetime
    parent: int | None = None
    deleted: bool = False


@dataclass(eq=False, slots=True)
class Snippet:
    """A snippet; its id is a word, whatever the documents say."""

    id: str
    workspace: Workspace
    title: str
    creator: User | None
    created_on: datetime
    updated_on: datetime
    is_private: bool = True
    files: list[str] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    comments: list[SnippetComment] = field(default_factory=list)
