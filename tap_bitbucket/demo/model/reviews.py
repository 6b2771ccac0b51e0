"""Pull requests and what people say about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tap_bitbucket.demo.model.places import Repository, User

Json = dict[str, Any]


@dataclass(eq=False, slots=True)
class Participant:
    """What somebody did with a pull request."""

    user: User
    role: str
    approved: bool = False
    state: str | None = None
    participated_on: datetime | None = None


@dataclass(eq=False, slots=True)
class Comment:
    """A comment on a pull request or on a commit."""

    id: int
    user: User
    raw: str
    created_on: datetime
    updated_on: datetime
    pull_request: PullRequest | None = None
    commit: str | None = None
    parent: int | None = None
    inline: Json | None = None
    pending: bool = False
    deleted: bool = False
    resolved_by: User | None = None
    resolved_on: datetime | None = None


@dataclass(eq=False, slots=True)
class Task:
    """A task of a pull request."""

    id: int
    pull_request: PullRequest
    creator: User
    raw: str
    created_on: datetime
    updated_on: datetime
    state: str = "UNRESOLVED"
    comment: int | None = None
    pending: bool = False
    resolved_by: User | None = None
    resolved_on: datetime | None = None


@dataclass(eq=False, slots=True)
class Activity:
    """One entry of a pull request's activity; it has no id, as in Bitbucket."""

    kind: str
    date: datetime
    pull_request: PullRequest
    user: User
    comment: Comment | None = None
    snapshot: Json = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class PullRequest:
    """A pull request, kept by the repository it goes to."""

    id: int
    repository: Repository
    title: str
    description: str
    author: User
    source_repository: Repository | None
    source_branch: str
    source_hash: str
    destination_branch: str
    destination_hash: str
    created_on: datetime
    updated_on: datetime
    state: str = "OPEN"
    draft: bool = False
    queued: bool = False
    close_source_branch: bool = False
    reason: str = ""
    author_forgotten: bool = False
    closed_by: User | None = None
    merge_hash: str | None = None
    reviewers: list[User] = field(default_factory=list)
    participants: dict[str, Participant] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    activity: list[Activity] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)

    @property
    def known_author(self) -> User | None:
        """Who opened it, unless that is forgotten."""
        return None if self.author_forgotten else self.author

    @property
    def comment_count(self) -> int:
        """Count what is published and not deleted."""
        return sum(not (comment.deleted or comment.pending) for comment in self.comments)

    @property
    def task_count(self) -> int:
        """Count what is published."""
        return sum(not task.pending for task in self.tasks)
