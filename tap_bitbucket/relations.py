"""What lies below a row: how a stream reads it, and how it tells those that lie below itself.

A pull request has comments, a step has test cases, a report has annotations. Whoever reads the
parents anyway tells a feed (see ``directory``), and the streams below take them from there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, ClassVar

from tap_bitbucket.directory import Directory, Feed, Parent
from tap_bitbucket.http.errors import SkipPartition
from tap_bitbucket.http.paging import Page, Paging
from tap_bitbucket.http.reader import Listing
from tap_bitbucket.http.request import Request, path
from tap_bitbucket.incremental.passes import Context, fill
from tap_bitbucket.listing import ListedStream
from tap_bitbucket.plan import Reading, Step
from tap_bitbucket.state import iso

logger = logging.getLogger("tap-bitbucket")

GONE = frozenset({404, 410})

_LOOKED_INTO = 10
"""How many absences in a partition are each worth a request."""


class Absences:
    """What was not there in a partition.

    The first ones are looked into at once: is it the partition that is gone? Of many, as where
    forks vanished, the rest is left to the end.

    Attributes:
        open: How many are left to the end.
    """

    def __init__(self) -> None:
        self.open = 0
        self._count = 0
        self._lock = threading.Lock()

    def note(self, check: Callable[[], None]) -> None:
        """Note one, and perhaps make sure that the partition is there."""
        with self._lock:
            self._count += 1
            if self._count > _LOOKED_INTO:
                self.open += 1
            else:
                check()


class RelatedStream(ListedStream):
    """A list of Bitbucket Cloud that hangs below another one, or has others below it.

    Attributes:
        carried: What the rows below carry of a row here: their column, this row's property. The
            first one identifies a row here.
        through: The stream between this one and the parents, if there is one: the steps between
            a pipeline and its tests. Of several the first that this run reads, else the last.
        nothing_if: Statuses of an answer that mean that a parent has nothing below it.
        home: Path of what the partition is about, which tells whether it is still there.
    """

    carried: ClassVar[Mapping[str, str]] = {}
    through: ClassVar[tuple[str, ...]] = ()
    nothing_if: ClassVar[frozenset[int]] = frozenset()
    home: ClassVar[str] = ""

    def hears(self) -> tuple[str, ...]:
        """Return the streams whose rows this one takes over, if they are read anyway."""
        return self.through

    @property
    def heard(self) -> bool:
        """Whether a stream that is read takes over rows of this one."""
        return any(stream.selected for stream in self._tap.index.hearing(self.name))

    @property
    def directory(self) -> Directory:
        """Return what is read once per run."""
        return self._tap.directory

    def check_absences(self, context: Context) -> None:
        """Make sure, once all is read, that a 404 in a partition meant that there is nothing.

        Bitbucket answers so, too, where access to the repository was lost.

        Raises:
            SkipPartition: If the partition cannot be read any more.
        """
        if self._absences(context).open:
            self._ask_home(context)

    def all_absences_checked(self, context: Context) -> bool:
        """Whether each 404 so far was made sure of."""
        return not self._absences(context).open

    def _absences(self, context: Context) -> Absences:
        return self.directory.once(self.name, context, Absences)[0]

    def _ask_home(self, context: Context) -> None:
        if self.home:
            request = Request(path(self.home, **self.path_names(context)), (("fields", "uuid"),))
            for _ in self.pages(Listing(request, Paging.LOOSE)):
                pass

    @property
    def now(self) -> str:
        """Return the time on Bitbucket's clock."""
        return iso(datetime.fromtimestamp(self._tap.session.now(), timezone.utc))

    def related(self, entity: str) -> Any:
        """Return another stream of the same place."""
        return self._tap.index.related(entity, self.place)

    # -- telling those below ----------------------------------------------------------------------

    def readings(self, context: Context) -> Iterable[Step]:
        """Return the lists of a whole pass."""
        listing = self.listing(context)
        if not self.carried:
            return [Reading(lambda: self.pages_below(listing, context))]
        feed: Feed[Parent] = self.directory.filling(self.entity, context)
        return [Reading(lambda: self._telling(feed, self.pages_below(listing, context)))]

    def _telling(self, feed: Feed[Any], source: Iterator[Page]) -> Iterator[Page]:
        def note(page: Page | None) -> None:
            if page is not None:
                self.note_parents(feed, page)

        return fill(feed, source, note)

    def note_parents(self, feed: Feed[Any], page: Page) -> None:
        """Tell the streams below about the rows of a page; runs in a worker."""
        if self.carried:
            for row in page.rows():
                feed.add(self._parent({**row, **page.columns}))

    def _parent(self, row: Mapping[str, Any]) -> Parent:
        columns = {column: row.get(name) for column, name in self.carried.items()}
        created = str(row.get("created_on") or "")
        changed = str(row.get("updated_on") or created)
        return Parent(str(next(iter(columns.values()))), columns, created, changed)

    # -- reading below a parent -------------------------------------------------------------------

    def reading_below(self, context: Context, parent: Parent, since: str | None = None) -> Reading:
        """Return the reading of what lies below a parent."""
        columns = {name: value for name, value in parent.columns.items() if name in self.derived}
        if not self.heard:
            return Reading(lambda: self.pages_of(context, parent), columns, since)
        feed: Feed[Parent] = self.directory.filling(self.entity, self._place(context, parent))
        return Reading(
            lambda: self._telling(feed, self.pages_of(context, parent)), columns, since, feed
        )

    def pages_of(self, context: Context, parent: Parent) -> Iterator[Page]:
        """Read what lies below a parent."""
        if not self.through:
            yield from self.pages_below(self.listing(context, parent.columns), context)
            return
        for child in self._between(context, parent).children(context, parent):
            listing = self.listing(context, {**parent.columns, **child.columns})
            for page in self.pages_below(listing, context):
                page.columns = child.columns
                yield page

    def _between(self, context: Context, parent: Parent) -> RelatedStream:
        """Return the stream between this one and the parents."""
        streams: list[RelatedStream] = [self.related(name) for name in self.through]
        read = [one for one in streams if one.told(context, parent) is not None]
        return (read or streams[-1:])[0]

    def told(self, context: Context, parent: Parent) -> Feed[Parent] | None:
        """Return the rows below a parent as this run reads them, None if it does not."""
        return self.directory.known(self.entity, self._place(context, parent))

    def told_as_of(self, context: Context, parent: Parent) -> str | None:
        """Return the moment of what this run's other streams tell about a parent."""
        told = (self.related(name).told(context, parent) for name in self.through)
        return next((feed.as_of for feed in told if feed is not None), None)

    def parent_of(self, key: str) -> Parent:
        """Return a parent of which only the key is known."""
        raise NotImplementedError

    def parent_key(self, row: Mapping[str, Any]) -> str:
        """Return the key of a row's parent."""
        raise NotImplementedError

    def children(self, context: Context, parent: Parent) -> Iterator[Parent]:
        """Yield the rows below a parent, from this run's own reading if it has one."""
        feed = self.told(context, parent)
        if feed is not None:
            yield from feed
            return
        for page in self.pages_of(context, parent):
            yield from (self._parent({**row, **page.columns}) for row in page.rows())

    def pages_below(self, listing: Listing, context: Context) -> Iterator[Page]:
        """Read one list, which may not be there although its parent is."""
        try:
            yield from self.pages(listing)
        except SkipPartition as error:
            if error.status not in self.nothing_if:
                raise
            if error.status in GONE:
                self._absences(context).note(lambda: self._ask_home(context))
            level = logging.DEBUG if error.status in GONE else logging.WARNING
            logger.log(level, "%s. It is left out.", error)

    @staticmethod
    def _place(context: Context, parent: Parent) -> dict[str, Any]:
        return {**(context or {}), "below": parent.key}
