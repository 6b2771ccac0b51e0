"""Workspaces, their projects, and what is set up in them."""

from tap_bitbucket.demo.api.workspaces import (
    members,
    permissions,
    projects,
    setup,
    snippets,
)

__all__ = [
    "members",
    "permissions",
    "projects",
    "setup",
    "snippets",
]
