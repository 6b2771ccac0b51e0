"""The streams, by area of Bitbucket. Their order here is the order of reading."""

from tap_bitbucket.streams import (  # noqa: I001 - the order matters
    workspaces,
    users,
    current_user,
    projects,
    snippets,
    repositories,
    permissions,
    hooks,
    repository_settings,
    repository_extras,
    source_files,
    commits,
    commit_details,
    pull_requests,
    pull_request_discussion,
    pull_request_details,
    pipeline_settings,
    pipelines,
    pipeline_tests,
    deployments,
)

REMOVED = frozenset(
    {"issues", "issue_comments", "issue_changes", "components", "milestones", "versions", "wiki"}
)
"""Names of what Bitbucket no longer has (410 since 2026-08-20)."""

__all__ = [
    "REMOVED",
    "commit_details",
    "commits",
    "current_user",
    "deployments",
    "hooks",
    "permissions",
    "pipeline_settings",
    "pipeline_tests",
    "pipelines",
    "projects",
    "pull_request_details",
    "pull_request_discussion",
    "pull_requests",
    "repositories",
    "repository_extras",
    "repository_settings",
    "snippets",
    "source_files",
    "users",
    "workspaces",
]
