"""Where rows go: one table per entity, or a database schema per repository.

With ``layout: per_repository`` there is a stream per repository and entity, named
``<schema>-<entity>``; SQL targets built with the SDK put it into a database schema of that name.
Workspaces and projects have schemas of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_bitbucket.directory import Feed

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream
    from tap_bitbucket.tap import TapBitbucket

_LONGEST = 63
"""Characters of a name that PostgreSQL keeps."""

KINDS = ("workspace", "project", "repository")


@dataclass(frozen=True)
class Place:
    """What has a database schema of its own.

    Attributes:
        kind: One of ``KINDS``.
        key: Its one context value: a workspace's slug, the uuid of the others.
        full_name: What people call it.
        schema: The name of its database schema.
    """

    kind: str
    key: str
    full_name: str
    schema: str

    @property
    def context(self) -> dict[str, Any]:
        """Return the partition of its streams."""
        return {"workspace" if self.kind == "workspace" else f"{self.kind}_uuid": self.key}

    def stream_name(self, entity: str) -> str:
        """Return the name of one of its streams: ``web_portal-pull_requests``."""
        return f"{self.schema}-{entity.removeprefix(f'{self.kind}_')}"


def find_places(tap: TapBitbucket) -> list[Place]:
    """Ask Bitbucket which workspaces, projects and repositories the settings let through.

    Raises:
        ReadError: If it does not tell.
    """
    # With the registered classes, which is what the one import in client.py is for.
    from tap_bitbucket.client import REGISTRY  # noqa: PLC0415

    scouts: dict[str, Any] = {
        name: REGISTRY[name](tap) for name in ("workspaces", "projects", "repositories")
    }
    workspaces: Feed[Any] = Feed()
    for reading in scouts["workspaces"].telling(workspaces):
        for _ in reading.source():
            pass
    found: list[tuple[str, str, str, str, str]] = []
    for workspace in workspaces:
        slug = workspace.slug
        found.append(("workspace", slug, slug, slug, ""))
        for uuid, key in _told(scouts["projects"], slug):
            found.append(("project", uuid, f"{slug}/{key}", key, uuid))
            tap.directory.add_project(uuid, key, slug)
        repositories = _told(scouts["repositories"], slug)
        found += [
            ("repository", one.uuid, one.full_name, one.slug, one.uuid) for one in repositories
        ]
    return list(_named(found))


def _told(stream: BitbucketStream, workspace: str) -> list[Any]:
    """Return what a list of a workspace tells the directory."""
    feed: Feed[Any] = Feed()
    listing = stream.listing({"workspace": workspace})
    stream.narrow(listing, None)
    for page in stream.pages(listing):
        stream.note_parents(feed, page)
    feed.finish()
    return list(feed)


def _named(found: Iterable[tuple[str, str, str, str, str]]) -> Iterator[Place]:
    """Give each place a schema of its own: the first that wants a name has it as it is.

    Workspaces come before projects, and projects before repositories; among repositories the
    order is that of their uuids, which a rename or a new repository does not change.
    """
    taken: set[str] = set()
    ordered = sorted(found, key=lambda one: (KINDS.index(one[0]), one[4]))
    names: Mapping[tuple[str, str], str] = {}
    names = {(kind, key): _free(name, key, taken) for kind, key, _, name, _ in ordered}
    for kind, key, full_name, _, _ in found:
        yield Place(kind, key, full_name, names[kind, key])


def _free(name: str, key: str, taken: set[str]) -> str:
    wanted = schema_name(name)
    if wanted in taken:
        wanted = f"{wanted[: _LONGEST - 9]}_{re.sub('[^0-9a-f]', '', key.lower())[:8]}"
    taken.add(wanted)
    return wanted


def schema_name(name: str) -> str:
    """Return a slug or a key as a name that every database takes, without a hyphen.

    >>> schema_name("web-portal.js"), schema_name("2fa")
    ('web_portal_js', 'r_2fa')
    """
    plain = re.sub(r"[^a-z0-9_]", "_", name.lower())
    return (plain if plain[:1].isalpha() else f"r_{plain}")[:_LONGEST]
