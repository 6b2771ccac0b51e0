"""The columns that the tap adds to what Bitbucket sends, and where their values come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tap_bitbucket.demo import World

Row = dict[str, Any]


@dataclass(frozen=True)
class Told:
    """A row of Bitbucket's and where it is read: workspace, repository, and what it is below."""

    workspace: str
    repository: str | None
    parent: Any
    row: Row


class Facts:
    """What the rows of a world tell about the parents of other rows."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.errors: Counter[tuple[str, str]] = Counter()

    @cached_property
    def me(self) -> str | None:
        """The account that signs in."""
        mail = self.world.credentials.email if self.world.credentials else ""
        found = [user.uuid for user in self.world.users.values() if user.email == mail]
        return found[0] if found else None

    @cached_property
    def dates(self) -> dict[tuple[str | None, str], str]:
        """When each commit that a branch or a tag leads to was made."""
        rows = self.world.truth("commits")
        return {(repository, row["hash"]): row["date"] for _, repository, _, row in rows}

    @cached_property
    def updates(self) -> dict[tuple[str | None, int], str]:
        """When each pull request changed."""
        rows = self.world.truth("pull_requests")
        return {(repository, row["id"]): row["updated_on"] for _, repository, _, row in rows}

    @cached_property
    def pipelines(self) -> dict[str, str]:
        """When each pipeline was created."""
        rows = self.world.rows("pipelines")
        return {row["uuid"]: row["created_on"] for row in rows}

    @cached_property
    def steps(self) -> dict[str, Any]:
        """The pipeline of each step."""
        return {row["uuid"]: parent for _, _, parent, row in self.world.truth("pipeline_steps")}

    @cached_property
    def reports(self) -> dict[str, Any]:
        """The commit of each report."""
        return {row["uuid"]: parent for _, _, parent, row in self.world.truth("commit_reports")}

    def execution(self, told: Told) -> str:
        """Return what tells an execution from the others of its schedule; ask in their order."""
        row = told.row
        name = (row.get("pipeline") or row).get("uuid") or row.get("created_on")
        if name is not None:
            return str(name)
        error = row["error"]["key"]
        self.errors[told.parent, error] += 1
        return f"{error} {self.errors[told.parent, error]}"


Value = Callable[[Facts, Told], Any]
Made = dict[str, Value]


def _context(facts: Facts, told: Told) -> Row:
    """Return where a row was read: the columns that all rows of a place have."""
    columns: Row = {}
    if told.workspace:
        columns["workspace"] = told.workspace
    if told.repository is not None:
        repo = facts.world.repository(f"{told.workspace}/{told.repository}")
        columns["repository_uuid"] = repo.uuid
        columns["repository"] = repo.slug
        columns["repository_full_name"] = repo.full_name
    return columns


def _parent(_: Facts, told: Told) -> Any:
    return told.parent


def _of(*names: str) -> Value:
    """Take a value from the row."""

    def made(_: Facts, told: Told) -> Any:
        value: Any = told.row
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return made


def _file(_: Facts, told: Told) -> str:
    """Return the path of a changed file: the new one, or of a removed file the old one."""
    path: str = (told.row["new"] or told.row["old"])["path"]
    return path


def _happened(row: Row) -> tuple[str, Row]:
    """Return the kind of an activity entry, and what it tells."""
    kind = next(name for name in row if name != "pull_request")
    return kind, row[kind]


def _occurred_on(_: Facts, told: Told) -> Any:
    entry = _happened(told.row)[1]
    return entry.get("date") or entry.get("created_on")


def _actor(_: Facts, told: Told) -> Any:
    entry = _happened(told.row)[1]
    return (entry.get("user") or entry.get("author") or {}).get("uuid", "")


def _comment(_: Facts, told: Told) -> str:
    kind, entry = _happened(told.row)
    return str(entry["id"]) if kind == "comment" else ""


_USER: Made = {"user_uuid": _of("user", "uuid")}
_GROUP: Made = {"group_slug": _of("group", "slug")}
_PROJECT: Made = {
    "project_key": _parent,
    "project_uuid": lambda facts, told: (
        facts.world.workspace(told.workspace).projects[told.parent].uuid
    ),
}
_COMMIT: Made = {"commit_hash": _parent}
_REQUEST: Made = {"pull_request_id": _parent}
_CHANGED_REQUEST: Made = {
    **_REQUEST,
    "pull_request_updated_on": lambda facts, told: facts.updates[told.repository, told.parent],
}
_PIPELINE: Made = {
    "pipeline_uuid": _parent,
    "pipeline_created_on": lambda facts, told: facts.pipelines[told.parent],
}
_STEP: Made = {
    "step_uuid": _parent,
    "pipeline_uuid": lambda facts, told: facts.steps[told.parent],
    "pipeline_created_on": lambda facts, told: facts.pipelines[facts.steps[told.parent]],
}
_MEMBER: Made = {"workspace_uuid": _of("workspace", "uuid"), **_USER}

MADE: dict[str, Made] = {
    "workspace_members": _MEMBER,
    "workspace_permissions": _MEMBER,
    "workspace_repository_permissions": {"repository_uuid": _of("repository", "uuid"), **_USER},
    "project_default_reviewers": _PROJECT | _USER,
    "project_user_permissions": _PROJECT | _USER,
    "project_group_permissions": _PROJECT | _GROUP,
    "project_branching_models": _PROJECT,
    "project_deploy_keys": _PROJECT,
    "snippet_comments": {"snippet_id": _parent},
    "snippet_commits": {"snippet_id": _parent},
    "commit_statuses": _COMMIT,
    "commit_comments": _COMMIT,
    "commit_diffstat": {
        **_COMMIT,
        "commit_date": lambda facts, told: facts.dates[told.repository, told.parent],
        "path": _file,
    },
    "commit_reports": _COMMIT,
    "commit_report_annotations": {
        "report_uuid": _parent,
        "commit_hash": lambda facts, told: facts.reports[told.parent],
    },
    "pull_request_participants": {**_CHANGED_REQUEST, **_USER},
    "pull_request_activity": {
        **_REQUEST,
        "kind": lambda _, told: _happened(told.row)[0],
        "occurred_on": _occurred_on,
        "actor_uuid": _actor,
        "comment_id": _comment,
    },
    "pull_request_comments": _REQUEST,
    "pull_request_tasks": _REQUEST,
    "pull_request_commits": _CHANGED_REQUEST,
    "pull_request_diffstat": {**_CHANGED_REQUEST, "path": _file},
    "pull_request_statuses": {**_REQUEST, "commit_hash": _of("commit", "hash")},
    "pipeline_steps": _PIPELINE,
    "pipeline_test_reports": _STEP,
    "pipeline_test_cases": _STEP,
    "pipeline_schedule_executions": {
        "schedule_uuid": _parent,
        "execution": Facts.execution,
        "pipeline_uuid": _of("pipeline", "uuid"),
    },
    "deployments": {"completed_on": _of("state", "completed_on")},
    "deployment_variables": {"environment_uuid": _parent},
    "default_reviewers": _USER,
    "repository_user_permissions": _USER,
    "repository_group_permissions": _GROUP,
    "watchers": {"user_uuid": _of("uuid")},
    "source_files": {"commit_hash": _parent},
    "hook_events": {"subject_type": _parent},
}
"""Columns beside the context that Bitbucket does not send, by stream."""

CONTEXT = {"workspace", "repository_uuid", "repository", "repository_full_name"}


def columns(facts: Facts, stream: str, told: Told) -> Row:
    """Return the columns that the tap adds to a row."""
    made = {name: value(facts, told) for name, value in MADE.get(stream, {}).items()}
    return _context(facts, told) | made
