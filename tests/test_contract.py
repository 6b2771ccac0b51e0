"""What a release promised stays, until a version that may take it away."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from scripts import contract
from scripts.catalog import catalog


def kept() -> dict[str, Any]:
    """Return what the last release promised."""
    found: dict[str, Any] = json.loads((contract.ROOT / contract.PLACE).read_text(encoding="utf-8"))
    return found


def test_nothing_is_taken_away() -> None:
    """Streams, keys, columns and types are those of the last release, or its number tells."""
    before, after = kept(), contract.contract_of(catalog())
    if not contract.may_break(before["version"], after["version"]):
        assert list(contract.breaks(before, after)) == []


CHANGES: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("a stream", lambda it: it.pop("commits"), "the stream commits is gone"),
    ("a column", lambda it: it["commits"]["columns"].pop("date"), "commits has no column date"),
    ("a type", lambda it: it["commits"]["columns"].update(date="string"), "commits.date is string"),
    ("a key", lambda it: it["commits"].update(key=["hash"]), "the key of commits is ['hash']"),
    ("a selection", lambda it: it["commits"].update(selected=False), "commits is not selected"),
]


@pytest.mark.parametrize(("change", "says"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_what_breaks_users_is_named(change: Callable[[dict[str, Any]], Any], says: str) -> None:
    """A change that takes something away is told in a sentence."""
    after = copy.deepcopy(kept())
    change(after["streams"])
    (found,) = contract.breaks(kept(), after)
    assert found.startswith(says)


def test_what_is_new_breaks_nobody() -> None:
    """Streams and columns may be added."""
    after = copy.deepcopy(kept())
    after["streams"]["new"] = {"key": [], "selected": True, "columns": {}}
    after["streams"]["commits"]["columns"]["new"] = "string"
    assert list(contract.breaks(kept(), after)) == []


@pytest.mark.parametrize(
    ("before", "after", "may"),
    [
        ("0.1.0", "0.1.1", False),
        ("0.1.0", "0.2.0", True),
        ("1.2.0", "1.3.0", False),
        ("1.2.0", "2.0.0", True),
    ],
)
def test_which_versions_may_take_something_away(before: str, after: str, may: bool) -> None:
    """Semantic versions: the first number, and before 1.0 the second."""
    assert contract.may_break(before, after) is may
