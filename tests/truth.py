"""What a full run must hold: the stand-in's own rows, by the keys that the tap promises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tap_bitbucket.demo import World
from tests.columns import CONTEXT, MADE, Facts, Row, Told, columns

Key = tuple[Any, ...]

_OF_A_REPOSITORY = ("repository_uuid",)
_BELOW_A_REQUEST = ("repository_uuid", "pull_request_id")

_ON: dict[str, Key] = {
    "workspaces": ("uuid",),
    "workspace_members": ("workspace_uuid", "user_uuid"),
    "workspace_permissions": ("workspace_uuid", "user_uuid"),
    "users": ("uuid",),
    "projects": ("uuid",),
    "repositories": ("uuid",),
    "branches": ("repository_uuid", "name"),
    "tags": ("repository_uuid", "name"),
    "default_reviewers": ("repository_uuid", "user_uuid"),
    "commits": ("repository_uuid", "hash"),
    "pull_requests": ("repository_uuid", "id"),
    "pull_request_participants": (*_BELOW_A_REQUEST, "user_uuid"),
    "pull_request_activity": (
        *_BELOW_A_REQUEST, "kind", "occurred_on", "actor_uuid", "comment_id",
    ),
    "pull_request_comments": (*_BELOW_A_REQUEST, "id"),
    "pull_request_tasks": (*_BELOW_A_REQUEST, "id"),
    "pipelines": ("uuid",),
    "pipeline_steps": ("uuid",),
    "environments": ("uuid",),
    "deployments": ("uuid",),
}  # fmt: skip
"""The streams that are read unless somebody deselects them, and their primary keys."""

_OFF: dict[str, Key] = {
    "workspace_repository_permissions": ("repository_uuid", "user_uuid"),
    "workspace_hooks": ("uuid",),
    "workspace_variables": ("uuid",),
    "workspace_runners": ("uuid",),
    "current_user": ("uuid",),
    "current_user_emails": ("email",),
    "current_user_ssh_keys": ("uuid",),
    "current_user_gpg_keys": ("fingerprint",),
    "project_default_reviewers": ("project_uuid", "user_uuid"),
    "project_user_permissions": ("project_uuid", "user_uuid"),
    "project_group_permissions": ("project_uuid", "group_slug"),
    "project_branching_models": ("project_uuid",),
    "project_deploy_keys": ("project_uuid", "id"),
    "snippets": ("workspace", "id"),
    "snippet_comments": ("workspace", "snippet_id", "id"),
    "snippet_commits": ("workspace", "snippet_id", "hash"),
    "commit_statuses": ("repository_uuid", "commit_hash", "key"),
    "commit_comments": ("repository_uuid", "id"),
    "commit_diffstat": ("repository_uuid", "commit_hash", "path", "status"),
    "commit_reports": ("repository_uuid", "commit_hash", "uuid"),
    "commit_report_annotations": ("repository_uuid", "report_uuid", "uuid"),
    "pull_request_commits": (*_BELOW_A_REQUEST, "hash"),
    "pull_request_diffstat": (*_BELOW_A_REQUEST, "path", "status"),
    "pull_request_statuses": (*_BELOW_A_REQUEST, "commit_hash", "key"),
    "pipeline_test_reports": ("step_uuid",),
    "pipeline_test_cases": ("step_uuid", "uuid"),
    "pipeline_variables": ("uuid",),
    "pipeline_schedules": ("uuid",),
    "pipeline_schedule_executions": ("repository_uuid", "schedule_uuid", "execution"),
    "pipeline_known_hosts": ("uuid",),
    "pipeline_caches": ("uuid",),
    "pipeline_runners": ("uuid",),
    "pipelines_config": _OF_A_REPOSITORY,
    "deployment_variables": ("uuid",),
    "branch_restrictions": ("repository_uuid", "id"),
    "branching_models": _OF_A_REPOSITORY,
    "branching_model_settings": _OF_A_REPOSITORY,
    "deploy_keys": ("repository_uuid", "id"),
    "repository_hooks": ("uuid",),
    "repository_user_permissions": ("repository_uuid", "user_uuid"),
    "repository_group_permissions": ("repository_uuid", "group_slug"),
    "repository_override_settings": _OF_A_REPOSITORY,
    "downloads": ("repository_uuid", "name"),
    "forks": ("repository_uuid", "uuid"),
    "watchers": ("repository_uuid", "user_uuid"),
    "source_files": ("repository_uuid", "path"),
    "hook_events": ("subject_type", "event"),
}
"""The streams that are read only when somebody selects them, and their primary keys."""

KEYS = _ON | _OFF
STREAMS = tuple(_ON)
ALL_STREAMS = tuple(KEYS)

_KINDS = {
    "workspace_members": "members",
    "workspace_permissions": "permissions",
    "users": "members",
    "pull_request_participants": "pull_requests",
    "default_reviewers": "effective_default_reviewers",
}
_ON_COMMITS = {"commit_statuses", "commit_comments", "commit_reports"}
_OF_THE_PIPELINES_SERVICE = {
    "workspace_variables", "workspace_runners", "pipelines", "pipeline_steps",
    "pipeline_test_reports", "pipeline_test_cases", "pipeline_variables", "pipeline_schedules",
    "pipeline_schedule_executions", "pipeline_known_hosts", "pipeline_caches", "pipeline_runners",
    "pipelines_config", "environments", "deployments", "deployment_variables",
}  # fmt: skip
_SECRET = {
    "workspace_variables": "value",
    "pipeline_variables": "value",
    "deployment_variables": "value",
    "workspace_hooks": "secret",
    "repository_hooks": "secret",
    "workspace_runners": "oauth_client",
    "pipeline_runners": "oauth_client",
}
_SECRET_OF_AN_IMAGE = {"username", "password", "email", "aws"}
_TIME = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$")


def key_of(stream: str, row: Row) -> Key:
    """Return what identifies a row of a stream."""
    return tuple(row[name] for name in KEYS[stream])


def truth(world: World, stream: str) -> dict[Key, Row]:
    """Return a stream's rows as a perfect client would keep them, by key."""
    return {key: row for key, (_, row) in with_columns(world, stream).items()}


