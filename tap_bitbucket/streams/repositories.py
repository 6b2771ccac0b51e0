"""Repositories and what belongs to one as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from tap_bitbucket.decodable import decodable
from tap_bitbucket.directory import Feed, Repository
from tap_bitbucket.http.errors import Fatal, SkipPartition
from tap_bitbucket.http.paging import Page
from tap_bitbucket.http.reader import Listing
from tap_bitbucket.incremental import FullTable, UpdatedSince
from tap_bitbucket.incremental.full_table import GatedPass
from tap_bitbucket.incremental.passes import Context, Row, fill, raw_rows
from tap_bitbucket.plan import Reading
from tap_bitbucket.rows import CLONE, without_user_info
from tap_bitbucket.scopes import RepositoryStream, WorkspaceStream
from tap_bitbucket.settings import shard_of
from tap_bitbucket.showing import shown
from tap_bitbucket.streams.workspaces import unknown_workspace


@decodable
class _Project(msgspec.Struct):
    key: str | None = None


@decodable
class _Repository(msgspec.Struct):
    uuid: str
    full_name: str
    slug: str | None = None
    updated_on: str | None = None
    mainbranch: Any = None
    project: _Project | None = None


def _name_of(branch: Any) -> str | None:
    """Return the name of a main branch, which is null before the first push."""
    if isinstance(branch, dict):
        return str(branch.get("name") or "")
    return None if branch is None else str(branch)


class Repositories(WorkspaceStream):
    """The repositories of a workspace.

    Also tells all streams below which repositories there are, so the list is read whole as soon
    as one of those is selected: ``updated_on`` does not move with pull requests or pipelines.
    """

    name = "repositories"
    path = "/repositories/{workspace}"
    primary_keys = ("uuid",)
    needed = ("full_name", "slug", "mainbranch", "project.key")
    incremental = UpdatedSince(reconcile=True)

    @property
    def partitions(self) -> list[dict[str, Any]]:
        """Return the workspaces; every shard reads the list and takes its share."""
        if self.place is not None:
            return [self.place.context]
        return [{"workspace": slug} for slug in self._tap.partitions.workspaces()]

    def floors_below(self, context: Context) -> list[str | None]:  # noqa: ARG002
        """Return the beginning as soon as anything needs to know the repositories."""
        return [None for _ in self.below()]

    def narrow(self, listing: Listing, condition: str | None) -> None:
        """Add the filter of the settings, which is never left out."""
        query = (self.config.get("repository_query") or "").strip()
        if not query:
            super().narrow(listing, condition)
            return
        both = f"({query}) AND {condition}" if condition else query
        listing.request = listing.request.with_params({"q": both})
        listing.simpler = (*listing.simpler, ("q", query)) if condition else listing.simpler

    def pages(self, listing: Listing) -> Any:
        """Read the list; without it nothing is known about the workspace."""
        try:
            yield from super().pages(listing)
        except SkipPartition as error:
            if error.status == 404:  # noqa: PLR2004
                raise unknown_workspace(listing.request.path.rpartition("/")[2]) from None
            query = self.config.get("repository_query")
            if error.status == 400 and query:  # noqa: PLR2004
                message = f"{error}. Check the setting 'repository_query': {shown(query)}"
                raise Fatal(message) from None
            raise

    def note_parents(self, feed: Feed[Repository], page: Page) -> None:
        """Tell the directory which repositories there are."""
        for _, row in raw_rows(page, _Repository):
            if self._wanted(row.full_name, row.uuid, row.project.key if row.project else None):
                workspace, _, slug = row.full_name.partition("/")
                repository = Repository(
                    uuid=row.uuid,
                    slug=row.slug or slug,
                    full_name=row.full_name,
                    workspace=workspace,
                    updated_on=row.updated_on,
                    mainbranch=_name_of(row.mainbranch),
                )
                self.directory.repositories[row.uuid] = repository
                feed.add(repository)

    def _wanted(self, full_name: str, uuid: str, project: str | None) -> bool:
        """Whether the settings let a repository through. Patterns ignore case, as slugs do."""
        name = full_name.lower()
        chosen = self.config.get("repositories")
        excluded = self.config.get("exclude_repositories") or ()
        projects = self.config.get("projects")
        if chosen and not any(fnmatchcase(name, pattern.lower()) for pattern in chosen):
            return False
        if any(fnmatchcase(name, pattern.lower()) for pattern in excluded):
            return False
        if projects and project not in projects:
            return False
        shard = shard_of(self.config)
        return shard is None or stable_hash(uuid) % shard[1] == shard[0]

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Drop what the settings exclude, and the user name that clone links may carry."""
        project = row.get("project") or {}
        if not self._wanted(str(row.get("full_name")), str(row.get("uuid")), project.get("key")):
            return None
        return without_user_info(row, CLONE, ("parent", *CLONE))


def stable_hash(uuid: str) -> int:
    """Return a number that is the same for a repository on every machine and in every run."""
    return int.from_bytes(hashlib.blake2b(uuid.encode(), digest_size=8).digest(), "big")


@decodable
class _Target(msgspec.Struct):
    hash: str


@decodable
class Ref(msgspec.Struct):
    """A branch or a tag, and where it points to."""

    target: _Target
    name: str | None = None


def refs(page: Page) -> Iterator[Ref]:
    """Yield the branches and tags of a page."""
    return (ref for _, ref in raw_rows(page, Ref))


class Refs(RepositoryStream):
    """Shared by branches and tags: what they point to is also where commits are read from."""

    needed = ("target.hash",)

    def reads(self, context: Context) -> bool:
        """Whether this run reads the partition."""
        if not self.selected or self._tap.resumption.skips(self, context):
            return False
        work = self.incremental.begin(self, context)
        return isinstance(work, GatedPass) and work.due

    def readings(self, context: Context) -> Iterable[Reading]:
        """Return the list, telling the directory what is where."""
        feed: Feed[Ref] = self.directory.filling(self.entity, context)

        def note(page: Page | None) -> None:
            for ref in refs(page) if page else ():
                feed.add(ref)

        return [Reading(lambda: fill(feed, self.pages(self.listing(context)), note))]


class Branches(Refs):
    """The branches, each with its newest commit."""

    name = "branches"
    path = "/repositories/{workspace}/{repository}/refs/branches"
    primary_keys = ("repository_uuid", "name")
    incremental = FullTable(unless_unchanged=True)


class Tags(Refs):
    """The tags, each with the commit it names."""

    name = "tags"
    path = "/repositories/{workspace}/{repository}/refs/tags"
    primary_keys = ("repository_uuid", "name")
    incremental = FullTable(unless_unchanged=True)


class DefaultReviewers(RepositoryStream):
    """Who is asked to review every pull request, by the repository's or its project's settings."""

    name = "default_reviewers"
    path = "/repositories/{workspace}/{repository}/effective-default-reviewers"
    primary_keys = ("repository_uuid", "user_uuid")
    incremental = FullTable()
    scope = "pullrequest"
    lifted = {"user_uuid": "user.uuid"}
