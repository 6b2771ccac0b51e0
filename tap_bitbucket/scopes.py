"""Where a stream's rows live: its partitions, its path, and the columns of its context."""

from __future__ import annotations

from typing import Any, ClassVar

from tap_bitbucket.client import BitbucketStream
from tap_bitbucket.directory import Repository
from tap_bitbucket.http.paging import Paging
from tap_bitbucket.incremental.passes import Context


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

    contexts = ("workspace_context",)

    @property
    def partitions(self) -> list[dict[str, Any]]:
        """Return the workspaces of this run; with shards, the first one reads them."""
        return [{"workspace": slug} for slug in self._tap.workspaces()]

    def path_names(self, context: Context) -> dict[str, Any]:
        """Return the workspace."""
        return {"workspace": (context or {})["workspace"]}

    def columns(self, context: Context) -> dict[str, Any]:
        """Return the workspace."""
        return {"workspace": (context or {})["workspace"]}

    def needs(self) -> tuple[str, ...]:
        """Return what tells the workspaces."""
        return (*super().needs(), "workspaces")


class RepositoryStream(BitbucketStream):
    """Scope: one partition per repository, known by its uuid so that a rename changes nothing."""

    contexts = ("workspace_context", "repository_context")

    @property
    def partitions(self) -> list[dict[str, Any]]:
        """Return the repositories of this run."""
        return [{"repository_uuid": repository.uuid} for repository in self._tap.repositories()]

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

    def needs(self) -> tuple[str, ...]:
        """Return what tells the repositories."""
        return (*super().needs(), "repositories")

    def label(self, context: Context) -> str:
        """Return workspace/repository."""
        return self.repository(context).full_name


class PipelinesServiceStream(RepositoryStream):
    """Scope: a repository's lists that Bitbucket's pipelines service answers.

    They are read by number (see ``http.paging``) and do not honour ``fields``.
    """

    scope = "pipeline"
    paging = Paging.NUMBER
    takes_fields = False


class PullRequestStream(RepositoryStream):
    """Scope: what lies below a pull request, inside its repository's partition."""

    scope = "pullrequest"
    derived: ClassVar[tuple[str, ...]] = ("pull_request_id",)
