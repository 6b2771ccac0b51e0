"""How long a list is: one request for its smallest page, or what a longer page tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from itertools import islice
from typing import Any

from tap_bitbucket.client import BitbucketStream
from tap_bitbucket.directory import Feed, Parent
from tap_bitbucket.http.paging import Page, Paging
from tap_bitbucket.http.reader import Listing
from tap_bitbucket.incremental.passes import Row
from tap_bitbucket.listing import ListedStream
from tap_bitbucket.schemas import Path
from tap_bitbucket.state import at_or_after, moment

WALKED = 3
"""Pages that are read of a list that tells neither its size nor dates."""


SOME = 20
"""Rows that are asked for where there is more to look at below them."""


@dataclass
class Listed:
    """What is known about a list.

    Attributes:
        rows: How many it has.
        guess: Whether that is extrapolated.
        more: Whether the list goes on after what was seen of it.
        whole: How many there are beside those that are too old; 0 if that is the same.
        seen: Some of its rows, with the properties that the tap looks at.
        parents: The same for those who read below them.
    """

    rows: float = 0.0
    guess: bool = False
    more: bool = False
    whole: float = 0.0
    seen: list[Row] = field(default_factory=list)
    parents: list[Parent] = field(default_factory=list)

    def share(self, known: int) -> float:
        """Return by how much more rows there are than are known of."""
        return self.rows / known if known else 0.0


def smallest(stream: BitbucketStream, listing: Listing, *, whole: bool = False) -> Listing:
    """Return a list asked for as briefly as it allows.

    Args:
        stream: Whose list it is.
        listing: As the stream asks for it.
        whole: Whether a whole page is wanted, of which each row tells what the tap looks at.
    """
    changes: dict[str, str] = {}
    if not whole and "pagelen" in dict(listing.request.params):
        # Below some of the rows it is looked as well.
        changes["pagelen"] = str(min(SOME, stream.pagelen) if is_above(stream) else 1)
    if stream.takes_fields and stream.paging is not Paging.ENTITY:
        paths = [path for path in _looked_at(stream) if path[0] not in stream.made_columns]
        names = [".".join(path) for path in paths] + list(stream.carried.values())
        changes["fields"] = ",".join(
            ["size", "page", "pagelen", "next"]
            + [f"values.{name}" for name in dict.fromkeys(names or ["type"])]
        )
    listing.request = listing.request.with_params(changes)
    kept = tuple(change for change in listing.simpler if change[0] != "fields")
    listing.simpler = (("fields", None), *kept)
    return listing


def _looked_at(stream: BitbucketStream) -> Iterator[Path]:
    """Yield what the tap looks at in a row, without all that other streams take from it."""
    yield from ListedStream.needed_paths(stream)
    theirs = {name for one in stream.companions for name in one.needed}
    for path in stream.needed_paths():
        if len(path) == 1 or path[-1] in theirs:
            yield path


def is_above(stream: BitbucketStream) -> bool:
    """Whether there is a list below each of a stream's rows, which is read."""
    parents = (getattr(one.incremental, "parents", None) for one in stream.below())
    return stream.entity in parents or stream.heard


def first_pages(stream: BitbucketStream, listing: Listing, count: int = 1) -> list[Page]:
    """Return the first pages of a list; none where there is nothing to read."""
    return list(islice(stream.pages(listing), count))


def goes_on(page: Page, paging: Paging) -> bool:
    """Whether there is more of a list after a page."""
    if paging in {Paging.ENTITY, Paging.NONE} or not page.values:
        return False
    if paging in {Paging.NUMBER, Paging.LOOSE}:
        return page.length is not None and len(page.values) >= page.length
    return page.next is not None


def told_by(stream: BitbucketStream, pages: Sequence[Page]) -> Listed:
    """Return what the first pages of a list tell about all of it."""
    found = Listed()
    feed: Feed[Any] = Feed()
    for page in pages:
        found.seen += page.rows()
        stream.note_parents(feed, page)
    feed.finish()
    found.parents = [one for one in feed if isinstance(one, Parent)]
    size = next((page.size for page in pages if page.size is not None), None)
    found.rows = float(size if size is not None else sum(len(page.values) for page in pages))
    found.more = bool(pages) and goes_on(pages[-1], stream.paging)
    found.guess = size is None and found.more
    return found


def backwards(
    stream: BitbucketStream, found: Listed, floor: str | None, begin: str | None
) -> Listed:
    """Count by its dates what a list newest first, of which some rows are known, holds.

    Args:
        stream: Whose list it is.
        found: What its first page tells.
        floor: The moment down to which it is read (``start_date``); None for all of it.
        begin: When the first row can have been written.
    """
    dates = sorted(filter(None, (_seconds(stream.cursor_of(row)) for row in found.seen)))
    whole = found.rows
    if not dates:
        return found
    bottom = _seconds(floor) or 0.0
    inside = [date for date in dates if date >= bottom]
    if len(inside) < len(dates):  # the page goes down to the floor
        seen = [row for row in found.seen if at_or_after(stream.cursor_of(row), floor)]
        parents = [one for one in found.parents if at_or_after(one.created, floor)]
        return replace(found, rows=float(len(seen)), guess=False, seen=seen, parents=parents)
    if not found.guess and floor is None:
        return found
    span, until = dates[-1] - dates[0], max(bottom, _seconds(begin) or 0.0)
    now = datetime.now(timezone.utc).timestamp()
    if span <= 0 or not until:
        return found
    rows = len(dates) * max(1.0, (min(dates[-1], now) - until) / span)
    # A size that was told bounds what the dates say.
    return replace(found, rows=rows if found.guess else min(rows, whole), guess=True)


def _seconds(value: str | None) -> float | None:
    try:
        parsed = moment(value)
    except ValueError:
        return None
    return None if parsed is None else parsed.timestamp()


def length(stream: BitbucketStream, listing: Callable[[], Listing]) -> Listed:
    """Return how long a list is, by its smallest page, or if that does not tell by longer ones.

    Args:
        stream: Whose list it is.
        listing: Returns it as the stream asks for it.
    """
    found = told_by(stream, first_pages(stream, smallest(stream, listing())))
    if not found.guess:
        return found
    return told_by(stream, first_pages(stream, smallest(stream, listing(), whole=True), WALKED))
