"""People, workspaces, projects, repositories and what is set up in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_bitbucket.demo.model.delivery import Deployment, Environment, Pipeline
    from tap_bitbucket.demo.model.git import Commit, Ref, Status
    from tap_bitbucket.demo.model.insights import Report
    from tap_bitbucket.demo.model.keys import DeployKey, EmailAddress, GpgKey, SshKey
    from tap_bitbucket.demo.model.reviews import Activity, Comment, PullRequest
    from tap_bitbucket.demo.model.running import Cache, KeyPair, KnownHost, Runner, Schedule
    from tap_bitbucket.demo.model.setup import (
        BranchingModel,
        Download,
        Group,
        Hook,
        Restriction,
        TreeFile,
        Variable,
    )
    from tap_bitbucket.demo.model.snippets import Snippet


@dataclass(eq=False, slots=True)
class User:
    """A person, a team, or an app user (a bot, an access token)."""

    uuid: str
    account_id: str
    display_name: str
    nickname: str
    created_on: datetime
    kind: str = "user"
    email: str = ""
    deleted: bool = False
    app_kind: str = "repository_access_token"
    emails: list[EmailAddress] = field(default_factory=list)
    ssh_keys: list[SshKey] = field(default_factory=list)
    gpg_keys: list[GpgKey] = field(default_factory=list)

    @property
    def raw(self) -> str:
        """Name and e-mail as git writes an author."""
        return f"{self.display_name} <{self.email}>"


@dataclass(eq=False, slots=True)
class Member:
    """Somebody's place in a workspace."""

    workspace: Workspace
    user: User
    permission: str


@dataclass(eq=False, slots=True)
class Project:
    """A folder of repositories."""

    workspace: Workspace
    uuid: str
    key: str
    name: str
    description: str | None
    is_private: bool
    created_on: datetime
    updated_on: datetime
    default_reviewers: list[User] = field(default_factory=list)
    permissions: dict[str, str] = field(default_factory=dict)
    group_permissions: dict[str, str] = field(default_factory=dict)
    branching_model: BranchingModel | None = None
    deploy_keys: list[DeployKey] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Workspace:
    """A workspace and all that is in it."""

    uuid: str
    slug: str
    name: str
    created_on: datetime
    updated_on: datetime
    is_private: bool = True
    is_personal: bool = False
    forking_mode: str = "allow_forks"
    refused: int | None = None
    members: list[Member] = field(default_factory=list)
    projects: dict[str, Project] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    moved: dict[str, Repository] = field(default_factory=dict)
    variables: list[Variable] = field(default_factory=list)
    hooks: list[Hook] = field(default_factory=list)
    runners: list[Runner] = field(default_factory=list)
    groups: dict[str, Group] = field(default_factory=dict)
    snippets: dict[str, Snippet] = field(default_factory=dict)
    deleted_snippets: set[str] = field(default_factory=set)


def _override_settings() -> dict[str, bool]:
    return {"default_merge_strategy": True, "branching_model": True}


@dataclass(eq=False, slots=True)
class Repository:
    """A repository and all that is in it."""

    uuid: str
    workspace: Workspace
    project: Project
    slug: str
    name: str
    description: str
    owner: User
    created_on: datetime
    updated_on: datetime
    is_private: bool = True
    language: str = ""
    size: int = 0
    website: str | None = None
    fork_policy: str = "allow_forks"
    parent: Repository | None = None
    mainbranch: str | None = None
    refused: int | None = None
    pipelines_enabled: bool = True
    pipelines_configured: bool = True
    objects: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, Ref] = field(default_factory=dict)
    pull_requests: dict[int, PullRequest] = field(default_factory=dict)
    activity: list[Activity] = field(default_factory=list)
    followers: dict[str, list[PullRequest]] = field(default_factory=dict)
    statuses: dict[str, list[Status]] = field(default_factory=dict)
    commit_comments: dict[str, list[Comment]] = field(default_factory=dict)
    default_reviewers: list[User] = field(default_factory=list)
    watchers: list[User] = field(default_factory=list)
    pipelines: list[Pipeline] = field(default_factory=list)
    environments: list[Environment] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)
    hooks: list[Hook] = field(default_factory=list)
    restrictions: list[Restriction] = field(default_factory=list)
    permissions: dict[str, str] = field(default_factory=dict)
    group_permissions: dict[str, str] = field(default_factory=dict)
    override_settings: dict[str, bool] = field(default_factory=_override_settings)
    branching_model: BranchingModel | None = None
    deploy_keys: list[DeployKey] = field(default_factory=list)
    downloads: list[Download] = field(default_factory=list)
    forks_elsewhere: list[Repository] = field(default_factory=list)
    reports: dict[str, list[Report]] = field(default_factory=dict)
    runners: list[Runner] = field(default_factory=list)
    schedules: list[Schedule] = field(default_factory=list)
    known_hosts: list[KnownHost] = field(default_factory=list)
    key_pair: KeyPair | None = None
    caches: list[Cache] = field(default_factory=list)
    files: dict[str, TreeFile] = field(default_factory=dict)
    clone_user: str = "reader"

    @property
    def full_name(self) -> str:
        """Name the workspace and the repository, as Bitbucket does."""
        return f"{self.workspace.slug}/{self.slug}"

    def heads(self) -> list[str]:
        """List the commits that branches and tags point at."""
        found = dict.fromkeys(self.branches.values())
        found.update(dict.fromkeys(tag.target.hash for tag in self.tags.values()))
        return list(found)
