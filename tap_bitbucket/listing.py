"""How a stream's list is asked for: path, page length, what is left out of the rows."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from tap_bitbucket.http.errors import MissingScope
from tap_bitbucket.http.identities import ANYBODY, Asker, Group, workspace_of
from tap_bitbucket.http.paging import Page, Paging
from tap_bitbucket.http.reader import Listing, pages
from tap_bitbucket.http.request import Request, path
from tap_bitbucket.incremental.passes import Context
from tap_bitbucket.schemas import stream_schema
from tap_bitbucket.selection import fields, topmost
from tap_bitbucket.singer import SingerStream

if TYPE_CHECKING:
    from tap_bitbucket.layout import Place
    from tap_bitbucket.tap import TapBitbucket

CONTEXT_COLUMNS = (
    "workspace",
    "repository_uuid",
    "repository",
    "repository_full_name",
    "project_uuid",
    "project_key",
)
"""What the scopes add to every row."""


class ListedStream(SingerStream):
    """A list of Bitbucket Cloud.

    Attributes:
        path: Template of the list's path below ``api_url``.
        scope: The OAuth scope it needs.
        token_scope: The scope that it needs of an API token, without ``:bitbucket``; by default
            the one that goes with ``scope``.
        admin: Whether it takes an administrator of the workspace, project or repository.
        paging: How the list goes on.
        pagelen: The longest page that the endpoint allows, 0 where it takes no such parameter.
        extra_fields: What Bitbucket leaves out of the list unless asked.
        takes_fields: Whether the endpoint honours ``fields``; the pipelines service does not.
        kind: What has a partition of its own: workspace, project, repository, or nothing.
        contexts: Definitions of the columns that the scope adds.
        derived: Columns that the tap makes.
        lifted: Columns that are copied from inside the row, with the dotted way to them.
        needed: What the tap looks at in a row beside its key, dotted. It is asked for even when
            it is not selected.
    """

    name: str = ""
    path: ClassVar[str] = ""
    scope: ClassVar[str] = "repository"
    token_scope: ClassVar[str] = ""
    admin: ClassVar[bool] = False
    paging: ClassVar[Paging] = Paging.NEXT
    pagelen: ClassVar[int] = 100
    extra_fields: ClassVar[tuple[str, ...]] = ()
    takes_fields: ClassVar[bool] = True
    kind: ClassVar[str] = ""
    contexts: ClassVar[tuple[str, ...]] = ()
    derived: ClassVar[tuple[str, ...]] = ()
    lifted: ClassVar[Mapping[str, str]] = {}
    needed: ClassVar[tuple[str, ...]] = ()

    primary_keys: Sequence[str] = ()
    replication_key: str | None = None

    def __init__(self, tap: TapBitbucket, place: Place | None = None) -> None:
        """Set up the stream, in the layout per repository for one place; nothing is read."""
        self.entity = type(self).name
        self.place = place
        described = stream_schema(self.entity, tuple(self.primary_keys), self.contexts)
        super().__init__(tap, described, place.stream_name(self.entity) if place else self.entity)
        self._denied: dict[Group, MissingScope] = {}
        self._doubt = threading.Lock()
        self._pagelen = str(self.pagelen)

    def path_names(self, context: Context) -> dict[str, Any]:
        """Return what fills the path's placeholders."""
        raise NotImplementedError

    def columns(self, context: Context) -> dict[str, Any]:
        """Return the columns that every row of a partition carries."""
        raise NotImplementedError

    def listing(self, context: Context, parent: Mapping[str, Any] | None = None) -> Listing:
        """Return the list of one partition, or of one parent in it."""
        names = {**self.path_names(context), **(parent or {})}
        params: list[tuple[str, str]] = []
        if self.pagelen and self.paging is not Paging.ENTITY:
            params.append(("pagelen", self._pagelen))
        more, less = self._fields()
        if more or less:
            params.append(("fields", ",".join([*more, *less])))
        request = Request(path(self.path, **names), tuple(params))
        # Whether Bitbucket refuses names that it does not know is not documented.
        simpler = [("fields", ",".join(more) or None)] if less else []
        return Listing(request, self.paging, simpler=tuple(simpler))

    def narrow(self, listing: Listing, condition: str | None) -> None:
        """Add a filter to a listing.

        Not every list is documented to filter: without, the strategy sorts out the rows itself.
        """
        if condition is not None:
            listing.request = listing.request.with_params({"q": condition})
            listing.simpler = (*listing.simpler, ("q", None))

    def item_request(self, context: Context, key: str) -> Request:
        """Return the request for one row."""
        return Request(path(self.path.rstrip("/") + "/{key}", key=key, **self.path_names(context)))

    def pages(self, listing: Listing) -> Iterator[Page]:
        """Read a list; ask nothing more once a scope is known to be missing."""
        session = self._tap.session
        who = session.identities.of(workspace_of(listing.request.path))
        if listing.asker is ANYBODY:
            listing.asker = Asker(self.entity)
        # Where a scope seems to be missing one list is asked for first: it tells for all.
        doubtful = self.entity in self._tap.preflight.doubtful
        try:
            with self._doubt if doubtful else nullcontext():
                if who in self._denied:
                    raise self._denied[who]
                found = pages(session, listing)
                begun = self._begun(found, who)
            yield from begun
            yield from found
        finally:
            self._pagelen = listing.simplified.get("pagelen") or self._pagelen

    def _begun(self, found: Iterator[Page], who: Group) -> list[Page]:
        """Read the first page of a list, and remember what a missing scope is missing for."""
        try:
            return list(islice(found, 1))
        except MissingScope as error:
            self._denied[who] = error
            raise

    def _fields(self) -> tuple[list[str], list[str]]:
        """Return what ``fields=`` adds to the list's own properties, and what it takes away."""
        if not self.takes_fields or self.paging is Paging.ENTITY:
            return [], []
        needed = self.needed_paths()
        # Of a deselected stream that others depend on, Singer's catalog deselects everything.
        cuts = self.cuts if self.selected else topmost(self._described.unselected)
        less = fields(cuts, needed, self.made_columns)
        more = [f"+values.{name}" for name in self.extra_fields if f"-values.{name}" not in less]
        return more, [field for field in less if field[8:] not in self.extra_fields]

    def needed_paths(self) -> list[tuple[str, ...]]:
        """Return what the tap looks at in a row."""
        names = (
            *self.primary_keys,
            *self.needed,
            *self.lifted.values(),
            self.replication_key or "",
        )
        return [tuple(name.split(".")) for name in names if name]

    @property
    def made_columns(self) -> set[str]:
        """Return the columns that Bitbucket does not know."""
        return {*self.derived, *self.lifted, *CONTEXT_COLUMNS}
