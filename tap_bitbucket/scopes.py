"""Where a stream's rows live: its partitions, its path, and the columns of its context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tap_bitbucket.client import BitbucketStream
from tap_bitbucket.directory import Parent, Project, Repository
from tap_bitbucket.http.paging import Paging
from tap_bitbucket.incremental.passes import Context
from tap_bitbucket.relations import GONE


class GlobalStream(BitbucketStream):
    """Scope: what is not inside a workspace."""

    def path_names(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Return nothing: there is no placeholder."""
        return {}

    def columns(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Return nothing: there is no context."""
        return {}

    @property
    def partitions(self) -> None:
        """Return None: the stream is not partitioned."""
        return


class WorkspaceStream(BitbucketStream):
    """Scope: one partition per workspace."""

    kind = "workspace"
    told_by = "workspaces"
    contexts = ("workspace_context",)

    @property
    def partitions(self) -> list[dict[str, Any]]:
        """Return the workspaces of this run; with shards, the first one reads them."""
        own = self._tap.partitions.own_workspaces()
        if self.place is not None:
            return [self.place.context] if own else []
        return [{"workspace": slug} for slug in own]

    def path_names(self, context: Context) -> dict[str, Any]:
        """Return the workspace."""
        return {"workspace": (context or {})["workspace"]}

    def columns(self, context: Context) -> dict[str, Any]:
        """Return the workspace."""
        return {"workspace": (context or {})["workspace"]}


class ProjectStream(BitbucketStream):
    """Scope: one partition per project, known by its uuid: keys change."""

    kind = "project"
    told_by = "projects"
    home = "/workspaces/{workspace}/projects/{project_key}"
    contexts = ("workspace_context", "project_context")

    @property
    def partitions(self) -> list[dict[str, Any]]:
        """Return the projects of this run; with shards, the first one reads them."""
        if self.place is not None:
            return [self.place.context] if self._tap.partitions.own_workspaces() else []
        return [{"project_uuid": project.uuid} for project in self._tap.partitions.projects]

    def path_names(self, context: Context) -> dict[str, Any]:
        """Return workspace and project."""
        project = self._project(context)
        return {"workspace": project.workspace, "project_key": project.key}

    def columns(self, context: Context) -> dict[str, Any]:
        """Return workspace and project."""
        project = self._project(context)
        return {
            "workspace": project.workspace,
            "project_uuid": project.uuid,
            "project_key": project.key,
        }

    def _project(self, context: Context) -> Project:
        return self.directory.projects[(context or {})["project_uuid"]]

    def label(self, context: Context) -> str:
        """Return workspace/KEY."""
        project = self._project(context)
        return f"{project.workspace}/{project.key}"


class RepositoryStream(BitbucketStream):
    """Scope: one partition per repository, known by its uuid so that a rename changes nothing."""

    kind = "repository"
    told_by = "repositories"
    home = "/repositories/{workspace}/{repository}"
    contexts = ("workspace_context", "repository_context")

    @property
    def partitions(self) -> list[dict[str, Any]]:
        """Return the repositories of this run."""
        if self.place is not None:
            return [self.place.context]
        return [
            {"repository_uuid": repository.uuid} for repository in self._tap.partitions.repositories
        ]

    def repository(self, context: Context) -> Repository:
        """Return a partition's repository."""
        return self.directory.repositories[(context or {})["repository_uuid"]]

    def path_names(self, context: Context) -> dict[str, Any]:
        """Return workspace and repository."""
        repository = self.repository(context)
        return {"workspace": repository.workspace, "repository": repository.slug}

    def columns(self, context: Context) -> dict[str, Any]:
        """Return workspace and repository."""
        repository = self.repository(context)
        return {
            "workspace": repository.workspace,
            "repository_uuid": repository.uuid,
            "repository": repository.slug,
            "repository_full_name": repository.full_name,
        }

    def label(self, context: Context) -> str:
        """Return workspace/repository."""
        return self.repository(context).full_name


class _PipelinesService(BitbucketStream):
    """Shared by the lists that Bitbucket's pipelines service answers.

    They are read by number (see ``http.paging``) and do not honour ``fields``.
    """

    scope = "pipeline"
    paging = Paging.NUMBER
    takes_fields = False


class PipelinesServiceStream(_PipelinesService, RepositoryStream):
    """Scope: a repository's lists of the pipelines service."""


class WorkspacePipelinesStream(_PipelinesService, WorkspaceStream):
    """Scope: a workspace's lists of the pipelines service."""


class PullRequestStream(RepositoryStream):
    """Scope: what lies below a pull request, inside its repository's partition."""

    scope = "pullrequest"
    derived: ClassVar[tuple[str, ...]] = ("pull_request_id",)


class CommitStream(RepositoryStream):
    """Scope: what lies below a commit, inside its repository's partition."""

    derived: ClassVar[tuple[str, ...]] = ("commit_hash",)
    nothing_if = GONE

    def hears(self) -> tuple[str, ...]:
        """Return what tells the commits, if it is read from the same heads."""
        return ("commits", *super().hears())

    def parent_of(self, key: str) -> Parent:
        """Return a commit of which only the hash is known."""
        return Parent(key, {"commit_hash": key}, created="", changed="")

    def parent_key(self, row: Mapping[str, Any]) -> str:
        """Return the hash of a row's commit."""
        return str(row["commit_hash"])
