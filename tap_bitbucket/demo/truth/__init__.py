"""What is really there: the rows a perfect client would read through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_bitbucket.demo.hook_events import HOOK_EVENTS
from tap_bitbucket.demo.truth import code, delivery, people, reviews, setup, workspaces
from tap_bitbucket.demo.truth.kinds import Truth

if TYPE_CHECKING:
    from tap_bitbucket.demo.world import World

IN_REPOSITORIES = code.KINDS | reviews.KINDS | delivery.KINDS | setup.KINDS
IN_WORKSPACES = workspaces.KINDS
OF_PEOPLE = people.KINDS
KINDS = frozenset({*IN_REPOSITORIES, *IN_WORKSPACES, *OF_PEOPLE, "hook_events"})


def rows_of(world: World, kind: str) -> list[Truth]:
    """List all rows of one kind."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; there are {sorted(KINDS)}")
    found: list[Truth] = []
    if kind == "hook_events":
        for subject, events in HOOK_EVENTS.items():
            found += [("", None, subject, dict(event)) for event in events]
    elif kind in OF_PEOPLE:
        for user in world.users.values():
            found += [("", None, *entry) for entry in OF_PEOPLE[kind](world, user)]
    elif kind in IN_WORKSPACES:
        for place in world.workspaces.values():
            found += [(place.slug, None, *entry) for entry in IN_WORKSPACES[kind](world, place)]
    else:
        for repo in world.repositories():
            where = (repo.workspace.slug, repo.slug)
            found += [(*where, *entry) for entry in IN_REPOSITORIES[kind](world, repo)]
    return found


__all__ = ["KINDS", "Truth", "rows_of"]
