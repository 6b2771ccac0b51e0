"""A long list in windows of time, for runs whose limits are too narrow for all of it.

There is no order that a list of pull requests could be asked for in (``sort`` answers 500 on large
repositories), so nothing of it counts before it is whole. What was updated before a moment is a
whole of its own: a run reads that much, with all that lies below, and the next one goes on there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from tap_bitbucket.decodable import decodable
from tap_bitbucket.http.paging import Page
from tap_bitbucket.incremental.passes import Context, raw_rows
from tap_bitbucket.state import State, at_or_after

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream

_LEAST = 50
"""Rows of a window: a page."""

_STEPS = 64
"""How much smaller than usual a window gets where nothing else helps."""

_PROBE = 10
"""Numbers that are looked at for the date of a number."""


@decodable
class _Made(msgspec.Struct):
    id: int
    created_on: str = ""


class Windows:
    """Where the next window ends.

    Rows are numbered in the order of their creation, and none is updated before it is created: what
    was updated before the creation of number n are fewer than n rows.

    State (``narrow``): ``rows``, about how many to read; ``until``, where the last window ended;
    ``from``, where it began; ``id``, the number that was created then.

    Args:
        stream: What is read.
        context: The repository.
        narrow: What the last run left.
    """

    def __init__(
        self, stream: BitbucketStream, context: Context, narrow: Mapping[str, Any]
    ) -> None:
        self._stream = stream
        self._context = context
        # A quarter of what the run may read: the rest is for what lies below.
        self._most = None if stream.most_rows is None else max(_LEAST, stream.most_rows // 4)
        self.rows = max(_LEAST, int(narrow.get("rows", self._most or _LEAST)))
        if self._most is not None and not self._most / _STEPS <= self.rows <= self._most:
            self.rows = self._most  # the limit is another one than it was
        self._until: str | None = narrow.get("until")
        self._from: str | None = narrow.get("from")
        self._number = int(narrow.get("id", 0))
        self._before = self._number
        self.state: State = {}

    def next(self, floor: str | None) -> tuple[str, Iterator[Page]] | None:
        """Return where a window ends, and its pages; None if the rest of the list is one.

        Args:
            floor: Where it begins.
        """
        until = self._until
        if until is not None and until != floor and at_or_after(until, floor):
            if self._from != floor:
                return self._window(floor, until)
            # The last run read it and got nowhere below: it left too little for that.
            self._number = max(0, self._number - self.rows)
            self.rows = max(_LEAST, self.rows // 2)
        elif until is not None:
            self.rows = min(self.rows * 2, self._most or self.rows * 2)
        step, passed = self.rows, False
        while True:
            until = self._created(self._number + step)
            if until is not None and floor is not None and at_or_after(floor, until):
                self._number += step
                step = step if passed else step * 2
                continue
            if step > self.rows:
                step, passed = max(self.rows, step // 2), True
                continue
            if until is None:
                return None
            self._before = self._number
            self._number += step
            window = self._window(floor, until)
            first = next(window[1], None)
            if first is not None and (first.size or len(first.values)) * 4 >= self.rows:
                return until, chain([first], window[1])

    def smaller(self) -> State:
        """Return what the state becomes where a run is cut amid a window."""
        return {"rows": max(_LEAST, self.rows // 2), "id": self._before}

    def _window(self, floor: str | None, until: str) -> tuple[str, Any]:
        self.state = {"rows": self.rows, "until": until, "id": self._number}
        if floor is not None:
            self.state["from"] = floor
        since = "" if floor is None else f'updated_on>="{floor}" AND '
        return until, self._pages(f'{since}updated_on<"{until}"')

    def _created(self, number: int) -> str | None:
        """Return when a number was given out; None if it was not yet."""
        pages = self._pages(f"id>{number - _PROBE} AND id<={number}")
        made = [one.created_on for page in pages for _, one in raw_rows(page, _Made)]
        return max(made, default=None)

    def _pages(self, condition: str) -> Any:
        listing = self._stream.listing(self._context)
        self._stream.narrow(listing, condition)
        return self._stream.pages(listing)
