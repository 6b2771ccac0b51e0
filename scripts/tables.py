"""The tables of streams and settings in the documents, from the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tap_bitbucket.client import REGISTRY, BitbucketStream
from tap_bitbucket.http.paging import Paging
from tap_bitbucket.incremental import (
    BelowCommits,
    ChangedParents,
    FromFeed,
    FullTable,
    NewCommits,
    NewestFirst,
    Strategy,
    UpdatedSince,
    WhenHeadMoved,
)
from tap_bitbucket.preflight import token_scope
from tap_bitbucket.streams.hooks import HookEvents
from tap_bitbucket.streams.workspaces import Workspaces

Json = dict[str, Any]


def kinds_of(declared: Json) -> list[str]:
    """Return the types of a setting or a column, without null."""
    kinds = declared.get("type", [])
    return [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]


def kind_of(declared: Json, untyped: str = "string") -> str:
    """Return the first type of a setting or a column that is not null."""
    return next(iter(kinds_of(declared)), untyped)


def choices(setting: Json) -> list[str]:
    """Return the values that a setting accepts, if they are listed."""
    return [value for value in setting.get("enum", ()) if value is not None]


def plain(text: str) -> str:
    """Return a description in one paragraph, without links."""
    return " ".join(re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", text).split())


def settings_table(settings: Mapping[str, Json]) -> str:
    """Return a table of settings."""
    rows = []
    for name, setting in settings.items():
        default = setting.get("default")
        shown = "" if default is None else f"`{json.dumps(default).strip(chr(34))}`"
        kind = " or ".join(f"`{value}`" for value in choices(setting)) or kind_of(setting)
        secret = ", secret" if setting.get("secret") else ""
        rows.append((f"`{name}`", kind + secret, shown, plain(setting.get("description", ""))))
    return table(("Setting", "Type", "Default", "What it does"), rows)


AREAS = {
    "Workspaces and people": ("workspaces", "users", "current_user"),
    "Projects": ("projects",),
    "Repositories": (
        *("repositories", "repository_settings", "repository_extras", "permissions", "hooks"),
        "source_files",
    ),
    "Commits": ("commits", "commit_details"),
    "Pull requests": ("pull_requests", "pull_request_discussion", "pull_request_details"),
    "Pipelines and deployments": (
        *("pipelines", "pipeline_tests", "deployments", "pipeline_settings"),
    ),
    "Snippets": ("snippets",),
}
"""Where the documents show the streams of a module."""


def streams_of(area: str) -> list[tuple[str, type[BitbucketStream]]]:
    """Return the streams of an area, by name."""
    return [
        (name, stream)
        for module in AREAS[area]
        for name, stream in REGISTRY.items()
        if stream.__module__.rpartition(".")[2] == module
    ]


def streams_table(catalog: Json) -> str:
    """Return the tables of streams, one for each area of Bitbucket."""
    described = {
        stream["tap_stream_id"]: stream["schema"]["description"] for stream in catalog["streams"]
    }
    parts = []
    for area in AREAS:
        rows = []
        for name, stream in streams_of(area):
            what = plain(described[name]).split(". ")[0].rstrip(".")
            keys = ", ".join(stream.primary_keys)
            scopes = (stream.scope or "none", token_scope(stream) or "none")
            rows.append((f"`{name}`", what, keys, again(stream), cost(stream), *scopes, on(stream)))
        heads = ("Stream", "A row is", "Key", "Read again", "Requests")
        scopes = ("OAuth scope", "API token scope")
        parts.append(f"## {area}\n\n" + table((*heads, *scopes, "Default"), rows))
    return "\n\n".join(parts)


def streams_list() -> str:
    """Return README's table of streams: their names."""
    rows = []
    for area in AREAS:
        found = streams_of(area)
        chosen = [f"`{name}`" for name, stream in found if stream.selected_by_default]
        others = [f"`{name}`" for name, stream in found if not stream.selected_by_default]
        rows.append((area, ", ".join(chosen), ", ".join(others)))
    return table(("", "Read by default", "To be selected"), rows)


def on(stream: type[BitbucketStream]) -> str:
    """Say whether a stream is read by default."""
    return "on" if stream.selected_by_default else "off, admin" if stream.admin else "off"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in r] for r in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def again(stream: type[BitbucketStream]) -> str:
    """Say how a stream is read the next time."""
    way = stream.incremental
    if stream.unrolled:
        return "with `pull_requests`"
    if isinstance(way, NewCommits):
        return "commits that no known branch or tag reached"
    if isinstance(way, NewestFirst):
        return "the new ones" + (", and unfinished ones until they end" if way.remembers else "")
    if isinstance(way, UpdatedSince):
        always = f", and those that are {way.silent}" if way.silent else ""
        return f"what was updated{always}" + ("; whole now and then" if way.reconcile else "")
    return _again_below(way) if parents_of(stream) else _again_whole(way)


def _again_below(way: Strategy) -> str:
    if isinstance(way, ChangedParents):
        quiet = ", and that may change unnoticed" if way.quietly else ""
        return f"below `{way.parents}` that changed{quiet}"
    if isinstance(way, BelowCommits):
        return "below new commits" + ("" if way.window is None else ", and for a day after")
    return "whole"


def _again_whole(way: Strategy) -> str:
    if isinstance(way, WhenHeadMoved):
        return "whole, if the main branch moved; whole now and then"
    gated = isinstance(way, FullTable) and way.unless_unchanged
    return "whole, if the repository changed; whole now and then" if gated else "whole"


def cost(stream: type[BitbucketStream]) -> str:
    """Say what a first run of a stream costs in requests."""
    way = stream.incremental
    below = parents_of(stream)
    if stream.unrolled or not stream.path:
        return "none"
    if isinstance(way, FromFeed):
        return f"few where `{way.feed}` is read, else 1 per {below} that has any"
    if below:
        zero = " that has any" if getattr(way, "unless_zero", None) else ""
        return f"1 per {below}{zero}{_rows(stream)}"
    place = "workspace" if stream is Workspaces else stream.kind
    if isinstance(way, NewCommits) or (isinstance(way, FullTable) and way.unless_unchanged):
        place = f"changed {place}"
    if isinstance(way, NewestFirst) and way.gate:
        place = f"{place} with changed {way.gate.replace('_', ' ')}"
    one = "2" if stream is HookEvents else "1"
    return f"{one} per {place}{_rows(stream)}" if place else one


def parents_of(stream: type[BitbucketStream]) -> str:
    """Return what one of the rows is called that a stream has a list below."""
    name: str | None = getattr(stream.incremental, "parents", None)
    if stream.through:
        name = stream.through[-1]
    elif isinstance(stream.incremental, BelowCommits):
        name = "commits"
    short = {"pipeline_steps": "step", "commit_reports": "report", "current_user": "account"}
    short |= {"pipeline_schedules": "schedule"}
    return short.get(name or "", (name or "").removesuffix("s").replace("_", " "))


def _rows(stream: type[BitbucketStream]) -> str:
    """Say how many rows a request brings, where it is not 100."""
    whole = stream.paging in {Paging.ENTITY, Paging.NONE} or stream.pagelen in {0, 100}
    return "" if whole else f" and {stream.pagelen:,} rows"
