"""JSON made up by a machine: values of a schema, odd values, and documents changed somewhere."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Place = tuple[str | int, ...]

TEXTS = (
    "", " ", "\x00", "a\nb", "tab\there", "\x1b[31mred", "\u202eright to left", "\u2028", "é" * 40,
    "🦆", "\ud800", "a" * 5000, "null", "true", "0", "-1", "1e400", "NaN", "[]", "{}", '["a"]',
    "%s %(x)s", "{0}", "{uuid}", "'; DROP TABLE x; --", "../../x", "%2e%2e%2f", "?a=b&c", "#x",
    "2026-01-31", "2026-01-31T00:00:00Z", "2026-02-30T00:00:00Z", "2026-12-31T23:59:60Z",
    "20260131T000000Z", "2026-W05-6", "9999-12-31T23:59:59.999999999-14:00",
    "0001-01-01T00:00:00+14:00", "12:00", "1767225600", "yesterday",
)  # fmt: skip
"""Texts that have broken programs."""

NUMBERS = (0, -1, 1, 33, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 0.5, -0.0, 1e308, 1.0)

texts = st.sampled_from(TEXTS) | st.text(max_size=8)
numbers = st.sampled_from(NUMBERS) | st.integers()
scalars = st.none() | st.booleans() | numbers | texts
odd = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
"""Any value, odd ones first."""


def fitting(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that a schema allows: of the kinds that settings have."""
    if schema.get("enum"):
        return st.sampled_from(schema["enum"])
    kinds = schema.get("type", "string")
    several = [_of_kind(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    return st.one_of(several)


def _of_kind(kind: str, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if kind in {"null", "boolean"}:
        return st.none() if kind == "null" else st.booleans()
    if kind in {"integer", "number"}:
        least, most = schema.get("minimum"), schema.get("maximum")
        return st.sampled_from([n for n in (0, 1, 2, 7) if n >= (least or 0)]) | st.integers(
            least, most
        )
    if kind == "array":
        return st.lists(fitting(schema.get("items", {})), max_size=3)
    if kind == "object":
        named = {name: fitting(inner) for name, inner in schema.get("properties", {}).items()}
        others = schema.get("additionalProperties", True)
        if isinstance(others, dict) and not named:
            return st.dictionaries(texts | st.just("*"), fitting(others), max_size=3)
        return st.fixed_dictionaries({}, optional=named)
    return texts


@st.composite
def some_place(draw: Any, document: Any) -> Place:
    """Return where something is in a document: all that an object holds is as likely."""
    place: Place = ()
    value: Any = document
    while isinstance(value, (dict, list)) and value:
        if place and draw(st.integers(0, 4)) == 0:
            break
        steps = sorted(value) if isinstance(value, dict) else range(len(value))
        step: Any = draw(st.sampled_from(steps))
        place, value = (*place, step), value[step]
    return place


def at(document: Any, place: Place) -> Any:
    """Return what is at a place."""
    for step in place:
        document = document[step]
    return document


@dataclass(frozen=True)
class Change:
    """What was done to a document.

    Attributes:
        place: Where.
        how: What was done there.
        before: What was there.
        after: What is there now, None where it is gone.
    """

    place: Place
    how: str
    before: Any
    after: Any = None


def _replace(holder: Any, key: Any, draw: Any) -> Any:
    holder[key] = value = draw(odd)
    return value


def _exchange(holder: Any, key: Any, draw: Any) -> Any:
    """Put a value of the same kind there, which is harder to notice."""
    value = holder[key]
    if isinstance(value, bool):
        new: Any = not value
    elif isinstance(value, (int, float)):
        new = draw(numbers)
    elif isinstance(value, str):
        new = draw(st.just(_slipped(value, draw)) | texts)
    elif isinstance(value, list):
        new = draw(st.lists(odd, max_size=3))
    elif isinstance(value, dict):
        new = draw(st.dictionaries(texts, odd, max_size=3))
    else:
        new = draw(scalars)
    holder[key] = new
    return new


def _slipped(text: str, draw: Any) -> str:
    """Return a text with one character changed, doubled or gone."""
    spot = draw(st.integers(0, max(0, len(text) - 1)))
    instead: str = draw(st.sampled_from(["", "0", "9", "x", " "]))
    return text[:spot] + instead + text[spot + 1 :]


def _remove(holder: Any, key: Any, draw: Any) -> Any:  # noqa: ARG001
    del holder[key]


def _rename(holder: Any, key: Any, draw: Any) -> Any:
    """Give a property another name, or move an element to another place of its list."""
    if isinstance(holder, dict):
        holder[draw(texts)] = holder.pop(key)
    else:
        holder.insert(draw(st.integers(0, len(holder))), holder.pop(key))


def _double(holder: Any, key: Any, draw: Any) -> Any:
    """Have something twice: in its list, or under another name."""
    twin = copy.deepcopy(holder[key])
    if isinstance(holder, dict):
        holder[draw(texts)] = twin
    else:
        holder.insert(draw(st.integers(0, len(holder))), twin)
    return twin


HOW = {
    "replaced": _replace,
    "exchanged": _exchange,
    "removed": _remove,
    "renamed": _rename,
    "doubled": _double,
}


@st.composite
def changed(draw: Any, document: Any, most: int = 2) -> tuple[Any, list[Change]]:
    """Return a document that was changed in a few places, and what was done."""
    made = json.loads(json.dumps(document))
    changes = []
    for _ in range(draw(st.integers(1, most))):
        place = draw(some_place(made))
        if not place:
            break
        how = draw(st.sampled_from(sorted(HOW)))
        before = copy.deepcopy(at(made, place))
        after = HOW[how](at(made, place[:-1]), place[-1], draw)
        changes.append(Change(place, how, before, copy.deepcopy(after)))
    return made, changes
