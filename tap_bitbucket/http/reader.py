"""Whole lists, page by page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import parse_qsl

from tap_bitbucket.http.errors import SkipPartition, Transient
from tap_bitbucket.http.identities import ANYBODY, Asker
from tap_bitbucket.http.paging import Page, Paging, next_request, parse_page
from tap_bitbucket.http.refusals import Nothing, Refused
from tap_bitbucket.http.request import Request
from tap_bitbucket.http.session import Answer, Session

logger = logging.getLogger("tap-bitbucket.http")

_LENGTHS = (500, 100, 50, 30, 20, 10)


@dataclass
class Listing:
    """A list to read.

    Attributes:
        request: For its first page.
        paging: How it goes on.
        simpler: What to change in the query, one after the other, should Bitbucket refuse the
            request: a parameter and its simpler value, None to leave it out.
        enough: Whether a page is the last one of interest.
        asker: Who is to ask, and what for.
        simplified: Which parameters had to be changed, and to what.
    """

    request: Request
    paging: Paging = Paging.NEXT
    simpler: tuple[tuple[str, str | None], ...] = ()
    enough: Callable[[Page], bool] | None = None
    asker: Asker = ANYBODY
    simplified: dict[str, str | None] = field(default_factory=dict)


def pages(session: Session, listing: Listing) -> Iterator[Page]:
    """Yield the pages of a list; nothing if there is nothing.

    Raises:
        SkipPartition, StopReading, Fatal, AuthenticationError: See ``Session.read``.
    """
    request: Request | None = listing.request
    simpler = [change for change in listing.simpler if change[0] in dict(listing.request.params)]
    seen: set[int] = set()
    while request is not None:
        if hash(request) in seen:
            message = f"{request.method} {request.path}: the pages link in a circle"
            raise SkipPartition(message)
        seen.add(hash(request))
        try:
            page = _read(session, request, listing)
        except Nothing:
            return
        except Refused as error:
            # Some lists refuse fields or an order that others take; the rows are what matters.
            shorter = _shorter(request, error)
            if len(seen) > 1 or not (shorter or simpler):
                raise
            name, value = shorter or simpler.pop(0)
            listing.simplified[name] = value
            request = request.without(name) if value is None else request.with_params({name: value})
            seen.clear()
            continue
        _expect_objects(request, page)
        if _strangers(page):
            page = _read(session, request, listing)
            _expect_objects(request, page)
            _warn_of(_strangers(page), request)
        astray: SkipPartition | None = None
        try:
            page.after = next_request(request, page, listing.paging, session.api_url)
        except SkipPartition as error:
            astray = error
        yield page
        if listing.enough is not None and listing.enough(page):
            return
        if astray is not None:
            raise astray
        request = page.after


def going_on(listing: Listing, target: str | None) -> Listing | None:
    """Return a list from a page on (``Page.after.target``), None if there is no such page."""
    if target is None:
        return None
    place, _, query = target.partition("?")
    if listing.paging is Paging.NEXT:
        return replace(listing, request=Request(place, query=query), simpler=())
    return replace(listing, request=Request(place, tuple(parse_qsl(query))), simpler=())


def _read(session: Session, request: Request, listing: Listing) -> Page:
    return session.read(request, partial(_page, request, listing.paging), listing.asker)


def _strangers(page: Page) -> int:
    """Count what stands among the rows and is none: a row may be missing in its place."""
    return sum(not bytes(memoryview(raw)[:1]).startswith(b"{") for raw in page.values)


def _warn_of(strangers: int, request: Request) -> None:
    if strangers:
        logger.warning(
            "%s %s: %d of the values are no rows, also when asked again; the others are read.",
            *(request.method, request.path, strangers),
        )


def _expect_objects(request: Request, page: Page) -> None:
    """Refuse a page with a sentence where rows should be, which must not count as empty.

    The Free plan has answered so to snippets.

    Raises:
        SkipPartition: With the sentence.
    """
    if page.values and not any(bytes(raw).startswith(b"{") for raw in page.values):
        said = bytes(page.values[0])[:200].decode(errors="replace")
        message = f"{request.method} {request.path}: Bitbucket sends no rows, but {said}"
        raise SkipPartition(message, 402)


def _shorter(request: Request, error: Refused) -> tuple[str, str | None] | None:
    """Return a shorter length of page, if that is what Bitbucket refuses.

    For many lists it is not documented how long their pages may be.
    """
    asked = dict(request.params).get("pagelen")
    if asked is None or "pagelen" not in str(error).partition("HTTP")[2].lower():
        return None
    return "pagelen", next((str(length) for length in _LENGTHS if length < int(asked)), None)


def _page(request: Request, paging: Paging, answer: Answer) -> Page:
    try:
        page = parse_page(answer.body, paging)
    except Transient as error:
        message = f"{request.method} {request.path}: HTTP {answer.status}, but {error}"
        raise Transient(message) from None
    page.as_of = answer.at
    return page
