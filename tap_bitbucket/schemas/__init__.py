"""The streams' JSON schemas: one file per stream, what they share in ``definitions.json``.

A file says what Bitbucket sends and nothing twice. This module adds what holds for all of them:
every value may be null except the keys, every object may carry more than is described, and each
row carries the context it was read in. Three words in a file are ours, not JSON schema's:

* ``$ref``: a name in ``definitions.json``; keys beside it override the definition's.
* ``selected: false``: bulk that few people read. It is described, and left out unless selected.
* ``secret: true``: never leaves the tap, so it is neither described nor written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

JSON = dict[str, Any]
Path = tuple[str, ...]
"""Property names from the row downwards; ``[]`` stands for the items of an array."""

ITEMS = "[]"


@dataclass(frozen=True)
class StreamSchema:
    """A stream's schema as published, and what the files say beyond JSON schema.

    Attributes:
        published: The JSON schema for the catalog and the SCHEMA message.
        unselected: Paths of properties that are not selected by default.
        secret: Paths of values that are removed from every row.
        timestamps: Paths of all date-times.
    """

    published: JSON
    unselected: frozenset[Path]
    secret: frozenset[Path]
    timestamps: frozenset[Path]


@cache
def _read(name: str) -> JSON:
    text = files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    document: JSON = json.loads(text)
    return document


@cache
def stream_schema(name: str, keys: tuple[str, ...], contexts: tuple[str, ...]) -> StreamSchema:
    """Build the schema of one stream.

    Args:
        name: The stream's name, which is also its file's.
        keys: The primary key, the only properties that are never null.
        contexts: Definitions whose properties every row carries, e.g. ``repository_context``.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    document = _read(name)
    properties: JSON = {}
    for context in contexts:
        properties |= _read("definitions")[context]["properties"]
    properties |= document["properties"]
    whole = {"type": "object", "properties": properties}
    found = _Found(set(), set(), set())
    published = _published(whole, (), found)
    published["description"] = document["description"]
    published["type"] = "object"
    for key in keys:
        kinds = published["properties"][key]["type"]
        published["properties"][key]["type"] = [kind for kind in kinds if kind != "null"]
    published["required"] = list(keys)
    return StreamSchema(
        published, frozenset(found.unselected), frozenset(found.secret), frozenset(found.timestamps)
    )


@dataclass
class _Found:
    unselected: set[Path]
    secret: set[Path]
    timestamps: set[Path]


def _published(node: JSON, path: Path, found: _Found) -> JSON:
    """Return JSON schema for ``node``, noting in ``found`` what JSON schema has no word for."""
    node = _resolved(node)
    if node.pop("selected", True) is False:
        found.unselected.add(path)
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    result = {key: value for key, value in node.items() if key not in {"properties", "items"}}
    result["type"] = [*kinds, "null"] if "null" not in kinds else kinds
    if node.get("format") == "date-time":
        found.timestamps.add(path)
    if "object" in kinds:
        properties: JSON = {}
        for name, child in node.get("properties", {}).items():
            if _resolved(child).get("secret"):
                found.secret.add((*path, name))
            else:
                properties[name] = _published(child, (*path, name), found)
        # Flattening drops an object whose properties are known to be none.
        result |= {"properties": properties} if properties else {}
        result["additionalProperties"] = True
    if "array" in kinds and "items" in node:
        result["items"] = _published(node["items"], (*path, ITEMS), found)
    return result


def _resolved(node: JSON) -> JSON:
    """Replace ``$ref`` by what it names; what stands beside it wins."""
    result = dict(node)
    while "$ref" in result:
        name = result.pop("$ref")
        result = {**_read("definitions")[name], **result}
    return result


def walk(row: Any, path: Path) -> Iterator[tuple[JSON, str]]:
    """Yield ``(holder, key)`` for each place of ``path`` that is present in ``row``."""
    if not path:
        return
    head, rest = path[0], path[1:]
    if head == ITEMS:
        for item in row if isinstance(row, list) else ():
            yield from walk(item, rest)
    elif isinstance(row, dict) and head in row:
        if rest:
            yield from walk(row[head], rest)
        else:
            yield row, head
