"""What there is to read: workspaces, projects, repositories; and which of them are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from tap_bitbucket.client import BitbucketStream
from tap_bitbucket.decodable import decodable
from tap_bitbucket.directory import Feed, Repository
from tap_bitbucket.estimate.cost import looks
from tap_bitbucket.estimate.here import Spot
from tap_bitbucket.estimate.sampling import chosen, nearest
from tap_bitbucket.http.errors import SkipPartition
from tap_bitbucket.incremental.passes import raw_rows

if TYPE_CHECKING:
    from tap_bitbucket.tap import TapBitbucket

WORKSPACES = 10
"""Workspaces that are looked at, even if no repository is."""

_BRIEF = ("uuid", "full_name", "slug", "updated_on", "created_on", "mainbranch", "project.key")


@decodable
class _Dated(msgspec.Struct):
    uuid: str
    created_on: str | None = None


@dataclass
class Survey:
    """What a run reads, and where.

    Attributes:
        read: The streams that lists are asked for, or that are made from those, by entity.
        spots: The partitions of a kind.
        order: The same, neighbours side by side: what was pushed to at the same time.
        looked_at: Those of them that are asked about.
        spread: Those of them that are there for others, not for being the last pushed to.
        stands_for: Partition → the one that was looked at for it.
        listed: Workspace → rows in its list of repositories, whatever the settings choose.
        told: Requests that it took to learn which workspaces (and places) there are.
    """

    read: dict[str, list[BitbucketStream]]
    spots: dict[str, list[Spot]] = field(default_factory=dict)
    order: dict[str, list[Spot]] = field(default_factory=dict)
    looked_at: dict[str, list[Spot]] = field(default_factory=dict)
    spread: set[Spot] = field(default_factory=set)
    stands_for: dict[Spot, Spot] = field(default_factory=dict)
    listed: dict[str, int] = field(default_factory=dict)
    told: float = 0.0

    def kinds(self) -> set[str]:
        """Return what has partitions that are read."""
        return {streams[0].kind for streams in self.read.values()}

    def partitions(self, entity: str) -> list[Spot]:
        """Return the partitions of a stream that are read."""
        streams = self.read[entity]
        by_key = {spot.key: spot for spot in self.spots.get(streams[0].kind, ())}
        found = []
        for stream in streams:
            for context in (stream.partitions if stream.kind else None) or [{"": ""}]:
                key = next(iter(context.values()))
                if key in by_key:
                    found.append(by_key[key])
        return found


def streams_of(tap: TapBitbucket) -> dict[str, list[BitbucketStream]]:
    """Return the streams that a run reads, by entity."""
    found: dict[str, list[BitbucketStream]] = {}
    for stream in tap.bitbucket_streams:
        if stream.selected or stream.has_selected_descendents:
            found.setdefault(stream.entity, []).append(stream)
    return found


def bound(tap: TapBitbucket, streams: Iterable[BitbucketStream], sample: int) -> int:
    """Return how many requests it takes at most, beside the lists of what there is.

    One for each list, or ``LOOKS`` below rows whose own counters do not tell; and two in each
    repository for lists that one request does not tell about.
    """
    kinds = [
        one.kind for one in streams if one.path and not one.unrolled for _ in range(looks(one))
    ]
    named = len(tap.config.get("workspaces") or ()) or WORKSPACES
    workspaces = kinds.count("workspace") * min(named, max(sample, WORKSPACES))
    inside = sum(kind in {"project", "repository"} for kind in kinds)
    return 5 + kinds.count("") + workspaces + sample * (inside + 2 if inside else 0)


def survey(tap: TapBitbucket, sample: int) -> Survey:
    """Read the lists of workspaces, projects and repositories, and choose a sample.

    Raises:
        ReadError, AuthenticationError: If nothing can be learned.
    """
    found = Survey(streams_of(tap))
    kinds = found.kinds()
    if tap.places is None:
        _tell_workspaces(tap)
    slugs = tap.partitions.workspaces()
    found.told = float(tap.session.identities.limits.sent)
    found.spots[""] = [Spot("")]
    found.spots["workspace"] = [Spot("workspace", slug, slug, slug) for slug in slugs]
    if "repository" in kinds or "repositories" in found.read:
        found.spots["repository"] = list(_repositories(tap, found, slugs))
    if "project" in kinds:
        found.spots["project"] = list(_projects(tap))
    for kind, spots in found.spots.items():
        _choose(found, kind, spots, sample if kind in {"project", "repository"} else WORKSPACES)
    return found


def _tell_workspaces(tap: TapBitbucket) -> None:
    """Learn which workspaces there are, without asking for more about them."""
    tap.directory.feed("workspaces")
    feed = tap.directory.filling("workspaces")
    stream: Any = tap.index.related("workspaces", None)
    for step in stream.telling(feed):
        for _ in step.source():
            pass


def _choose(found: Survey, kind: str, spots: list[Spot], sample: int) -> None:
    """Choose what is looked at: the last pushed to, some of the rest, and one that is empty."""
    newest = sorted(spots, key=lambda one: one.updated_on or "", reverse=True)
    found.order[kind] = newest
    full, empty = ([one for one in newest if one.empty is state] for state in (False, True))
    of_empty = len(empty) if sample >= len(spots) else min(1, len(empty), max(0, sample - 1))
    for order, count in ((full, sample - of_empty), (empty, of_empty)):
        picked = chosen(order, max(0, count))
        found.looked_at.setdefault(kind, []).extend(picked)
        found.spread |= set(picked[(len(picked) + 1) // 2 :])
        found.stands_for |= nearest(order, picked)


def _repositories(tap: TapBitbucket, found: Survey, slugs: list[str]) -> Iterator[Spot]:
    repositories: dict[str, Repository] = {}
    for slug in slugs:
        place = next((one for one in tap.places or () if one.context == {"workspace": slug}), None)
        stream = tap.index.related("repositories", place)
        feed: Feed[Any] = Feed()
        created: dict[str, str | None] = {}
        try:
            for page in stream.pages(_brief(stream, slug)):
                stream.note_parents(feed, page)
                created |= {row.uuid: row.created_on for _, row in raw_rows(page, _Dated)}
        except SkipPartition:
            continue  # said where the stream itself is looked at
        feed.finish()
        found.listed[slug] = len(created)
        for one in feed:
            if one.uuid not in repositories:
                repositories[one.uuid] = one
                yield Spot(
                    kind="repository",
                    key=one.uuid,
                    workspace=slug,
                    label=one.full_name,
                    created_on=created.get(one.uuid),
                    updated_on=one.updated_on,
                    empty=one.empty,
                )
    tap.partitions.repositories = list(repositories.values())


def _brief(stream: BitbucketStream, slug: str) -> Any:
    """Return the list of repositories without what only tables need."""
    listing = stream.listing({"workspace": slug})
    stream.narrow(listing, None)
    names = ",".join(["size", "next", "page", *(f"values.{name}" for name in _BRIEF)])
    listing.request = listing.request.with_params({"fields": names})
    listing.simpler = (("fields", None),)
    return listing


def _projects(tap: TapBitbucket) -> Iterator[Spot]:
    if tap.places is not None:
        for place in tap.places:
            if place.kind == "project":
                workspace = place.full_name.partition("/")[0]
                yield Spot("project", place.key, workspace, place.full_name)
        return
    for project in tap.partitions.projects:
        label = f"{project.workspace}/{project.key}"
        yield Spot("project", project.uuid, project.workspace, label)
