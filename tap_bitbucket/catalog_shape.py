"""What a catalog must look like to be read by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

import msgspec

from tap_bitbucket.decodable import decodable
from tap_bitbucket.showing import shown

_ENTRY = TypedDict(
    "_ENTRY",
    {
        "selected": bool | None,
        "selected-by-default": bool | None,
        "inclusion": Literal["automatic", "available", "unsupported"] | None,
        "table-key-properties": list[str] | None,
        "replication-key": str | None,
        "forced-replication-method": str | None,
        "replication-method": str | None,
    },
    total=False,
)


@decodable
class _Metadata(msgspec.Struct):
    breadcrumb: list[str]
    metadata: _ENTRY


@decodable
class _Stream(msgspec.Struct):
    tap_stream_id: str
    schema: dict[str, Any]
    stream: str | None = None
    key_properties: list[str] | None = None
    replication_key: str | None = None
    replication_method: str | None = None
    metadata: list[_Metadata] = []


def problem_of(catalog: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a catalog, None if nothing is."""
    streams = catalog.get("streams")
    if not isinstance(streams, list):
        return "'streams' must be a list"
    seen: set[str] = set()
    for number, one in enumerate(streams):
        try:
            stream = msgspec.convert(one, _Stream)
        except msgspec.ValidationError as error:
            name = one.get("tap_stream_id") if isinstance(one, dict) else None
            return f"of the stream {shown(name)}, number {number + 1}: {error}"
        name = stream.tap_stream_id
        if name in seen:
            return f"the stream {shown(name)} is in it twice"
        seen.add(name)
        wrong = _not_a_schema(stream.schema)
        if wrong is not None:
            return f"the schema of {shown(name)} has {shown(wrong)} where an object must be"
    return None


def _not_a_schema(schema: Mapping[str, Any]) -> object:
    """Return what stands where a schema of a property or of items should be, None if nothing."""
    left: list[object] = [schema]
    while left:
        one = left.pop()
        if not isinstance(one, dict):
            return one or type(one).__name__
        properties = one.get("properties", {})
        if not isinstance(properties, dict):
            return properties or type(properties).__name__
        left += properties.values()
        left += [one["items"]] if "items" in one else []
    return None
