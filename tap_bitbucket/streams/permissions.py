"""Who may do what with repositories."""

from __future__ import annotations

from tap_bitbucket.incremental import FullTable
from tap_bitbucket.incremental.passes import Context, Row
from tap_bitbucket.scopes import RepositoryStream, WorkspaceStream


class WorkspaceRepositoryPermissions(WorkspaceStream):
    """What everybody may do with each repository in the end, whatever grants it.

    One list for the whole workspace, instead of one per repository.
    """

    name = "workspace_repository_permissions"
    path = "/workspaces/{workspace}/permissions/repositories"
    primary_keys = ("repository_uuid", "user_uuid")
    incremental = FullTable()
    scope = "account"
    lifted = {"repository_uuid": "repository.uuid", "user_uuid": "user.uuid"}
    token_scope = "read:repository"
    admin = True
    selected_by_default = False

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Name the repository's object as in other tables, where ``repository`` is a slug."""
        if "repository" in row:
            row["repository_object"] = row.pop("repository")
        return row


class RepositoryUserPermissions(RepositoryStream):
    """What people may do with a repository, where it was granted to them directly."""

    name = "repository_user_permissions"
    path = "/repositories/{workspace}/{repository}/permissions-config/users"
    primary_keys = ("repository_uuid", "user_uuid")
    incremental = FullTable()
    scope = "repository:admin"
    lifted = {"user_uuid": "user.uuid"}
    token_scope = "read:repository"
    admin = True
    selected_by_default = False


class RepositoryGroupPermissions(RepositoryStream):
    """What groups may do with a repository."""

    name = "repository_group_permissions"
    path = "/repositories/{workspace}/{repository}/permissions-config/groups"
    primary_keys = ("repository_uuid", "group_slug")
    incremental = FullTable()
    scope = "repository:admin"
    lifted = {"group_slug": "group.slug"}
    token_scope = "read:repository"
    admin = True
    selected_by_default = False
