"""The endpoints, by area; importing this package registers them all."""

from tap_bitbucket.demo.api import (
    delivery,
    hook_events,
    people,
    removed,
    repositories,
    reviews,
    workspaces,
)

__all__ = [
    "delivery",
    "hook_events",
    "people",
    "removed",
    "repositories",
    "reviews",
    "workspaces",
]
