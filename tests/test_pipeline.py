"""The whole job: Meltano, the tap, the target and PostgreSQL, as meltano.yml puts them together."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tap_bitbucket.client import REGISTRY
from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, example_world
from tap_bitbucket.demo.postgres import embedded_postgres
from tap_bitbucket.demo.project import PIPELINE, Project, tail
from tests.loading import meltano_settings
from tests.recordings import singer_lines

KINDS = {
    "workspaces": "workspaces",
    "workspace_members": "members",
    "workspace_permissions": "permissions",
    "users": "members",
    "projects": "projects",
    "repositories": "repositories",
    "branches": "branches",
    "tags": "tags",
    "commits": "commits",
    "pull_requests": "pull_requests",
    "pull_request_activity": "pull_request_activity",
    "pull_request_comments": "pull_request_comments",
    "pull_request_tasks": "pull_request_tasks",
    "pipelines": "pipelines",
    "pipeline_steps": "pipeline_steps",
    "environments": "environments",
    "deployments": "deployments",
}
"""The table of each kind of thing in the stand-in's world, where they are one to one."""

COLUMNS = {
    ("pull_requests", "id"): "bigint",
    ("pull_requests", "title"): "text",
    ("pull_requests", "created_on"): "timestamp without time zone",
    ("pull_requests", "author"): "jsonb",
    ("repositories", "is_private"): "boolean",
    ("repositories", "size"): "bigint",
    ("commits", "date"): "timestamp without time zone",
    ("commits", "hash"): "text",
    ("commits", "parents"): "ARRAY",
    ("pipelines", "build_seconds_used"): "bigint",
    ("pull_request_activity", "update"): "jsonb",
    ("pull_request_participants", "approved"): "boolean",
}


@dataclass
class Pipeline:
    """A stand-in, a database, and the job between them."""

    server: BitbucketServer
    project: Project
    database: psycopg.Connection[Any]
    requests: list[int] = field(default_factory=list)

    def run(self, **settings: str) -> None:
        """Run the job once; it must succeed."""
        self.server.clear_requests()
        code = self.project.meltano(*PIPELINE, environment=settings)
        assert code == 0, "\n".join(tail(self.project.log, 60))
        self.requests.append(len(self.server.requests))

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database, each time anew."""
        with self.database.transaction():
            return list(self.database.execute(query))

    def count(self, table: str) -> int:
        """Count the rows of a table."""
        return int(self.ask(f'select count(*) from bitbucket."{table}"')[0][0])


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Iterator[Pipeline]:
    """Run the job once on the example world, which installs Meltano's plugins for all tests."""
    with (
        BitbucketServer(example_world()) as server,
        embedded_postgres(folder / "pipeline-postgres") as uri,
    ):
        settings = {
            **meltano_settings(server, uri),
            # The demo below runs in the same folder and has its own state.
            "MELTANO_DATABASE_URI": f"sqlite:///{folder}/pipeline.db",
        }
        project = Project(folder / "meltano", settings)
        with psycopg.connect(uri, autocommit=True) as database:
            made = Pipeline(server, project, database)
            made.run()
            yield made


@pytest.mark.parametrize("table", KINDS)
def test_every_row_arrives(pipeline: Pipeline, table: str) -> None:
    """A table has as many rows as Bitbucket has things of that kind."""
    assert pipeline.count(table) == len(pipeline.server.world.truth(KINDS[table]))


def test_participants_are_unrolled(pipeline: Pipeline) -> None:
    """Each participant of each pull request is a row."""
    rows = pipeline.server.world.rows("pull_requests")
    assert pipeline.count("pull_request_participants") == sum(len(r["participants"]) for r in rows)


def test_inherited_reviewers_arrive(pipeline: Pipeline) -> None:
    """Default reviewers are those of the repository and of its project."""
    query = "select repository, reviewer_type from bitbucket.default_reviewers"
    kinds = {kind for _, kind in pipeline.ask(query)}
    assert kinds == {"repository", "project"}


def test_columns_have_types(pipeline: Pipeline) -> None:
    """Columns have the SQL types of their values: times, numbers, truth values, JSON."""
    query = (
        "select table_name, column_name, data_type from information_schema.columns "
        "where table_schema = 'bitbucket'"
    )
    found = {(table, column): kind for table, column, kind in pipeline.ask(query)}
    assert {place: found.get(place) for place in COLUMNS} == COLUMNS


def test_keys_are_primary_keys(pipeline: Pipeline) -> None:
    """The primary key of each table is the stream's."""
    query = """
        select k.table_name, k.column_name
        from information_schema.table_constraints c
        join information_schema.key_column_usage k using (constraint_schema, constraint_name)
        where c.constraint_type = 'PRIMARY KEY' and c.table_schema = 'bitbucket'
    """
    found: dict[str, set[str]] = {}
    for table, column in pipeline.ask(query):
        found.setdefault(table, set()).add(column)
    chosen = {name: stream for name, stream in REGISTRY.items() if stream.selected_by_default}
    assert found == {name: set(stream.primary_keys) for name, stream in chosen.items()}


def test_bulk_is_neither_loaded_nor_asked_for(pipeline: Pipeline) -> None:
    """Through Meltano, too, what the tap leaves out by default is left out, columns and below."""
    query = "select table_name from information_schema.columns where column_name = any(%s)"
    bulk = ["links", "rendered", "workspace_object", "repository_object"]
    assert pipeline.database.execute(query, (bulk,)).fetchall() == []
    assert pipeline.ask("select 1 from bitbucket.pull_requests where author ? 'links'") == []
    assert pipeline.ask("select 1 from bitbucket.commits where author::text like '%href%'") == []


