"""Keys and addresses: of people, and of places that machines read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_bitbucket.demo.model.places import Project, Repository, User


@dataclass(eq=False, slots=True)
class EmailAddress:
    """An address of somebody."""

    address: str
    is_primary: bool = False
    is_confirmed: bool = True


@dataclass(eq=False, slots=True)
class SshKey:
    """A public key that somebody signs in to git with."""

    uuid: str
    owner: User
    key: str
    label: str
    comment: str
    created_on: datetime
    last_used: datetime | None = None
    expires_on: datetime | None = None

    @property
    def name(self) -> str:
        """The uuid without its braces, as paths have it."""
        return self.uuid.strip("{}")


@dataclass(eq=False, slots=True)
class GpgKey:
    """A public key that somebody signs commits with."""

    owner: User
    fingerprint: str
    name: str
    key: str
    created_on: datetime
    added_on: datetime
    last_used: datetime | None = None
    expires_on: datetime | None = None
    parent: str | None = None
    subkeys: list[GpgKey] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class DeployKey:
    """A public key with which a machine reads a repository, or all of a project."""

    id: int
    place: Repository | Project
    key: str
    label: str
    comment: str
    owner: User | None
    created_on: datetime
    last_used: datetime | None = None