def with_columns(world: World, stream: str) -> dict[Key, tuple[Row, Row]]:
    """Return, by key, the columns that the tap adds to each row, and the row."""
    facts = Facts(world)
    found: dict[Key, tuple[Row, Row]] = {}
    for told in _told(facts, stream):
        made = columns(facts, stream, told)
        if stream in _OF_THE_PIPELINES_SERVICE:
            made = in_microseconds(made)
        key = key_of(stream, {**told.row, **made})
        assert key not in found or stream == "users", f"{key} is no key of {stream}"
        found[key] = made, content(as_written(told.row, stream), stream)
    return found


def _told(facts: Facts, stream: str) -> Iterator[Told]:
    """Yield what a client can read."""
    for workspace, slug, parent, row in facts.world.truth(_KINDS.get(stream, stream)):
        if stream == "users":
            yield Told("", None, None, row["user"])
        elif stream == "repositories":
            yield Told(workspace, None, None, row)
        elif stream == "pull_request_participants":
            for one in row["participants"]:
                yield Told(workspace, slug, row["id"], one)
        elif _readable(facts, stream, slug, parent):
            yield Told(workspace, slug, parent, row)


def _readable(facts: Facts, stream: str, slug: str | None, parent: Any) -> bool:
    """Whether a row can be come by: of people one's own, of commits what branches lead to."""
    if stream.startswith("current_user"):
        return bool(parent == facts.me)
    if stream == "commit_report_annotations":
        return (slug, facts.reports[parent]) in facts.dates
    return stream not in _ON_COMMITS or (slug, parent) in facts.dates


def as_written(row: Row, stream: str) -> Row:
    """Return a row with the changes that the tap documents: dates, secrets, displaced objects."""
    shown = in_microseconds(row) if stream in _OF_THE_PIPELINES_SERVICE else row
    names = {"repository": "repository_object", "workspace": "workspace_object"}
    secret = _SECRET.get(stream)
    shown = {names.get(name, name): value for name, value in shown.items() if name != secret}
    if isinstance(shown.get("image"), dict):
        image = shown["image"]
        shown["image"] = {name: image[name] for name in image if name not in _SECRET_OF_AN_IMAGE}
    if stream in {"workspace_hooks", "repository_hooks"} and shown.get("url"):
        shown["url"] = without_user_info(shown["url"])
    if isinstance(shown.get("links"), dict) and "clone" in shown["links"]:
        clone = shown["links"]["clone"]
        hrefs = [{**one, "href": without_user_info(one["href"])} for one in clone]
        shown["links"] = {**shown["links"], "clone": hrefs}
    return shown


def without_user_info(address: str) -> str:
    """Return an address without the name and password of somebody."""
    return re.sub(r"^(\w+://)[^/@]*@", r"\1", address)


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
    made = CONTEXT | set(MADE.get(stream, ())) | {"_version"}
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
