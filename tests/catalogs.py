"""Catalogs of a few streams: a run of them takes a tenth of the time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def only(catalog: Mapping[str, Any], *streams: str) -> dict[str, Any]:
    """Return a catalog that knows no other streams: to the tap, the others are not selected."""
    return {"streams": [one for one in catalog["streams"] if one["tap_stream_id"] in streams]}


def slim(catalog: Mapping[str, Any]) -> dict[str, Any]:
    """Return a catalog without words and without what is inside of what is not selected.

    It means the same, and is read much faster. A stream that is not selected keeps its name.
    """
    streams = [one if _is_read(one) else _named(one) for one in catalog["streams"]]
    made: dict[str, Any] = json.loads(json.dumps({**catalog, "streams": streams}))
    for stream in made["streams"]:
        metadata = stream["metadata"]
        off = [tuple(one["breadcrumb"]) for one in metadata if not _is_chosen(one["metadata"])]
        for breadcrumb in off:
            _hollow(stream["schema"], breadcrumb)
        stream["metadata"] = [
            one for one in metadata if not any(_inside(one["breadcrumb"], place) for place in off)
        ]
        _hush(stream["schema"])
    return made


def _own(stream: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in stream["metadata"] if not one["breadcrumb"]]


def _is_read(stream: Mapping[str, Any]) -> bool:
    return any(_is_chosen(one["metadata"]) for one in _own(stream))


def _named(stream: Mapping[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": {}}
    return {**stream, "schema": schema, "metadata": _own(stream)}


def _is_chosen(metadata: Mapping[str, Any]) -> bool:
    chosen = metadata.get("selected", metadata.get("selected-by-default", True))
    return bool(chosen) or metadata.get("inclusion") == "automatic"


def _inside(breadcrumb: Sequence[str], place: Sequence[str]) -> bool:
    return len(breadcrumb) > len(place) and tuple(breadcrumb[: len(place)]) == place


def _hollow(schema: Any, breadcrumb: Sequence[str]) -> None:
    for name in breadcrumb:
        schema = schema.get(name, {})
    for name in set(schema) - {"type"}:
        del schema[name]


def _hush(schema: Any) -> None:
    if isinstance(schema.get("description"), str):
        del schema["description"]
    for inner in [schema.get("items"), *schema.get("properties", {}).values()]:
        if isinstance(inner, dict):
            _hush(inner)
