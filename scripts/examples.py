"""A row of each stream, as the tap writes it from the example world at a fixed moment."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
import re
from datetime import datetime, timezone
from functools import cache
from typing import Any

from scripts.catalog import catalog
from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, example_world
from tap_bitbucket.tap import TapBitbucket

Json = dict[str, Any]

MOMENT = datetime(2026, 11, 2, 9, 30, tzinfo=timezone.utc)
"""When the example world is looked at."""

_LONG = 100
"""Characters of a line."""

_MANY = 2
"""Entries of a list that are shown."""


@cache
def example_rows() -> dict[str, Json]:
    """Return a row of each stream: of all that there are, the one with the fewest gaps."""
    found: dict[str, Json] = {}
    for line in _output().removesuffix("\n").split("\n"):
        message = json.loads(line)
        if message["type"] == "RECORD":
            row, name = message["record"], message["stream"]
            if name not in found or _filled(row) > _filled(found[name]):
                found[name] = row
    return found


def _output() -> str:
    """Run the tap with all streams, with the columns that are on by default."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    world = example_world(MOMENT)
    keys = world.credentials
    if keys is None:
        message = "the example world has no credentials"
        raise RuntimeError(message)
    try:
        with BitbucketServer(world) as server, contextlib.redirect_stdout(out):
            access = {"email": keys.email, "api_token": keys.api_token}
            config = {"api_url": server.api_url, "workspaces": [EXAMPLE_WORKSPACE], **access}
            tap = TapBitbucket(config=config, catalog=_all_streams())
            tap.sync_all()
            tap.session.transport.close()
    finally:
        logging.getLogger().setLevel(level)
    out.flush()
    text = out.buffer.getvalue().decode()
    return str(re.sub(r"http://127\.0\.0\.1:\d+", "https://api.bitbucket.org", text))


def _all_streams() -> Json:
    chosen = copy.deepcopy(catalog())
    for stream in chosen["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = True
    return chosen


def _filled(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_filled(inner) for inner in value.values())
    return int(value is not None and value not in ([], ""))


def as_json(value: Any, indent: int = 0) -> str:
    """Return a row as JSON for people: what fits is on one line, of long lists the beginning."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or (indent and len(line) + indent <= _LONG):
        return line
    inner = indent + 2
    if isinstance(value, list):
        parts = [as_json(one, inner) for one in value[:_MANY]]
        brackets = "[]"
    else:
        parts = [f'"{name}": {as_json(one, inner)}' for name, one in value.items()]
        brackets = "{}"
    text = f",\n{' ' * inner}".join(parts)
    return f"{brackets[0]}\n{' ' * inner}{text}\n{' ' * indent}{brackets[1]}"
