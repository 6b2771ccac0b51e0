"""Recorded responses of Bitbucket Cloud, sent through the tap by real HTTP, when they are at hand.

They lie beside the project, in ``../shared/payloads``, and are no part of it.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, Credentials, Fault, World
from tap_bitbucket.tap import TapBitbucket
from tests.support import Run, api_token_config, run_here, select_all

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "payloads"

Row = dict[str, Any]

KINDS = {
    "workspaces": "workspaces",
    "workspace_members": "workspace_members",
    "workspace_permissions": "workspace_permissions",
    "workspace_permissions_repositories": "workspace_repository_permissions",
    "users": "users",
    "user_current": "current_user",
    "user_emails": "current_user_emails",
    "user_ssh_keys": "current_user_ssh_keys",
    "user_gpg_keys": "current_user_gpg_keys",
    "projects": "projects",
    "project_default_reviewers": "project_default_reviewers",
    "project_permissions: project_user_permission": "project_user_permissions",
    "project_permissions: project_group_permission": "project_group_permissions",
    "project_branching_model": "project_branching_models",
    "project_deploy_keys": "project_deploy_keys",
    "repositories": "repositories",
    "repository": "repositories",
    "repository_permissions: repository_user_permission": "repository_user_permissions",
    "repository_permissions: repository_group_permission": "repository_group_permissions",
    "branch_restrictions": "branch_restrictions",
    "branching_model": "branching_models",
    "branching_model: branching_model_settings": "branching_model_settings",
    "deploy_keys": "deploy_keys",
    "hooks": "repository_hooks",
    "hook_events": "hook_events",
    "forks": "forks",
    "watchers": "watchers",
    "src": "source_files",
    "branches": "branches",
    "tags": "tags",
    "effective_default_reviewers": "default_reviewers",
    "commits": "commits",
    "commit": "commits",
    "commit_statuses": "commit_statuses",
    "commit_comments": "commit_comments",
    "diffstat": "commit_diffstat",
    "pullrequests": "pull_requests",
    "pullrequest": "pull_requests",
    "pullrequest_activity": "pull_request_activity",
    "pullrequest_comments": "pull_request_comments",
    "pullrequest_tasks": "pull_request_tasks",
    "pullrequest_commits": "pull_request_commits",
    "pullrequest_diffstat": "pull_request_diffstat",
    "pullrequest_statuses": "pull_request_statuses",
    "pipelines": "pipelines",
    "pipeline_steps": "pipeline_steps",
    "environments": "environments",
    "deployments": "deployments",
}
"""The streams that the recorded kinds belong to; of some kinds by the type of their rows."""

LEFT_OUT = {
    "errors": "is no row",
    "default_reviewers": "is part of effective-default-reviewers, which is read",
    "filehistory": "costs a request per file, and commit_diffstat tells the same",
    "user_workspaces": "only names the workspaces, which are then read one by one",
    "user_workspace_repository_permissions": "is the caller's own part of what is read whole",
    "project_branching_model: branching_model_settings": "is in no stream: the model is",
    "project_default_reviewers: user": "is the account alone, as no list shows it",
    "snippets: nothing": "is an account, in an example of the documents about snippets",
}
"""Recorded kinds that belong to no stream, and why."""

_LISTS = {
    "workspaces": r"/workspaces/[^/?]+$",
    "workspace_members": r"/members\?",
    "workspace_permissions": r"/permissions\?",
    "workspace_repository_permissions": r"/permissions/repositories\?",
    "users": r"/members\?",
    "current_user": r"/user$",
    "current_user_emails": r"/user/emails\?",
    "current_user_ssh_keys": r"/ssh-keys\?",
    "current_user_gpg_keys": r"/gpg-keys\?",
    "projects": r"/projects\?",
    "project_default_reviewers": r"/projects/P/default-reviewers\?",
    "project_user_permissions": r"/projects/P/permissions-config/users\?",
    "project_group_permissions": r"/projects/P/permissions-config/groups\?",
    "project_branching_models": r"/projects/P/branching-model$",
    "project_deploy_keys": r"/projects/P/deploy-keys\?",
    "repositories": r"/repositories/[^/]+\?",
    "repository_user_permissions": r"/only/permissions-config/users\?",
    "repository_group_permissions": r"/only/permissions-config/groups\?",
    "branch_restrictions": r"/branch-restrictions\?",
    "branching_models": r"/only/branching-model$",
    "branching_model_settings": r"/only/branching-model/settings$",
    "deploy_keys": r"/only/deploy-keys\?",
    "repository_hooks": r"/only/hooks\?",
    "hook_events": r"/hook_events/repository\?",
    "forks": r"/forks\?",
    "watchers": r"/watchers\?",
    "source_files": r"/src/",
    "branches": r"/refs/branches\?",
    "tags": r"/refs/tags\?",
    "default_reviewers": r"/effective-default-reviewers\?",
    "commits": r"/only/commits\?",
    "commit_statuses": r"/commit/\w+/statuses\?",
    "commit_comments": r"/commit/\w+/comments\?",
    "commit_diffstat": r"/diffstat/\w+\?",
    "pull_requests": r"/pullrequests\?",
    "pull_request_activity": r"/pullrequests/activity\?",
    "pull_request_comments": r"/pullrequests/1/comments\?",
    "pull_request_tasks": r"/pullrequests/1/tasks\?",
    "pull_request_commits": r"/pullrequests/1/commits\?",
    "pull_request_diffstat": r"/diffstat/.*from_pullrequest_id=1",
    "pull_request_statuses": r"/pullrequests/1/statuses\?",
    "pipelines": r"/pipelines/\?",
    "pipeline_steps": r"/steps/",
    "environments": r"/environments/\?",
    "deployments": r"/deployments/\?",
}

_PARENTS = {
    "current_user", "projects", "repositories", "branches", "tags", "commits", "pull_requests",
    "pipelines",
}  # fmt: skip
"""Streams that others hang below: recorded ones have nothing below them, so they come alone."""

_ENTITIES = {
    "workspaces", "current_user", "project_branching_models", "branching_models",
    "branching_model_settings",
}  # fmt: skip
"""What Bitbucket answers one by one, and not as a list."""


@dataclass
class Recording:
    """A recorded response: the rows that were in it, and the run that they went through."""

    file: str
    stream: str
    rows: list[Row]
    run: Run = field(default_factory=lambda: Run(0, [], ""))


def lines() -> list[dict[str, str]]:
    """Return the index of the recorded responses; empty if they are not here."""
    index = FOLDER / "INDEX.tsv"
    if not index.is_file():
        return []
    with index.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text, delimiter="\t"))


def rows_of(line: dict[str, str]) -> list[Row]:
    """Return what a recorded response holds: a page's rows, or one entity."""
    body = json.loads((FOLDER / line["file"]).read_text(encoding="utf-8"))
    page = isinstance(body, dict) and isinstance(body.get("values"), list)
    return [row for row in (body["values"] if page else [body]) if isinstance(row, dict)]


