"""The DAGs of the example in a real Airflow: they load, they run, they keep quiet about secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, example_world
from tests.airflow.workplace import EXAMPLE, Connections, Workplace, databases
from tests.truth import STREAMS

pytestmark = pytest.mark.timeout(600)  # the first test waits for three runs of Meltano

DAGS = {"bitbucket", "bitbucket_shards", "bitbucket_waiting"}


@pytest.fixture(scope="module")
def workplace(folder: Path) -> Iterator[Workplace]:
    """Make an Airflow with the example's DAGs, and databases for them."""
    with (
        BitbucketServer(example_world()) as server,
        databases(folder / "postgres") as places,
    ):
        made = Workplace(folder / "place", server, places)
        made.sign_in()
        with made.shell():
            made.run("db", "migrate")
            yield made


@pytest.fixture(scope="module")
def one(workplace: Workplace) -> Connections:
    """Return the connections of the DAG for one machine."""
    return workplace.one(workplace.databases.make("one"))


@pytest.fixture(scope="module")
def several(workplace: Workplace) -> Connections:
    """Return the connections of the DAG for several workers."""
    return workplace.several(workplace.databases.make("shards"))


@pytest.fixture(scope="module")
def first(workplace: Workplace, one: Connections, several: Connections) -> int:
    """Run both DAGs for the first time, and return how often the first of them asked."""
    workplace.test("bitbucket", **one)
    asked = len(workplace.server.requests)
    workplace.test("bitbucket_shards", **several)
    return asked


def ask(workplace: Workplace, database: str, query: str) -> list[tuple[Any, ...]]:
    """Ask a database that the DAGs write to."""
    with psycopg.connect(workplace.databases.uri(database)) as connection:
        return list(connection.execute(query.encode()))


def states(workplace: Workplace, task: str) -> list[str]:
    """Return how the instances of a task of the DAG with the shards ended, the last one last."""
    query = "select state from task_instance where dag_id = 'bitbucket_shards' and task_id = '{}'"
    return [
        state for (state,) in workplace.ask(f"{query.format(task)} order by start_date, end_date")
    ]


def test_the_dags_are_read_without_errors(workplace: Workplace) -> None:
    """Airflow finds every DAG of the example, and nothing wrong with any."""
    workplace.run("dags", "reserialize")
    assert workplace.ask("select filename, stacktrace from import_error") == []
    assert {name for (name,) in workplace.ask("select dag_id from dag")} == DAGS


def test_a_run_may_take_longer_than_the_tap_goes_on(workplace: Workplace) -> None:
    """A task that reads has more time than `max_duration`, is tried again, and never overlaps."""
    project = yaml.safe_load((EXAMPLE / "meltano.yml").read_text(encoding="utf-8"))
    limit = project["plugins"]["extractors"][0]["config"]["max_duration"]
    query = "select data from serialized_dag where dag_id in ('bitbucket', 'bitbucket_shards')"
    for (text,) in workplace.ask(query):
        dag = json.loads(text)["dag"]
        assert dag["max_active_runs"] == 1
        assert not dag.get("catchup")
        tasks = {one["__var"]["task_id"]: one["__var"] for one in dag["tasks"]}
        for name in tasks.keys() & {"sync", "shard", "deletions"}:
            said = {**tasks[name], **tasks[name].get("partial_kwargs", {})}
            time = said["execution_timeout"]
            assert (time["__var"] if isinstance(time, dict) else time) > limit + 600
            assert said["retries"] > 0


def test_shards_load_what_one_run_loads(workplace: Workplace, first: int, folder: Path) -> None:
    """The tables of all shards together are those of the DAG that reads everything at once."""
    assert first
    with (
        workplace.databases.read("one", folder) as whole,
        workplace.databases.read("shards", folder) as parts,
    ):
        assert whole.tables() == parts.tables() == {"bitbucket": {*STREAMS}}
        for name in STREAMS:
            expected = whole.rows(name)
            assert expected, name
            assert parts.rows(name) == expected


