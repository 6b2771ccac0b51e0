"""README's tables of streams and settings, from the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tap_bitbucket.client import REGISTRY, BitbucketStream
from tap_bitbucket.incremental import (
    ChangedParents,
    FullTable,
    NewCommits,
    NewestFirst,
    UpdatedSince,
)
from tap_bitbucket.streams.workspaces import Workspaces

Json = dict[str, Any]


def kind_of(setting: Json) -> str:
    """Return the type of a setting, without null."""
    kinds = setting.get("type", "string")
    return next(kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null")


def choices(setting: Json) -> list[str]:
    """Return the values that a setting accepts, if they are listed."""
    return [value for value in setting.get("enum", ()) if value is not None]


def plain(text: str) -> str:
    """Return a description in one paragraph, without links."""
    return " ".join(re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", text).split())


def settings_table(settings: Mapping[str, Json]) -> str:
    """Return README's table of settings."""
    rows = []
    for name, setting in settings.items():
        default = setting.get("default")
        shown = "" if default is None else f"`{json.dumps(default).strip(chr(34))}`"
        kind = " or ".join(f"`{value}`" for value in choices(setting)) or kind_of(setting)
        secret = ", secret" if setting.get("secret") else ""
        rows.append((f"`{name}`", kind + secret, shown, plain(setting.get("description", ""))))
    return _table(("Setting", "Type", "Default", "What it does"), rows)


def streams_table(catalog: Json) -> str:
    """Return README's table of streams."""
    described = {
        stream["tap_stream_id"]: stream["schema"]["description"] for stream in catalog["streams"]
    }
    rows = []
    for name, stream in REGISTRY.items():
        what = plain(described[name]).split(". ")[0].rstrip(".")
        keys = ", ".join(stream.primary_keys)
        default = "on" if selected_by_default(stream) else "off"
        rows.append((f"`{name}`", what, keys, again(stream), cost(stream), stream.scope, default))
    heads = ("Stream", "A row is", "Key", "Read again", "Requests", "Scope", "Default")
    return _table(heads, rows)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in r] for r in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def selected_by_default(stream: type[BitbucketStream]) -> bool:
    """Whether a stream is read when nobody says anything."""
    return bool(stream.selected_by_default)


def again(stream: type[BitbucketStream]) -> str:
    """Say how a stream is read the next time."""
    way = stream.incremental
    if stream.unrolled:
        return "with `pull_requests`"
    if isinstance(way, ChangedParents):
        return f"below `{way.parents}` that changed"
    if isinstance(way, NewCommits):
        return "commits that no known branch or tag reached"
    if isinstance(way, NewestFirst):
        return "the new ones" + (", and unfinished ones until they end" if way.remembers else "")
    if isinstance(way, UpdatedSince):
        always = f", and those that are {way.silent}" if way.silent else ""
        return f"what was updated{always}" + ("; whole now and then" if way.reconcile else "")
    gated = isinstance(way, FullTable) and way.unless_unchanged
    return "whole, if the repository changed; whole now and then" if gated else "whole"


def cost(stream: type[BitbucketStream]) -> str:
    """Say what a stream costs in requests."""
    way = stream.incremental
    place = "repository" if "{repository}" in stream.path else "workspace"
    if stream.unrolled or not stream.path:
        return "none"
    if stream is Workspaces:
        return "1 per workspace"
    if isinstance(way, ChangedParents):
        one = way.parents.removesuffix("s").replace("_", " ")
        zero = " that has any" if way.unless_zero else ""
        return f"1 per {one}{zero}"
    per = f"1 per {place}"
    if isinstance(way, NewCommits) or (isinstance(way, FullTable) and way.unless_unchanged):
        per = f"1 per changed {place}"
    if isinstance(way, NewestFirst) and way.gate:
        per = f"1 per {place} with changed {way.gate.replace('_', ' ')}"
    return f"{per}, and per further {stream.pagelen} rows"
