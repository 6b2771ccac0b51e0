"""How long a list is, by its way of reading: what is asked to learn it."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import singledispatch
from itertools import islice
from typing import TYPE_CHECKING

from tap_bitbucket.client import BitbucketStream
from tap_bitbucket.estimate.lists import (
    WALKED,
    Listed,
    backwards,
    first_pages,
    goes_on,
    is_above,
    length,
    smallest,
    told_by,
)
from tap_bitbucket.http.paging import Page, Paging
from tap_bitbucket.http.reader import Listing
from tap_bitbucket.incremental import (
    FullTable,
    NewCommits,
    NewestFirst,
    Strategy,
    UpdatedSince,
    WhenHeadMoved,
)
from tap_bitbucket.plan import Reading

if TYPE_CHECKING:
    from tap_bitbucket.estimate.here import Here

ENTRIES = 3
"""Entries of a feed for each parent beside its comments: opened, approved, merged."""


@singledispatch
def look(way: Strategy, stream: BitbucketStream, here: Here) -> Listed:  # noqa: ARG001
    """Return what a request or two tell about a stream's list."""
    return length(stream, lambda: stream.listing(here.context))


@look.register(FullTable)
def _(way: FullTable, stream: BitbucketStream, here: Here) -> Listed:
    if way.unless_unchanged and here.spot.empty:
        return Listed()
    if stream.kind:
        return length(stream, lambda: stream.listing(here.context))
    readings = [one for one in stream.readings(here.context) if isinstance(one, Reading)]
    pages = [
        [page for page in islice(one.source(), 1) if isinstance(page, Page)] for one in readings
    ]
    lists = [told_by(stream, first) for first in pages]
    whole = Listed(sum(one.rows for one in lists), any(one.guess for one in lists))
    for one in lists:
        whole.seen += one.seen
        whole.parents += one.parents
    return whole


@look.register(WhenHeadMoved)
def _(way: WhenHeadMoved, stream: BitbucketStream, here: Here) -> Listed:  # noqa: ARG001
    if here.spot.empty:
        return Listed()
    head = stream.head(here.context)
    found = list(islice(stream.tree(here.context, head), WALKED))
    rows = float(sum(len(page.values) for page in found))
    return Listed(rows, len(found) == WALKED and goes_on(found[-1], stream.paging))


@look.register(UpdatedSince)
def _(way: UpdatedSince, stream: BitbucketStream, here: Here) -> Listed:
    """Ask for a whole page where streams below take counts from the rows, and for one amidst."""

    def listing() -> Listing:
        made = stream.listing(here.context)
        stream.narrow(made, way.condition(here.start_date) if here.start_date else None)
        return made

    if not (is_above(stream) or way.silent):
        return length(stream, listing)
    brief = smallest(stream, listing(), whole=True)
    known = first_pages(stream, brief)
    if known and known[0].number is not None and known[0].size is not None:
        last = math.ceil(known[0].size / max(1, known[0].length or stream.pagelen))
        if last > 2:  # noqa: PLR2004 - the newest are not like all the others
            brief.request = brief.request.with_params({"page": str(last // 2 + 1)})
            known += first_pages(stream, brief)
    return told_by(stream, known)


@look.register(NewestFirst)
def _(way: NewestFirst, stream: BitbucketStream, here: Here) -> Listed:
    """Ask for the size, or by dates for what lies above ``start_date``."""
    gate = here.gate(way.gate) if way.gate else None
    if gate is not None and not gate.rows:
        return Listed()

    def listing() -> Listing:
        made = stream.listing(here.context)
        if way.sort:
            made.request = made.request.with_params({"sort": way.sort})
            made.simpler = (("sort", None), *made.simpler)
        return made

    if stream.paging is Paging.NUMBER and here.start_date is None:
        return length(stream, listing)
    found = told_by(stream, first_pages(stream, smallest(stream, listing(), whole=True)))
    if here.start_date is not None or gate is None or not gate.parents:
        return backwards(stream, found, here.start_date, here.spot.created_on)
    if not found.guess:
        return found
    return replace(found, rows=max(_entries(found, gate), float(len(found.seen))), guess=True)


def _entries(found: Listed, gate: Listed) -> float:
    """Return how many entries a feed has, from the number of comments in it.

    A pull request has a few beside them; and among the newest entries so many are comments.
    """
    counts = [one.counts.get("comment_count", 0) for one in gate.parents]
    comments = sum(counts) * gate.share(len(counts))
    entries = comments + ENTRIES * gate.rows
    among = sum(isinstance(row.get("comment"), dict) for row in found.seen)
    if among < len(found.seen) / 5:
        return entries
    return (entries + comments * len(found.seen) / among) / 2


@look.register(NewCommits)
def _(way: NewCommits, stream: BitbucketStream, here: Here) -> Listed:  # noqa: ARG001
    if here.spot.empty:
        return Listed()
    found = told_by(
        stream, first_pages(stream, smallest(stream, stream.listing(here.context), whole=True))
    )
    whole = backwards(stream, found, None, here.spot.created_on)
    since = backwards(stream, found, here.start_date, here.spot.created_on)
    return replace(since, whole=whole.rows)
