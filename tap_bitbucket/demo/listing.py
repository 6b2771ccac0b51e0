"""Filter, sort, cut, render and trim: what happens to every list."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from tap_bitbucket.demo import bbql, errors
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.paging import cut
from tap_bitbucket.demo.routing import Route

Json = dict[str, Any]
_KEPT = 64


class ListCache:
    """Remembers filtered and sorted lists until the world changes: page 2 costs nothing."""

    def __init__(self) -> None:
        """Start empty."""
        self._lists: OrderedDict[Any, tuple[int, Sequence[Any]]] = OrderedDict()

    def get(self, key: Any, version: int, make: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        """Give the remembered list, or make it."""
        found = self._lists.get(key)
        if found is not None and found[0] == version:
            self._lists.move_to_end(key)
            return found[1]
        made = make()
        self._lists[key] = (version, made)
        while len(self._lists) > _KEPT:
            self._lists.popitem(last=False)
        return made


def answer(call: Call, route: Route, listing: Listing, cache: ListCache) -> Json:
    """Make the page of a list that was asked for."""
    assert route.paging is not None
    query, sort = call.param("q"), call.param("sort")
    if route.filters is None and "q" in route.params:
        query = None  # Taken, and ignored: commits, activity, pipelines (BCLOUD-22613).
    items: Sequence[Any] = listing.items
    if query is not None or sort is not None:
        states = tuple(call.many("state"))
        key = (route.pattern, tuple(call.args.items()), query, sort, states, call.identity.key)
        items = cache.get(
            (key, listing.key),
            call.world.version,
            lambda: _arranged(route, listing.items, query, sort),
        )
    page, envelope = cut(call, route.paging, items, listing.token)
    chosen = call.fields
    rows = [
        chosen.reveal(listing.render(item), item, listing.hidden, ("values",))
        if listing.hidden
        else listing.render(item)
        for item in page
    ]
    return chosen.apply(
        {"values": rows, **envelope}, strict=call.settings.unknown_fields == "reject"
    )


def _arranged(
    route: Route, items: Sequence[Any], query: str | None, sort: str | None
) -> Sequence[Any]:
    if query is not None and route.filters is not None:
        test = bbql.compile_query(query, route.filters)
        items = [item for item in items if test(item)]
    known = route.sorts if route.sorts is not None else route.filters
    if sort is not None and known is not None:
        items = _sorted(route, items, sort, known)
    return items


def _sorted(route: Route, items: Sequence[Any], sort: str, known: Any) -> Sequence[Any]:
    name = sort.lstrip("-") if sort.count("-") <= 1 else sort
    if name not in known:
        if route.service == "pipelines":
            raise errors.pipelines(
                400, "Bad request", "Invalid sort attribute", "invalid-sort-attribute"
            )
        raise errors.core(400, f'Invalid field name "{sort}" for sorting')
    read = known[name]
    down = sort.startswith("-")
    empty = [item for item in items if read(item) is None]
    full = [item for item in items if read(item) is not None]
    full.sort(key=lambda item: _comparable(read(item)), reverse=down)
    # Rows without a value come first when the greatest come first (seen on deployments).
    return empty + full if down else full + empty


def _comparable(value: Any) -> Any:
    if isinstance(value, datetime | int | float):
        return value
    return str(value)