def test_times_are_utc(pipeline: Pipeline) -> None:
    """A time in the database is Bitbucket's, in UTC."""
    rows = pipeline.server.world.rows("repositories")
    found = pipeline.ask("select full_name, created_on from bitbucket.repositories")
    said = {name: f"{at.isoformat(timespec='microseconds')}+00:00" for name, at in found}
    assert said == {row["full_name"]: row["created_on"] for row in rows}


def test_a_second_run_updates_and_deletes(pipeline: Pipeline) -> None:
    """What changed is updated in place, what is new is added, what was deleted goes."""
    world = pipeline.server.world
    portal = world.repository(f"{EXAMPLE_WORKSPACE}/web-portal")
    maya = next(user for user in world.users.values() if user.nickname == "maya")
    one = next(one for one in portal.pull_requests.values() if one.state == "OPEN")
    used = {pr.source_branch for pr in portal.pull_requests.values() if pr.state == "OPEN"}
    gone = next(name for name in portal.branches if name not in {*used, portal.mainbranch})
    assert portal.mainbranch is not None
    world.push(portal, portal.mainbranch, messages=["Only just pushed"], user=maya)
    world.decline(one, maya, "Not now.")
    world.delete_branch(portal, gone)

    pipeline.run(TAP_BITBUCKET_RECONCILE_EVERY="0", TARGET_POSTGRES_HARD_DELETE="true")

    for table, kind in KINDS.items():
        if table != "commits":  # those of a deleted branch stay
            assert pipeline.count(table) == len(world.truth(kind)), table
    states = "select id, state from bitbucket.pull_requests where repository = 'web-portal'"
    assert dict(pipeline.ask(states))[one.id] == "DECLINED"
    branches = "select name from bitbucket.branches where repository = 'web-portal'"
    assert {name for (name,) in pipeline.ask(branches)} == set(portal.branches)
    assert pipeline.ask("select 1 from bitbucket.commits where message like 'Only just pushed%'")
    assert pipeline.requests[1] < pipeline.requests[0]


def test_recorded_responses_load(pipeline: Pipeline, folder: Path) -> None:
    """What Bitbucket really sent, where recordings are at hand, fits into the tables, each row."""
    lines = singer_lines()
    keys: dict[str, list[str]] = {}
    rows: dict[str, set[tuple[Any, ...]]] = {}
    for message in map(json.loads, lines):
        if message["type"] == "SCHEMA":
            keys[message["stream"]] = message["key_properties"]
        else:
            key = tuple(message["record"][name] for name in keys[message["stream"]])
            rows.setdefault(message["stream"], set()).add(key)
    config = folder / "recordings.json"
    url = pipeline.project.environment["TARGET_POSTGRES_SQLALCHEMY_URL"]
    config.write_text(json.dumps({"sqlalchemy_url": url, "default_target_schema": "recorded"}))
    venv = pipeline.project.folder / ".meltano" / "loaders" / "target-postgres" / "venv"
    result = subprocess.run(
        [venv / "bin" / "target-postgres", "--config", config],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    found = {name: pipeline.ask(f"select count(*) from recorded.{name}")[0][0] for name in rows}
    assert found == {name: len(held) for name, held in rows.items()}


# -- the demo -------------------------------------------------------------------------------------


def demo(folder: Path) -> list[str]:
    """Return the command line of the demo."""
    return [sys.executable, "-m", "tap_bitbucket", "demo", "--folder", str(folder)]


def left_behind(folder: Path) -> list[str]:
    """Return what still runs in a folder."""
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in listing.stdout.splitlines() if str(folder) in line]


@pytest.mark.usefixtures("pipeline")
def test_the_demo_tells_its_story_and_leaves_nothing_running(folder: Path) -> None:
    """The first demo loads everything; the second, by the same sign-in, only what changed."""
    asked, read = [], []
    for number in (1, 2):
        environment = {**os.environ, "TAP_BITBUCKET_API_TOKEN": "of somebody else"}
        result = subprocess.run(
            demo(folder), capture_output=True, text=True, check=False, timeout=200, env=environment
        )
        assert result.returncode == 0, result.stdout + result.stderr
        match = re.search(r"run asked Bitbucket (\d+) times and read (\d+) rows", result.stdout)
        assert match is not None, result.stdout
        asked.append(int(match[1]))
        read.append(int(match[2]))
        assert re.search(r"telescope-control +\d+ +\d+ +\d+ [dh] \d+", result.stdout)
        assert "Your own workspace" in result.stdout
        assert left_behind(folder / "postgres") == [], number
    assert asked[1] < asked[0]
    assert read[1] < read[0] / 2


@pytest.mark.usefixtures("pipeline")
def test_a_stopped_demo_leaves_nothing_running(folder: Path) -> None:
    """A signal ends the demo with all that it started, within seconds, and shows in its code."""
    process = subprocess.Popen(
        demo(folder), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "meltano run" in line:
            break
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    process.stdout.close()
    assert process.wait(15) == 128 + signal.SIGTERM
    assert left_behind(folder / "postgres") == []
    assert left_behind(folder / "meltano") == []
