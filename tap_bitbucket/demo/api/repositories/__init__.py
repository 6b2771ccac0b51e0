"""Repositories, what is in them, and what is set up in them."""

from tap_bitbucket.demo.api.repositories import (
    branching,
    commits,
    diffs,
    downloads,
    insights,
    permissions,
    refs,
    repositories,
    setup,
    source,
)

__all__ = [
    "branching",
    "commits",
    "diffs",
    "downloads",
    "insights",
    "permissions",
    "refs",
    "repositories",
    "setup",
    "source",
]
