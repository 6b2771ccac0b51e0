"""Which workspaces, projects and repositories a run reads."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING

from tap_bitbucket.directory import Project, Repository
from tap_bitbucket.http.errors import SkipPartition
from tap_bitbucket.settings import shard_of

if TYPE_CHECKING:
    from tap_bitbucket.tap import TapBitbucket

logger = logging.getLogger("tap-bitbucket")

_FILTERS = ("repositories", "exclude_repositories", "projects", "repository_query", "shard")


class Partitions:
    """What the lists of workspaces, projects and repositories tell, by the order of the lists."""

    def __init__(self, tap: TapBitbucket) -> None:
        self._tap = tap

    def own_workspaces(self) -> list[str]:
        """Return the slugs of the workspaces whose own streams this run reads."""
        shard = shard_of(self._tap.config)
        if shard is not None and shard[0] != 0:
            return []
        return self.workspaces()

    def workspaces(self) -> list[str]:
        """Return the slugs of the workspaces whose repositories this run reads."""
        if self._tap.places is not None:
            return [place.key for place in self._tap.places if place.kind == "workspace"]
        return [workspace.slug for workspace in self._tap.directory.feed("workspaces")]

    @property
    def filters(self) -> list[str]:
        """Return the settings that leave some repositories out."""
        return [name for name in _FILTERS if self._tap.config.get(name)]

    @cached_property
    def repositories(self) -> list[Repository]:
        """Return the repositories of this run."""
        found: dict[str, Repository] = {}
        for workspace in self.workspaces():
            feed = self._tap.directory.feed("repositories", {"workspace": workspace})
            try:
                for repository in feed:
                    found[repository.uuid] = repository
            except SkipPartition:
                # Reported where the list is read; what is missing must not look deleted.
                self._tap.reconciliation.unknown.add("repositories")
        if not found and "repositories" not in self._tap.reconciliation.unknown:
            given = " and ".join(map(repr, self.filters))
            if given:
                logger.warning("There is no repository that %s let through.", given)
        return list(found.values())

    @cached_property
    def projects(self) -> list[Project]:
        """Return the projects of this run."""
        directory = self._tap.directory
        for workspace in self.own_workspaces():
            feed = directory.feed("projects", {"workspace": workspace})
            try:
                for uuid, key in feed:
                    directory.add_project(uuid, key, workspace)
            except SkipPartition:
                self._tap.reconciliation.unknown.add("projects")
        return list(directory.projects.values())