def test_each_shard_keeps_a_state(workplace: Workplace, first: int) -> None:
    """The states of the shards lie in the database that all workers share."""
    assert first
    query = "select state_id, completed_state from state"
    kept = {name: json.loads(state) for name, state in ask(workplace, "state", query)}
    names = {f"bitbucket-{number}-of-2" for number in (0, 1)}
    assert {name.rpartition(":")[2] for name in kept} == names
    repositories = [
        {
            partition["context"]["repository_uuid"]
            for partition in state["singer_state"]["bookmarks"]["commits"]["partitions"]
        }
        for state in kept.values()
    ]
    assert all(repositories)
    assert not set.intersection(*repositories)


def test_the_next_run_reads_what_changed(
    workplace: Workplace, one: Connections, first: int
) -> None:
    """A second run goes on from the state of the first."""
    world = workplace.server.world
    portal = world.repository(f"{EXAMPLE_WORKSPACE}/web-portal")
    assert portal.mainbranch is not None
    maya = next(user for user in world.users.values() if user.nickname == "maya")
    world.push(portal, portal.mainbranch, messages=["Only just pushed"], user=maya)
    workplace.server.clear_requests()
    workplace.test("bitbucket", **one)
    assert len(workplace.server.requests) < first
    pushed = "select 1 from bitbucket.commits where message like 'Only just pushed%'"
    assert ask(workplace, "one", pushed) == [(1,)]
    walked = {one.path for one in workplace.server.requests if one.path.endswith("/commits")}
    assert {path.split("/")[-2] for path in walked} == {"web-portal"}


def test_deletions_are_mirrored_in_the_first_run_of_a_week(
    workplace: Workplace, several: Connections, first: int
) -> None:
    """What no shard may delete, a run without shards deletes, once a week; it reads no more."""
    assert first
    world = workplace.server.world
    portal = world.repository(f"{EXAMPLE_WORKSPACE}/web-portal")
    requests = [one for one in portal.pull_requests.values() if one.state == "OPEN"]
    used = {one.source_branch for one in requests}
    gone = next(name for name in portal.branches if name not in {*used, portal.mainbranch})
    world.delete_branch(portal, gone)
    shards = ("--mark-success-pattern", "ready|shard")
    workplace.test("bitbucket_shards", *shards, **several)
    assert states(workplace, "deletions") == ["skipped", "skipped"]

    workplace.ask("update dag_run set start_date = datetime(start_date, '-7 days')")
    workplace.server.clear_requests()
    workplace.test("bitbucket_shards", *shards, **several)
    assert states(workplace, "deletions")[2:] == ["success"]
    assert states(workplace, "loaded") == ["success"] * 3
    marked = "select name from bitbucket.branches where _sdc_deleted_at is not null"
    assert ask(workplace, "shards", marked) == [(gone,)]
    asked = {one.path.rpartition("/")[2] for one in workplace.server.requests}
    assert "branches" in asked
    assert not asked & {"commits", "pullrequests", "activity", "pipelines"}


def test_who_waits_for_bitbucket_is_told(
    workplace: Workplace, one: Connections, first: int
) -> None:
    """Both DAGs tell the Asset that they loaded; the DAG that follows it makes its table."""
    assert first
    told = workplace.ask("select source_dag_id, source_task_id from asset_event")
    assert {("bitbucket", "sync"), ("bitbucket_shards", "loaded")} == {*told}
    workplace.test("bitbucket_waiting", **one)
    waiting = ask(workplace, "one", "select count(*) from pull_requests_waiting")
    open_ = ask(workplace, "one", "select count(*) from bitbucket.pull_requests where state='OPEN'")
    assert waiting == open_
    assert waiting != [(0,)]


def test_no_secret_is_in_logs_or_rendered_fields(workplace: Workplace, first: int) -> None:
    """What Airflow prints, logs and keeps of a run has *** where a secret was."""
    assert first
    rendered = workplace.ask("select task_id, rendered_fields from rendered_task_instance_fields")
    assert {"sync", "shard"} <= {task for task, _ in rendered}
    for task, text in rendered:
        if task in {"sync", "shard"}:
            environment = json.loads(text)["env"]
            assert environment["TARGET_POSTGRES_PASSWORD"] == "***"
            assert environment["TARGET_POSTGRES_HOST"] == "127.0.0.1"
    assert len(workplace.secrets) >= 6
    assert workplace.leaks == []
