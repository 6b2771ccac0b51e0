"""The pages of docs/streams: each stream with its columns and a row."""

from __future__ import annotations

import re
from typing import Any

from scripts.examples import as_json, example_rows
from scripts.tables import AREAS, again, cost, kind_of, on, plain, streams_of, table
from tap_bitbucket.client import BitbucketStream
from tap_bitbucket.preflight import token_scope

Json = dict[str, Any]


def file_of(area: str) -> str:
    """Return the name of an area's page."""
    return re.sub(r"\W+", "-", area.lower()) + ".md"


def page_names() -> list[str]:
    """Return the paths of the pages."""
    return [f"docs/streams/{file_of(area)}" for area in AREAS]


def stream_pages(catalog: Json) -> dict[str, str]:
    """Return the pages by their path, one for each area of Bitbucket."""
    described = {stream["tap_stream_id"]: stream for stream in catalog["streams"]}
    return {name: _page(area, described) for name, area in zip(page_names(), AREAS, strict=True)}


def _page(area: str, described: Json) -> str:
    found = streams_of(area)
    index = " · ".join(f"[{name}](#{name})" for name, _ in found)
    head = (
        f"# {area}\n\n"
        "Written by `make docs`. The rows are from the made-up workspace of `make demo`, with the\n"
        "columns that are selected by default; of longer lists they show two entries.\n\n"
        f"{index}\n"
    )
    parts = [_stream(stream, described[name]) for name, stream in found]
    return "\n".join([head, *parts])


def _stream(stream: type[BitbucketStream], described: Json) -> str:
    schema = described["schema"]
    scopes = f"{stream.scope or 'none'} (OAuth), {token_scope(stream) or 'none'} (API token)"
    facts = {
        "Key": ", ".join(f"`{key}`" for key in stream.primary_keys),
        "Read again": again(stream),
        "Requests of a first run": cost(stream),
        "Scope": scopes + ("; an administrator's account" if stream.admin else ""),
        "Selected by default": "yes" if on(stream) == "on" else "no",
    }
    unselected = {
        entry["breadcrumb"][1]
        for entry in described["metadata"]
        if len(entry["breadcrumb"]) == 2  # noqa: PLR2004 - a property, not one within another
        and entry["metadata"].get("selected-by-default") is False
    }
    rows = [
        (f"`{name}`{'*' * (name in unselected)}", _type(column), plain(column["description"]))
        for name, column in schema["properties"].items()
    ]
    stars = "\n\n\\* Not selected by default." if unselected else ""
    return (
        f"## {described['tap_stream_id']}\n\n{plain(schema['description'])}\n\n"
        + "\n".join(f"- {what}: {value}" for what, value in facts.items())
        + f"\n\n```json\n{as_json(example_rows()[described['tap_stream_id']])}\n```\n\n"
        + table(("Column", "Type", "What it is"), rows)
        + stars
        + "\n"
    )


def _type(declared: Json) -> str:
    return str(declared.get("format", kind_of(declared, "any")))
