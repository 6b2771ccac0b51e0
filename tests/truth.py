"""What a full run must hold: the stand-in's own rows, by the keys that the tap promises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tap_bitbucket.demo import World

Row = dict[str, Any]
Key = tuple[Any, ...]

CONTEXT = {"workspace", "repository_uuid", "repository", "repository_full_name"}
MADE = {
    "workspace_members": {"workspace_uuid", "user_uuid"},
    "workspace_permissions": {"workspace_uuid", "user_uuid"},
    "pull_request_participants": {"pull_request_id", "pull_request_updated_on", "user_uuid"},
    "pull_request_activity": {
        "pull_request_id", "kind", "occurred_on", "actor_uuid", "comment_id",
    },
    "pull_request_comments": {"pull_request_id"},
    "pull_request_tasks": {"pull_request_id"},
    "pipeline_steps": {"pipeline_uuid", "pipeline_created_on"},
    "deployments": {"completed_on"},
    "default_reviewers": {"user_uuid"},
}  # fmt: skip
"""Columns that Bitbucket does not send."""

STREAMS = (
    "workspaces", "workspace_members", "workspace_permissions", "users", "projects",
    "repositories", "branches", "tags", "default_reviewers", "commits", "pull_requests",
    "pull_request_participants", "pull_request_activity", "pull_request_comments",
    "pull_request_tasks", "pipelines", "pipeline_steps", "environments", "deployments",
)  # fmt: skip
_KINDS = {"workspace_members": "members", "workspace_permissions": "permissions"}
_OF_THE_PIPELINES_SERVICE = {"pipelines", "pipeline_steps", "environments", "deployments"}
_TIME = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$")


def truth(world: World, stream: str) -> dict[Key, Row]:
    """Return a stream's rows as a perfect client would keep them, by key."""
    found: dict[Key, Row] = {}
    for key, row in _rows(world, stream):
        assert key not in found or stream == "users", f"{key} is no key of {stream}"
        found[key] = as_written(row, stream)
    return found


def _rows(world: World, stream: str) -> Iterator[tuple[Key, Row]]:
    if stream == "users":
        for _, _, _, row in world.truth("members"):
            yield (row["user"]["uuid"],), row["user"]
    elif stream == "pull_request_participants":
        for key, row in _rows(world, "pull_requests"):
            for one in row["participants"]:
                yield (*key, one["user"]["uuid"]), one
    elif stream == "default_reviewers":
        for repo in world.repositories():
            own = {user.uuid: (user, "repository") for user in repo.default_reviewers}
            above = {user.uuid: (user, "project") for user in repo.project.default_reviewers}
            for uuid, (user, kind) in {**above, **own}.items():
                shown = world.shapes.account(user)
                row = {"type": "default_reviewer", "reviewer_type": kind, "user": shown}
                yield (repo.uuid, uuid), row
    else:
        for workspace, slug, parent, row in world.truth(_KINDS.get(stream, stream)):
            where = world.repository(f"{workspace}/{slug}").uuid if slug else ""
            yield _key(stream, where, parent, row), row


def _key(stream: str, where: str, parent: Any, row: Row) -> Key:  # noqa: PLR0911 - a table
    if stream in _KINDS:
        return row["workspace"]["uuid"], row["user"]["uuid"]
    if stream in {"branches", "tags"}:
        return where, row["name"]
    if stream == "commits":
        return where, row["hash"]
    if stream == "pull_requests":
        return where, row["id"]
    if stream in {"pull_request_comments", "pull_request_tasks"}:
        return where, parent, row["id"]
    if stream == "pull_request_activity":
        kind = next(name for name in row if name != "pull_request")
        entry = row[kind]
        who = entry.get("user") or entry.get("author")
        number = str(entry["id"]) if kind == "comment" else ""
        when = entry.get("date") or entry.get("created_on")
        return where, parent, kind, when, who["uuid"], number
    return (row["uuid"],)


def as_written(row: Row, stream: str) -> Row:
    """Return a row with the changes that the tap documents: dates, secrets, displaced objects."""
    shown = row
    if stream in _OF_THE_PIPELINES_SERVICE:
        shown = in_microseconds(shown)
    if stream not in {"repositories", "workspaces"}:
        names = {"repository": "repository_object", "workspace": "workspace_object"}
        shown = {names.get(name, name): value for name, value in shown.items()}
    if stream == "repositories" and "workspace" in shown:
        shown = dict(shown)
        shown["workspace_object"] = shown.pop("workspace")
    if isinstance(shown.get("image"), dict):
        hidden = {"username", "password", "email", "aws"}
        kept = {name: value for name, value in shown["image"].items() if name not in hidden}
        shown = {**shown, "image": kept}
    return shown


def in_microseconds(value: Any) -> Any:
    """Return a value in which each time has six decimals, as the tap writes the pipelines'."""
    if isinstance(value, dict):
        return {name: in_microseconds(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [in_microseconds(inner) for inner in value]
    match = _TIME.match(value) if isinstance(value, str) else None
    if match is None:
        return value
    whole, fraction, zone = match.groups()
    return f"{whole}.{(fraction or '')[:6].ljust(6, '0')}{zone}"


def content(row: Row, stream: str) -> Row:
    """Return a written row without the columns that the tap adds."""
    made = CONTEXT | MADE.get(stream, set()) | {"_version"}
    if stream == "repositories":
        made = made - {"repository"}
    return {name: value for name, value in row.items() if name not in made}


def missing(row: Any, whole: Any, place: str = "") -> Iterator[str]:
    """Yield what a row shows otherwise than the truth, which may hold more (what is cut)."""
    if isinstance(row, dict) and isinstance(whole, dict):
        for name, value in row.items():
            if name not in whole:
                yield f"{place}.{name} is made up"
            else:
                yield from missing(value, whole[name], f"{place}.{name}")
    elif isinstance(row, list) and isinstance(whole, list) and len(row) == len(whole):
        for index, (one, other) in enumerate(zip(row, whole, strict=True)):
            yield from missing(one, other, f"{place}[{index}]")
    elif row != whole:
        yield f"{place}: {row!r} is not {whole!r}"
