"""The streams, by area of Bitbucket. Their order here is the order of reading."""

from tap_bitbucket.streams import (  # noqa: I001 - the order matters
    workspaces,
    users,
    projects,
    repositories,
    commits,
    pull_requests,
    pipelines,
    deployments,
)

REMOVED = frozenset(
    {"issues", "issue_comments", "issue_changes", "components", "milestones", "versions", "wiki"}
)
"""Names of what Bitbucket no longer has (410 since 2026-08-20)."""

__all__ = [
    "REMOVED",
    "commits",
    "deployments",
    "pipelines",
    "projects",
    "pull_requests",
    "repositories",
    "users",
    "workspaces",
]
