"""The endpoints, by area; importing this package registers them all."""

from tap_bitbucket.demo.api import (
    commits,
    deployments,
    people,
    pipelines,
    pull_requests,
    refs,
    removed,
    repositories,
    reviews,
    source,
    workspaces,
)

__all__ = [
    "commits",
    "deployments",
    "people",
    "pipelines",
    "pull_requests",
    "refs",
    "removed",
    "repositories",
    "reviews",
    "source",
    "workspaces",
]
