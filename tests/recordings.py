"""Recorded responses of Bitbucket Cloud, sent through the tap by real HTTP, when they are at hand.

They lie beside the project, in ``../shared/payloads``, and are no part of it.
"""

from __future__ import annotations

import csv
import json
import re
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
    "users": "users",
    "user_current": "users",
    "projects": "projects",
    "repositories": "repositories",
    "repository": "repositories",
    "branches": "branches",
    "tags": "tags",
    "effective_default_reviewers": "default_reviewers",
    "commits": "commits",
    "commit": "commits",
    "pullrequests": "pull_requests",
    "pullrequest": "pull_requests",
    "pullrequest_activity": "pull_request_activity",
    "pullrequest_comments": "pull_request_comments",
    "pullrequest_tasks": "pull_request_tasks",
    "pipelines": "pipelines",
    "pipeline_steps": "pipeline_steps",
    "environments": "environments",
    "deployments": "deployments",
}
"""The streams that the recorded kinds belong to."""

_LISTS = {
    "workspaces": r"/workspaces/[^/?]+$",
    "workspace_members": r"/members\?",
    "workspace_permissions": r"/permissions\?",
    "users": r"/members\?",
    "projects": r"/projects\?",
    "repositories": r"/repositories/[^/]+\?",
    "branches": r"/refs/branches\?",
    "tags": r"/refs/tags\?",
    "default_reviewers": r"/effective-default-reviewers\?",
    "commits": r"/commits\?",
    "pull_requests": r"/pullrequests\?",
    "pull_request_activity": r"/pullrequests/activity\?",
    "pull_request_comments": r"/comments\?",
    "pull_request_tasks": r"/tasks\?",
    "pipelines": r"/pipelines/\?",
    "pipeline_steps": r"/steps/",
    "environments": r"/environments/\?",
    "deployments": r"/deployments/\?",
}

_PARENTS = ("repositories", "pull_requests", "pipelines")
"""Streams that others hang below: recorded ones have nothing below them, so they come alone."""


@dataclass
class Recording:
    """A recorded response: the rows that were in it, and the run that they went through."""

    file: str
    stream: str
    rows: list[Row]
    run: Run = field(default_factory=lambda: Run(0, [], ""))


def recordings() -> list[Recording]:
    """Return the recorded responses that belong to a stream; none if they are not here."""
    index = FOLDER / "INDEX.tsv"
    if not index.is_file():
        return []
    found: list[Recording] = []
    with index.open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines, delimiter="\t"):
            stream = KINDS.get(line["endpoint_kind"])
            if stream is None or line["status"] not in {"200", "201"}:
                continue
            body = json.loads((FOLDER / line["file"]).read_text(encoding="utf-8"))
            page = isinstance(body, dict) and isinstance(body.get("values"), list)
            rows = [row for row in (body["values"] if page else [body]) if isinstance(row, dict)]
            found += _units(line["file"], stream, rows)
    return found


def _units(file: str, stream: str, rows: list[Row]) -> list[Recording]:
    if stream == "workspaces":  # Bitbucket gives them one by one
        return [Recording(f"{file}#{number}", stream, [row]) for number, row in enumerate(rows)]
    return [Recording(file, stream, rows)] if rows else []


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
    if one.stream in {"workspaces", "pull_request_activity"}:
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
    body = shown[0] if stream == "workspaces" else {"values": shown}

    def replace(_: Row) -> Row:
        return body

    return Fault("GET .*" + _LISTS[stream], action="edit", edit=replace)


def _world() -> World:
    """Make the least world in which each list is asked for once."""
    world = World(seed="recordings")
    workspace = world.add_workspace(EXAMPLE_WORKSPACE)
    person = world.add_user("Ann")
    world.add_member(workspace, person, "owner")
    world.add_project(workspace, "P")
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
    lines: list[str] = []
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
            lines.append(json.dumps(message, ensure_ascii=False))
    return lines


def without_user_info(row: Row) -> Row:
    """Drop the user name of clone links, which the tap does not pass on."""
    clones = (row.get("links") or {}).get("clone") if isinstance(row.get("links"), dict) else None
    if not clones:
        return row
    shown = [{**one, "href": re.sub(r"^(https?://)[^/@]*@", r"\1", one["href"])} for one in clones]
    return {**row, "links": {**row["links"], "clone": shown}}
