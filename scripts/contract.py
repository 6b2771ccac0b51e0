"""What the tables of a released version look like, and which changes break who uses them.

``docs/contract.json`` holds the streams of the last release: keys, and columns with their types.
While a version is not released it follows the code (``make docs``); after that it stays, and the
next version is compared with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.tables import kinds_of

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
PLACE = "docs/contract.json"


def version() -> str:
    """Return the version that is being worked on."""
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    if found is None:
        message = "pyproject.toml has no version"
        raise ValueError(message)
    return found[1]


def is_released(number: str) -> bool:
    """Whether the changelog has a date for a version."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return (
        re.search(rf"^## \[{re.escape(number)}\] - \d{{4}}-\d\d-\d\d$", text, re.MULTILINE)
        is not None
    )


def contract_of(catalog: Json) -> Json:
    """Return the contract of a catalog."""
    streams = {
        stream["tap_stream_id"]: {
            "key": stream["key_properties"],
            "selected": _selected(stream),
            "columns": {
                name: _type(column) for name, column in stream["schema"]["properties"].items()
            },
        }
        for stream in catalog["streams"]
    }
    return {"version": version(), "streams": streams}


def _selected(stream: Json) -> bool:
    (own,) = (entry["metadata"] for entry in stream["metadata"] if not entry["breadcrumb"])
    return bool(own.get("selected-by-default"))


def _type(column: Json) -> str:
    kinds = sorted(kinds_of(column)) or ["any"]
    return "/".join([*kinds, *([column["format"]] if "format" in column else [])])


def document(catalog: Json) -> str:
    """Return the contract as it must stand in the file: of the last release, if there is one."""
    now = contract_of(catalog)
    place = ROOT / PLACE
    if place.exists():
        before = json.loads(place.read_text(encoding="utf-8"))
        if before["version"] != now["version"] or is_released(now["version"]):
            return _text(before)
    return _text(now)


def _text(contract: Json) -> str:
    return json.dumps(contract, indent=1) + "\n"


def breaks(before: Json, after: Json) -> Iterator[str]:
    """Yield what a change takes away from those who use the tables."""
    for name, stream in before["streams"].items():
        now = after["streams"].get(name)
        if now is None:
            yield f"the stream {name} is gone"
            continue
        if now["key"] != stream["key"]:
            yield f"the key of {name} is {now['key']}, and was {stream['key']}"
        if stream["selected"] and not now["selected"]:
            yield f"{name} is not selected by default any more"
        for column, kind in stream["columns"].items():
            if column not in now["columns"]:
                yield f"{name} has no column {column} any more"
            elif now["columns"][column] != kind:
                yield f"{name}.{column} is {now['columns'][column]}, and was {kind}"


def may_break(before: str, after: str) -> bool:
    """Whether a version may break what one before it promised: a new first number that is not 0."""
    old, new = ([int(part) for part in one.split(".")[:2]] for one in (before, after))
    return new > old if old[0] == 0 else new[0] > old[0]
