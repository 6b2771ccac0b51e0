"""What is set up in workspaces, projects and repositories."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_bitbucket.demo.model.places import User, Workspace


@dataclass(eq=False, slots=True)
class Variable:
    """A pipeline variable, of a workspace, a repository or an environment."""

    uuid: str
    key: str
    value: str
    secured: bool


@dataclass(eq=False, slots=True)
class Hook:
    """A webhook."""

    uuid: str
    url: str
    description: str
    events: list[str]
    created_on: datetime
    active: bool = True
    secret: str | None = None
    source: str | None = None
    read_only: bool | None = None


@dataclass(eq=False, slots=True)
class Group:
    """A group of people of a workspace."""

    workspace: Workspace
    slug: str
    name: str


@dataclass(eq=False, slots=True)
class Restriction:
    """A branch restriction: for a `pattern`, or for a `branch_type` of the branching model."""

    id: int
    kind: str
    pattern: str
    value: int | None = None
    users: list[User] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    branch_type: str | None = None


@dataclass(eq=False, slots=True)
class ModelBranch:
    """The development or the production branch of a branching model."""

    name: str | None = None
    use_mainbranch: bool = False
    enabled: bool = True
    is_valid: bool | None = True


@dataclass(eq=False, slots=True)
class BranchType:
    """A kind of branch that is told by its prefix."""

    kind: str
    prefix: str
    enabled: bool = True


def branch_types() -> list[BranchType]:
    """Make the kinds of branch that there are at first."""
    return [BranchType(kind, f"{kind}/") for kind in ("feature", "bugfix", "release", "hotfix")]


@dataclass(eq=False, slots=True)
class BranchingModel:
    """Which branch is developed on, which one is in production, how the others are called."""

    development: ModelBranch = field(default_factory=lambda: ModelBranch(use_mainbranch=True))
    production: ModelBranch = field(default_factory=lambda: ModelBranch(enabled=False))
    branch_types: list[BranchType] = field(default_factory=branch_types)
    default_branch_deletion: bool = False


@dataclass(eq=False, slots=True)
class Download:
    """A file that was put up for download."""

    name: str
    size: int
    user: User | None
    created_on: datetime
    downloads: int = 0


@dataclass(eq=False, slots=True)
class TreeFile:
    """A file that is in every commit, for what commits do not tell: size, kind, attributes."""

    path: str
    size: int
    attributes: tuple[str, ...] = ()
    mimetype: str | None = None
