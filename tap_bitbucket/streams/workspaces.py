"""Workspaces and the people in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from tap_bitbucket.agreement import settle
from tap_bitbucket.client import BitbucketStream
from tap_bitbucket.decodable import decodable
from tap_bitbucket.directory import Feed, Workspace
from tap_bitbucket.http.errors import Fatal, SkipPartition
from tap_bitbucket.http.identities import Asker, Identity
from tap_bitbucket.http.paging import Page, Paging
from tap_bitbucket.http.reader import Listing
from tap_bitbucket.http.request import Request, path
from tap_bitbucket.incremental import FullTable
from tap_bitbucket.incremental.passes import Context, Row, fill, raw_rows
from tap_bitbucket.plan import Reading, Step, Until
from tap_bitbucket.scopes import GlobalStream, WorkspaceStream

_GLOB = frozenset("*?[")


@decodable
class _Slug(msgspec.Struct):
    slug: str


@decodable
class _Access(msgspec.Struct):
    workspace: _Slug


class Workspaces(GlobalStream):
    """The workspaces that are read.

    Bitbucket lists them only to people (``/user/workspaces``) and there without their names, so
    each is asked for singly, and access tokens need the setting ``workspaces``.
    """

    name = "workspaces"
    path = "/workspaces/{workspace}"
    primary_keys = ("uuid",)
    incremental = FullTable()
    scope = ""  # to know of a workspace takes none; to be told of one, `account`
    token_scope = "read:workspace"
    paging = Paging.ENTITY
    contexts = ("workspace_context",)

    def readings(self, context: Context) -> Iterable[Step]:
        """Yield a reading per workspace, telling the directory their slugs."""
        feed: Feed[Workspace] = self.directory.filling(self.entity, context)
        yield from self.telling(feed)
        if self.selected:
            yield Until(feed)
            resolved = {name for name in self.configured() or () if name.startswith("{")}
            for workspace in feed:
                if workspace.uuid not in resolved:
                    yield self._one(workspace.slug)

    def telling(self, feed: Feed[Workspace]) -> Iterator[Reading]:
        """Yield the readings that tell which workspaces there are, and end the feed."""
        named = self.configured()
        if named is None:
            yield Reading(lambda: self._discover(feed))
        else:
            asked = [name for name in named if name.startswith("{") or self._shared(name)]
            for name in named:
                if name not in asked:
                    feed.add(Workspace(name))
            if asked:
                yield Reading(lambda: self._resolve(asked, feed))
            else:
                feed.finish()

    def _shared(self, name: str) -> bool:
        """Tell whether several credentials are for a workspace."""
        return len(self._tap.session.identities.of(name.casefold())) > 1

    def _settle(self, slug: str) -> str:
        """See that those who are for a workspace see the same of it, and return its slug."""
        reason = settle(self._tap.session, slug)
        if reason is not None:
            self._not_whole(slug, SkipPartition(reason))
        return slug

    def _not_whole(self, what: str, error: SkipPartition) -> None:
        """Note that there is more than is read: it must not look deleted."""
        self.complete = False
        self._tap.reconciliation.unknown.add("workspaces")
        self._tap.summary.skipped(self.name, what, error)

    def configured(self) -> list[str] | None:
        """Return what the settings name: repositories and credentials name workspaces, too."""
        if self.config.get("workspaces"):
            return list(dict.fromkeys(self.config["workspaces"]))
        patterns: list[str] = self.config.get("repositories") or []
        names = [pattern.partition("/")[0] for pattern in patterns]
        if names and not any(_GLOB.intersection(name) for name in names):
            return list(dict.fromkeys(names))
        return self._tap.session.identities.bound

    def _one(self, slug: str) -> Reading:
        return Reading(lambda: self._entity(slug))

    def _entity(self, name: str) -> Iterator[Page]:
        try:
            yield from self.pages(Listing(Request(path(self.path, workspace=name)), self.paging))
        except SkipPartition as error:
            # A token of one repository may read the list of repositories and not this.
            if error.status == 404 and not self._lists_repositories(name):  # noqa: PLR2004
                raise unknown_workspace(name) from None
            raise

    def _lists_repositories(self, name: str) -> bool:
        request = Request(path("/repositories/{workspace}", workspace=name), (("pagelen", "1"),))
        try:
            next(self.pages(Listing(request)))
        except SkipPartition:
            return False
        return True

    def _discover(self, feed: Feed[Workspace]) -> Iterator[Page]:
        """Ask which workspaces the credentials see; the rows themselves are not workspaces."""
        identities = self._tap.session.identities
        found: list[str] = []
        try:
            for one in identities.members:
                if one.workspaces is not None:
                    found += [self._slug_of(name) for name in sorted(one.workspaces)]
                    continue
                seen = self._seen_by(one)
                identities.bind(one, seen)
                found += seen
        except SkipPartition as error:
            failure = Fatal(
                f"{error}. Which workspaces there are is told only to people: with an access "
                "token or a client-credentials grant name them in the setting 'workspaces'"
            )
            feed.finish(failure)
            raise failure from None
        except BaseException as error:
            feed.finish(error)
            raise
        try:
            for slug in dict.fromkeys(found):
                feed.add(Workspace(self._settle(slug)))
        except BaseException as error:
            feed.finish(error)
            raise
        feed.finish()
        yield from ()

    def _seen_by(self, identity: Identity) -> list[str]:
        """Return the workspaces that Bitbucket lists to one identity."""
        asker = Asker(self.entity, only=identity)
        listing = Listing(Request("/user/workspaces", (("pagelen", "100"),)), asker=asker)
        try:
            return [
                row.workspace.slug
                for page in self.pages(listing)
                for _, row in raw_rows(page, _Access)
            ]
        except SkipPartition as error:
            if identity.refused is None:
                raise
            # The others go on; what only this one sees must not look deleted.
            self._not_whole(f"what {identity.name} sees", error)
            return []

    def _slug_of(self, name: str) -> str:
        """Return the slug of a workspace that a credential is bound to."""
        if not name.startswith("{"):
            return name
        slugs: list[str] = [
            row.slug for page in self._entity(name) for _, row in raw_rows(page, _Slug)
        ]
        self._tap.session.identities.also_called(name, slugs[0])
        return slugs[0]

    def _resolve(self, names: list[str], feed: Feed[Workspace]) -> Iterator[Page]:
        """Ask for workspaces that are named by uuid, and whether all see the same of them."""
        try:
            for name in names:
                if not name.startswith("{"):
                    feed.add(Workspace(self._settle(name)))
                    continue
                for page in self._entity(name):
                    for _, row in raw_rows(page, _Slug):
                        self._tap.session.identities.also_called(name, row.slug)
                        feed.add(Workspace(self._settle(row.slug), name))
                    yield page
        except BaseException as error:
            feed.finish(error)
            raise
        feed.finish()

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Add the slug under the name that it has in all other streams."""
        return {"workspace": row.get("slug"), **row}


