"""Projects, which group repositories, and what is set in them."""

from __future__ import annotations

import msgspec

from tap_bitbucket.decodable import decodable
from tap_bitbucket.directory import Feed
from tap_bitbucket.http.paging import Page, Paging
from tap_bitbucket.incremental import FullTable, UpdatedSince
from tap_bitbucket.incremental.passes import Context, raw_rows
from tap_bitbucket.relations import GONE
from tap_bitbucket.scopes import ProjectStream, WorkspaceStream


@decodable
class _Project(msgspec.Struct):
    uuid: str
    key: str


class Projects(WorkspaceStream):
    """The projects of a workspace.

    Also tells the streams below which projects there are, and is then read whole.
    """

    name = "projects"
    path = "/workspaces/{workspace}/projects"
    primary_keys = ("uuid",)
    incremental = UpdatedSince(reconcile=True)
    scope = "project"
    needed = ("key",)

    def floors_below(self, context: Context) -> list[str | None]:  # noqa: ARG002
        """Return the beginning as soon as anything needs to know the projects."""
        return [None for _ in self.below()]

    def note_parents(self, feed: Feed[tuple[str, str]], page: Page) -> None:
        """Tell the directory which projects there are, of those that the settings name."""
        for _, row in raw_rows(page, _Project):
            if self.wanted(row.key):
                feed.add((row.uuid, row.key))

    def wanted(self, key: str) -> bool:
        """Whether the settings let a project through."""
        chosen = self.config.get("projects")
        return not chosen or key in chosen


class ProjectDefaultReviewers(ProjectStream):
    """Who is asked to review every pull request in a project."""

    name = "project_default_reviewers"
    path = "/workspaces/{workspace}/projects/{project_key}/default-reviewers"
    primary_keys = ("project_uuid", "user_uuid")
    incremental = FullTable()
    scope = "project:admin"
    lifted = {"user_uuid": "user.uuid"}
    token_scope = "read:pullrequest"
    admin = True
    selected_by_default = False


class ProjectUserPermissions(ProjectStream):
    """What people may do in a project, where it was granted to them directly."""

    name = "project_user_permissions"
    path = "/workspaces/{workspace}/projects/{project_key}/permissions-config/users"
    primary_keys = ("project_uuid", "user_uuid")
    incremental = FullTable()
    scope = "project:admin"
    lifted = {"user_uuid": "user.uuid"}
    admin = True
    selected_by_default = False


class ProjectGroupPermissions(ProjectStream):
    """What groups may do in a project."""

    name = "project_group_permissions"
    path = "/workspaces/{workspace}/projects/{project_key}/permissions-config/groups"
    primary_keys = ("project_uuid", "group_slug")
    incremental = FullTable()
    scope = "project:admin"
    lifted = {"group_slug": "group.slug"}
    admin = True
    selected_by_default = False


class ProjectBranchingModels(ProjectStream):
    """How the branches of a project's repositories are named; Bitbucket answers 404 for none."""

    name = "project_branching_models"
    path = "/workspaces/{workspace}/projects/{project_key}/branching-model"
    primary_keys = ("project_uuid",)
    incremental = FullTable()
    scope = "project:admin"
    paging = Paging.ENTITY
    nothing_if = GONE
    token_scope = "read:repository"
    admin = True
    selected_by_default = False


class ProjectDeployKeys(ProjectStream):
    """The SSH keys that may read all repositories of a project."""

    name = "project_deploy_keys"
    path = "/workspaces/{workspace}/projects/{project_key}/deploy-keys"
    primary_keys = ("project_uuid", "id")
    incremental = FullTable()
    scope = "project, project:admin"
    token_scope = "admin:project"
    admin = True
    selected_by_default = False
