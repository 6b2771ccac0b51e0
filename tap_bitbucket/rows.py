"""What is done to a row between Bitbucket and the target; otherwise values arrive unchanged."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tap_bitbucket.schemas import ITEMS, Path, walk

logger = logging.getLogger("tap-bitbucket.rows")

Row = dict[str, Any]

_FRACTION = re.compile(r"^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d+))?(.*)$")

_USER_INFO = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*://)[^/@]*@")

CLONE: Path = ("links", "clone", ITEMS, "href")
"""Where a repository says how to clone it, by HTTPS with the caller's user name."""

DISPLACED = {"repository": "repository_object", "workspace": "workspace_object"}
"""Objects of Bitbucket under a name that holds the slug in every table here."""

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}


def with_context(row: Row, columns: Mapping[str, Any]) -> Row:
    """Return the row with the columns of its context first; they win over its own."""
    for name, instead in DISPLACED.items():
        if name in columns and isinstance(row.get(name), dict):
            row[instead] = row.pop(name)
    return {**columns, **{key: value for key, value in row.items() if key not in columns}}


def lift(row: Row, paths: Mapping[str, str]) -> Row:
    """Return the row with columns that are copied from inside it."""
    for column, path in paths.items():
        value: Any = row
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        row[column] = value
    return row


def drop_secrets(row: Row, paths: Iterable[Path]) -> None:
    """Remove values that must not leave the tap."""
    for path in paths:
        for holder, key in list(walk(row, path)):
            del holder[key]


def without_user_info(row: Row, *paths: Path) -> Row:
    """Remove user name and password from addresses."""
    for path in paths:
        for holder, key in walk(row, path):
            if isinstance(holder[key], str):
                holder[key] = _USER_INFO.sub(r"\1", holder[key])
    return row


def to_microseconds(row: Row, paths: Iterable[Path]) -> None:
    """Give the pipelines service's times six decimals; it sends none to nine.

    PostgreSQL keeps six, and text that is compared as text needs the same number everywhere.
    """
    for path in paths:
        for holder, key in walk(row, path):
            value = holder[key]
            match = _FRACTION.match(value) if isinstance(value, str) else None
            if match:
                whole, fraction, zone = match.groups()
                holder[key] = f"{whole}.{(fraction or '')[:6]:0<6}{zone}"


class Fit:
    """Makes top-level values match their declared type, so that one odd row stops no target.

    Bitbucket has sent a string where an object is documented and a number where a string is.
    Nothing is dropped: text is kept as ``{"value": …}``, structure as JSON text.
    """

    def __init__(self, stream: str, schema: Mapping[str, Any]) -> None:
        self._stream = stream
        self._keys: list[str] = schema["required"]
        self._types: dict[str, tuple[tuple[type, ...], str]] = {}
        self._told: set[str] = set()
        for name, declared in schema["properties"].items():
            kinds = [kind for kind in declared["type"] if kind != "null"]
            accepted = tuple(kind for name in kinds for kind in _PYTHON_TYPES[name])
            self._types[name] = (accepted, kinds[0])

    def __call__(self, row: Row) -> None:
        """Change the row where it does not fit. A key that is missing is written as empty text."""
        for key in self._keys:
            if row.get(key) is None:
                self._tell(key, "missing", "empty text stands for it")
                row[key] = ""
        for name, value in row.items():
            if value is None or name not in self._types:
                continue
            accepted, kind = self._types[name]
            if not isinstance(value, accepted) or (value is True or value is False) != (
                kind == "boolean"
            ):
                row[name] = self._converted(name, value, kind)

    def _tell(self, name: str, what: str, so: str) -> None:
        if name not in self._told:
            self._told.add(name)
            logger.warning("'%s' of %s is %s here; %s.", name, self._stream, what, so)

    def _converted(self, name: str, value: Any, kind: str) -> Any:
        self._tell(name, f"a {type(value).__name__}, not a {kind} as documented", "it is kept")
        if kind == "string":
            return value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if kind == "object":
            return {"value": value}
        if kind == "array":
            return [value]
        return _scalar(value, kind)


def _scalar(value: Any, kind: str) -> Any:
    """Return the number or truth value that text spells, or null: the column takes no other."""
    if kind == "boolean":
        return {"true": True, "false": False}.get(str(value).lower())
    try:
        return {"integer": int, "number": float}[kind](value)
    except (TypeError, ValueError):
        return None
