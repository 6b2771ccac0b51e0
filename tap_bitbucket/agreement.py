"""Do several credentials for one workspace see the same of it? They are used in turn only then.

A list of which one page was seen by one and the next by another would be short, and what is not
in a whole list looks deleted. So before anything is read the lists of repositories are compared.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from tap_bitbucket.http.errors import Postponed, SkipPartition
from tap_bitbucket.http.identities import Asker, Identity
from tap_bitbucket.http.reader import Listing, pages
from tap_bitbucket.http.request import Request, path
from tap_bitbucket.http.session import Session

_FIELDS = "next,size,values.uuid"

logger = logging.getLogger("tap-bitbucket.identities")


@dataclass
class _View:
    """What an identity sees of a workspace: uuids of repositories; the first page to begin with."""

    identity: Identity
    listing: Listing
    size: int | None = None
    more: bool = False
    uuids: set[Any] = field(default_factory=set)

    @property
    def beginning(self) -> tuple[int | None, bool, frozenset[Any]]:
        return self.size, self.more, frozenset(self.uuids)


def settle(session: Session, workspace: str) -> str | None:
    """Leave out of a workspace those who see less of it than another one.

    It costs a request for each, if several identities are for the workspace; all pages of their
    lists of repositories only if these differ.

    Returns:
        What is seen by one that was left out, and by nobody else; None if there is no such thing.

    Raises:
        StopReading, Fatal, AuthenticationError: See ``Session.read``.
    """
    group = [one for one in session.identities.of(workspace.casefold()) if one.refused is None]
    if len(group) < 2:  # noqa: PLR2004 - one agrees with itself
        return None
    views = [_first_page(session, one, workspace) for one in group]
    if len({view.beginning for view in views}) == 1:
        return None
    for view in views:
        if view.more:
            view.uuids |= {
                row.get("uuid") for page in pages(session, view.listing) for row in page.rows()
            }
    best = max(views, key=lambda view: len(view.uuids))
    only_theirs = []
    for view in views:
        if view.uuids == best.uuids:
            continue
        view.identity.left_out.add(workspace.casefold())
        extra = len(view.uuids - best.uuids)
        told = f"{view.identity.name} sees {len(view.uuids)} repositories of {workspace}"
        if extra:
            only_theirs.append(f"{told}, {extra} of which {best.identity.name} does not see")
        else:
            logger.info("%s, and is not used for it: %s", told, f"{best.identity.name} sees more")
    if not only_theirs:
        return None
    return (
        f"{'; '.join(only_theirs)}. Only {best.identity.name} is used there: credentials for the"
        " same workspace must see the same"
    )


def _first_page(session: Session, identity: Identity, workspace: str) -> _View:
    request = Request(
        path("/repositories/{workspace}", workspace=workspace),
        (("pagelen", "100"), ("fields", _FIELDS)),
    )
    listing = Listing(request, asker=Asker(only=identity))
    view = _View(identity, listing)
    try:
        page = next(iter(pages(session, listing)), None)
    except Postponed:
        raise
    except SkipPartition:
        return view  # it sees nothing, or is refused
    if page is not None:
        view.size, view.more = page.size, page.next is not None
        view.uuids = {row.get("uuid") for row in page.rows()}
    return view
