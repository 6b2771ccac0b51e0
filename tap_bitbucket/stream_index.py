"""How streams find each other: by entity, and in the layout per repository also by place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream
    from tap_bitbucket.layout import Place


class StreamIndex:
    """The streams of a tap by entity and place; the place is None where all share a stream."""

    def __init__(self, streams: Iterable[BitbucketStream]) -> None:
        self._streams: dict[str, dict[Place | None, BitbucketStream]] = {}
        self._needing: dict[str, list[BitbucketStream]] = {}
        self._hearing: dict[str, list[BitbucketStream]] = {}
        every = list(streams)
        for stream in every:
            self._streams.setdefault(stream.entity, {})[stream.place] = stream
        for stream in every:
            for entity in stream.needs():
                for above in self._above(entity, stream.place):
                    self._needing.setdefault(above.name, []).append(stream)
            for entity in stream.hears():
                for above in self._above(entity, stream.place):
                    self._hearing.setdefault(above.name, []).append(stream)

    def _above(self, entity: str, place: Place | None) -> Iterable[BitbucketStream]:
        """Return the streams of an entity that one of a place depends on: its own, or all."""
        by_place = self._streams[entity]
        return [by_place[place]] if place in by_place else by_place.values()

    def related(self, entity: str, place: Place | None) -> BitbucketStream:
        """Return the stream of an entity for a place, or the one that all places share."""
        by_place = self._streams[entity]
        return by_place[place] if place in by_place else next(iter(by_place.values()))

    def needing(self, name: str) -> list[BitbucketStream]:
        """Return the streams that must be read after the one of this name."""
        return self._needing.get(name, [])

    def hearing(self, name: str) -> list[BitbucketStream]:
        """Return the streams that take over rows of the one of this name, if it is read."""
        return self._hearing.get(name, [])

    def reader_of(self, entity: str, context: Mapping[str, Any] | None) -> BitbucketStream:
        """Return the stream that reads an entity's partition."""
        for place, stream in self._streams[entity].items():
            if place is not None and place.kind and place.context == context:
                return stream
        return next(iter(self._streams[entity].values()))
