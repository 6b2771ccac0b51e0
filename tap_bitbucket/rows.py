"""What is done to a row between Bitbucket and the target; otherwise values arrive unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tap_bitbucket.schemas import ITEMS, Path, walk

Row = dict[str, Any]

_FRACTION = re.compile(r"^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d+))?(.*)$")

_USER_INFO = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*://)[^/?#]*@")

_SECRETS = frozenset({"password", "private_key", "secret", "client_secret", "oauth_client", "aws"})
"""Names of what opens a door, wherever it stands."""

_OF_IMAGES = frozenset({"username", "email"})
"""How a step signs in to a registry, beside its password."""

_SUSPECT = re.compile(rb'"(?:' + "|".join(sorted(_SECRETS | {"secured"})).encode() + rb')"\s*:')

CLONE: Path = ("links", "clone", ITEMS, "href")
"""Where a repository says how to clone it, by HTTPS with the caller's user name."""

DISPLACED = {"repository": "repository_object", "workspace": "workspace_object"}
"""Objects of Bitbucket under a name that holds the slug in every table here."""


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


def drop_named_secrets(row: Row, raw: bytes) -> None:
    """Remove what is a secret by its name, where no schema describes it.

    Args:
        row: A row as decoded.
        raw: What it was decoded from: few rows have such a name, and only those are searched.
    """
    if _SUSPECT.search(raw):
        _drop_named(row)


def _drop_named(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _drop_named(item)
    elif isinstance(value, dict):
        gone = _SECRETS.intersection(value) | ({"value"} if "secured" in value else set())
        for name in gone:
            value.pop(name, None)
        for name, below in value.items():
            if name == "image" and isinstance(below, dict):
                for one in _OF_IMAGES:
                    below.pop(one, None)
            _drop_named(below)


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
