"""Where rows go: one table per entity, or a database schema per repository.

With ``layout: per_repository`` there is a stream per repository and entity, named
``<schema>-<entity>``; SQL targets built with the SDK put it into a database schema of that name.
Workspaces and projects have schemas, too; what belongs to none is in the schema ``bitbucket``.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from tap_bitbucket.decodable import decodable
from tap_bitbucket.directory import Feed
from tap_bitbucket.http.errors import SkipPartition
from tap_bitbucket.incremental.passes import raw_rows

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream
    from tap_bitbucket.tap import TapBitbucket

_LONGEST = 63
"""Characters of a name that PostgreSQL keeps."""

_GOOD = re.compile(r"(?!pg_|information_schema$)[a-z]")
"""How a schema's name may begin: PostgreSQL keeps some names for itself."""

logger = logging.getLogger("tap-bitbucket")


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


@decodable
class _Named(msgspec.Struct):
    """What a list of projects or repositories says about names."""

    uuid: str
    created_on: str | None = None
    slug: str | None = None
    key: str | None = None
    full_name: str | None = None

    @property
    def own_name(self) -> str:
        """Return a repository's slug or a project's key."""
        return self.slug or self.key or (self.full_name or "").rpartition("/")[2]


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
    if not scouts["workspaces"].configured():
        logger.warning(
            "Name the workspaces in the setting 'workspaces': with a second one that the "
            "credential sees, the database schemas get other names."
        )
    plain = slugs[:1] if len(slugs) == 1 or scouts["workspaces"].configured() else []
    found = [NOWHERE]
    names, of_projects, of_repositories = _Names(), _Names(), _Names()
    for slug in slugs:
        own = names.give(slug, slug)
        found.append(Place("workspace", slug, slug, own))
        prefix = "" if slug in plain else f"{own}__"
        for one, name in of_projects.of(_told(tap, scouts["projects"], slug), prefix):
            tap.directory.add_project(one.uuid, one.key or "", slug)
            if scouts["projects"].wanted(one.key):
                found.append(Place("project", one.uuid, f"{slug}/{one.key}", name))
        repositories = _told(tap, scouts["repositories"], slug)
        found += [
            Place("repository", one.uuid, one.full_name or "", name)
            for one, name in of_repositories.of(repositories, prefix)
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


class _Names:
    """Names of one kind, each given once.

    They are given by the whole list, so that no filter or shard matters, and the oldest that
    wants a name has it, so that what is added later takes it from nobody.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, rows: list[_Named], prefix: str) -> list[tuple[_Named, str]]:
        """Return the rows of a workspace's list with their names."""
        names = {
            row.uuid: self.give(prefix + row.own_name, row.uuid)
            for row in sorted(rows, key=lambda row: (row.created_on or "", row.uuid))
        }
        return [(row, names[row.uuid]) for row in rows]

    def give(self, name: str, identity: str) -> str:
        """Return a name that is still free."""
        wanted = schema_name(name)
        if wanted in self._taken:
            wanted = f"{wanted[: _LONGEST - 9]}_{_digest(identity)}"
        self._taken.add(wanted)
        return wanted


def schema_name(name: str) -> str:
    """Return a slug or a key as a name that every database takes, without a hyphen.

    >>> schema_name("web-portal.js"), schema_name("2fa"), schema_name("pg-tools")
    ('web_portal_js', 'r_2fa', 'r_pg_tools')
    """
    plain = re.sub(r"[^a-z0-9_]", "_", name.lower())
    plain = plain if _GOOD.match(plain) else f"r_{plain}"
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 9]}_{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def table_of(places: Iterable[Place]) -> str:
    """Return places and their database schemas as text."""
    rows = [("schema", "of", "name")]
    rows += [(place.schema, place.kind, place.full_name) for place in places]
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:2]]
    return "\n".join(f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}" for a, b, c in rows)