def unknown_workspace(name: str) -> Fatal:
    """Return the error for a workspace that is not there."""
    return Fatal(
        f"There is no workspace '{name}', or the credential does not see it. The setting "
        "'workspaces' takes slugs, as in the address bitbucket.org/<slug>, or uuids in braces"
    )


@decodable
class _Member(msgspec.Struct):
    user: msgspec.Raw


class _People(WorkspaceStream):
    """Shared by the two lists of a workspace's people."""

    scope = "account"
    primary_keys = ("workspace_uuid", "user_uuid")
    incremental = FullTable()
    lifted = {"workspace_uuid": "workspace_object.uuid", "user_uuid": "user.uuid"}
    needed = ("workspace.uuid",)


class WorkspaceMembers(_People):
    """Who belongs to a workspace."""

    name = "workspace_members"
    path = "/workspaces/{workspace}/members"

    def needed_paths(self) -> list[tuple[str, ...]]:
        """Return what the tap looks at, and what the stream of accounts takes from here."""
        users: BitbucketStream = self.related("users")
        names = users.schema["properties"] if users.selected else ()
        wanted = [("user", name) for name in names if (name,) not in users.cuts]
        return [*super().needed_paths(), *wanted]

    def readings(self, context: Context) -> Iterable[Reading]:
        """Yield the list, telling the directory the accounts."""
        feed: Feed[msgspec.Raw] = self.directory.filling(self.entity, context)

        def note(page: Page | None) -> None:
            for _, row in raw_rows(page, _Member) if page else ():
                feed.add(row.user)

        return [Reading(lambda: fill(feed, self.pages(self.listing(context)), note))]


class WorkspacePermissions(_People):
    """Who may do what in a workspace: owner, collaborator or member."""

    name = "workspace_permissions"
    path = "/workspaces/{workspace}/permissions"
