"""Where rows go: one table per entity, or a database schema per repository.

With ``layout: per_repository`` there is a stream per repository and entity, named
``<schema>-<entity>``; SQL targets built with the SDK put it into a database schema of that name.
Workspaces and projects have schemas, too; what belongs to none is in the schema ``bitbucket``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from tap_bitbucket.directory import Feed
from tap_bitbucket.http.errors import SkipPartition
from tap_bitbucket.incremental.passes import raw_rows

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream
    from tap_bitbucket.tap import TapBitbucket

_LONGEST = 63
"""Characters of a name that PostgreSQL keeps."""


@dataclass(frozen=True)
class Place:
    """What has a database schema of its own.

    Attributes:
        kind: ``workspace``, ``project`` or ``repository``; empty for what belongs to none.
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
        """Return the name of one of its streams: ``web_portal-pull_requests``.

        No two kinds have an entity in common, so that they can share a schema.
        """
        return f"{self.schema}-{entity.removeprefix('workspace_')}"


NOWHERE = Place("", "", "what belongs to no workspace", "bitbucket")


class _Named(msgspec.Struct):
    """What a list of projects or repositories says about names."""

    uuid: str
    created_on: str | None = None
    slug: str | None = None
    key: str | None = None
    full_name: str | None = None


def find_places(tap: TapBitbucket) -> list[Place]:
    """Ask Bitbucket which workspaces, projects and repositories there are.

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
    slugs = [workspace.slug for workspace in workspaces]
    plain = slugs[:1] if len(slugs) == 1 or scouts["workspaces"].configured() else []
    found = [NOWHERE]
    for slug in slugs:
        prefix = "" if slug in plain else f"{schema_name(slug)}__"
        found.append(Place("workspace", slug, slug, schema_name(slug)))
        projects = _told(tap, scouts["projects"], slug)
        for one, name in _named(projects, prefix):
            tap.directory.add_project(one.uuid, one.key or "", slug)
            if scouts["projects"].wanted(one.key):
                found.append(Place("project", one.uuid, f"{slug}/{one.key}", name))
        repositories = _told(tap, scouts["repositories"], slug)
        found += [
            Place("repository", one.uuid, one.full_name or "", name)
            for one, name in _named(repositories, prefix)
            if one.uuid in tap.directory.repositories
        ]
    return found


def _told(tap: TapBitbucket, stream: BitbucketStream, workspace: str) -> list[_Named]:
    """Return a list of a workspace; if it cannot be read, say so and return nothing."""
    rows: list[_Named] = []
    listing = stream.listing({"workspace": workspace})
    stream.narrow(listing, None)
    try:
        for page in stream.pages(listing):
            stream.note_parents(Feed(), page)
            rows += [row for _, row in raw_rows(page, _Named)]
    except SkipPartition as error:
        tap.summary.skipped(stream.entity, workspace, error)
        return []
    return rows


def _named(rows: Iterable[_Named], prefix: str) -> Iterator[tuple[_Named, str]]:
    """Give each row a name of its own, by the whole list, so that no filter or shard matters.

    The oldest that wants a name has it, so what is added later takes it from nobody.
    """
    rows = list(rows)
    names: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: (row.created_on or "", row.uuid)):
        wanted = schema_name(prefix + (row.slug or row.key or (row.full_name or "").split("/")[-1]))
        if wanted in names.values():
            wanted = f"{wanted[: _LONGEST - 9]}_{_digest(row.uuid)}"
        names[row.uuid] = wanted
    for row in rows:
        yield row, names[row.uuid]


def schema_name(name: str) -> str:
    """Return a slug or a key as a name that every database takes, without a hyphen.

    >>> schema_name("web-portal.js"), schema_name("2fa")
    ('web_portal_js', 'r_2fa')
    """
    plain = re.sub(r"[^a-z0-9_]", "_", name.lower())
    plain = plain if re.match(r"[a-z]", plain) else f"r_{plain}"
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 9]}_{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
