"""Projects, which group repositories."""

from __future__ import annotations

from tap_bitbucket.incremental import UpdatedSince
from tap_bitbucket.scopes import WorkspaceStream


class Projects(WorkspaceStream):
    """The projects of a workspace."""

    name = "projects"
    path = "/workspaces/{workspace}/projects"
    primary_keys = ("uuid",)
    incremental = UpdatedSince(reconcile=True)
    scope = "project"