def name_of(kind: str, row: Row) -> str:
    """Return how ``KINDS`` or ``LEFT_OUT`` call a row: by its kind, or by kind and type."""
    exact = f"{kind}: {row.get('type', 'nothing')}"
    return exact if exact in KINDS or exact in LEFT_OUT else kind


def recordings() -> list[Recording]:
    """Return the recorded responses that belong to a stream; none if they are not here."""
    found: list[Recording] = []
    for line in lines():
        if line["status"] in {"200", "201"}:
            named = [(name_of(line["endpoint_kind"], row), row) for row in rows_of(line)]
            for stream in dict.fromkeys(KINDS[name] for name, _ in named if name in KINDS):
                rows = [row for name, row in named if KINDS.get(name) == stream]
                found += _units(line["file"], stream, rows)
    return found


def _units(file: str, stream: str, rows: list[Row]) -> list[Recording]:
    if stream in _ENTITIES:
        return [Recording(f"{file}#{number}", stream, [row]) for number, row in enumerate(rows)]
    return [Recording(file, stream, rows)]


@cache
def sent() -> list[Recording]:
    """Send every recording through the stream that it belongs to, everything selected."""
    everything = recordings()
    rounds: list[list[Recording]] = []
    for one in everything:
        for group in rounds:
            if all(_together(one, other) for other in group):
                group.append(one)
                break
        else:
            rounds.append([one])
    catalog = TapBitbucket(config={}, validate_config=False).catalog_dict
    for group in rounds:
        _send(group, catalog)
    return everything


def _together(one: Recording, other: Recording) -> bool:
    """Whether two recordings fit into one run."""
    if "repositories" in {one.stream, other.stream} and one.stream != other.stream:
        return False
    if (one.stream in _PARENTS) != (other.stream in _PARENTS):
        return False
    if one.stream != other.stream:
        return _LISTS[one.stream] != _LISTS[other.stream]
    if one.stream in _ENTITIES | {"pull_request_activity"}:
        return False
    known = {row.get("uuid") for row in other.rows}
    return one.stream not in {"pipelines", "deployments"} or known.isdisjoint(
        row.get("uuid") for row in one.rows
    )


def _send(group: list[Recording], catalog: dict[str, Any]) -> None:
    rows: dict[str, list[Row]] = {}
    for one in group:
        rows.setdefault(one.stream, []).extend(one.rows)
    with BitbucketServer(_world()) as server:
        for stream, sent_rows in rows.items():
            server.faults.add(_answer(stream, sent_rows))
        more = ["pull_request_participants"] if "pull_requests" in rows else []
        chosen = select_all(catalog, *rows, *more)
        run = run_here(api_token_config(server, concurrency=2), catalog=chosen)
        assert run.code == 0, f"{[one.file for one in group]}: {run.log}"
        for one in group:
            one.run = run


def _answer(stream: str, rows: list[Row]) -> Fault:
    shown = [{"user": row} for row in rows] if stream == "users" else rows
    body = shown[0] if stream in _ENTITIES else {"values": shown}

    def replace(_: Row) -> Row:
        return body

    return Fault("GET .*" + _LISTS[stream], action="edit", edit=replace)


def _world() -> World:
    """Make the least world in which each list is asked for once."""
    world = World(seed="recordings")
    workspace = world.add_workspace(EXAMPLE_WORKSPACE)
    person = world.add_user("Ann")
    world.add_member(workspace, person, "owner")
    world.set_branching_model(world.add_project(workspace, "P"))
    repo = world.add_repository(workspace, "only", project="P")
    request = world.open_pull_request(repo, author=person)
    world.comment(request, person, "One")
    world.add_task(request, person, "Two")
    world.finish_pipeline(world.start_pipeline(repo))
    world.credentials = Credentials("id", "secret", person.email, "token", "access")
    world.identities.add_api_token(person.email, "token", user=person)
    return world


def singer_lines() -> list[str]:
    """Return the recordings as Singer messages, to be loaded into a target as one run.

    Without versions: each recording was a run of its own, and none shall delete another's rows.
    """
    said: list[str] = []
    described: set[str] = set()
    runs = {id(one.run): one.run for one in sent()}
    for run in runs.values():
        for message in run.messages:
            if message["type"] == "RECORD":
                message.pop("version", None)
            elif message["type"] != "SCHEMA" or message["stream"] in described:
                continue
            else:
                described.add(message["stream"])
            said.append(json.dumps(message, ensure_ascii=False))
    return said
