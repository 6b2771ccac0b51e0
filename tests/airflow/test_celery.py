"""The DAG with shards on two Celery workers, of which one goes away in the middle.

Not part of the usual tests: `make test-airflow`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tap_bitbucket.demo import BitbucketServer, RateLimit, example_world
from tests.airflow.cluster import WORKERS, Cluster
from tests.airflow.processes import command_of, descendants, kill_all, until
from tests.airflow.workplace import Databases, Workplace, databases
from tests.loading import Warehouse
from tests.support import api_token_config, run_tap
from tests.truth import STREAMS

pytestmark = [pytest.mark.celery, pytest.mark.timeout(1200)]

LIMIT = RateLimit(limit=30, window=10, headers="remaining", retry_after="seconds")
SHARDS = ("bitbucket_shards", "shard")


@dataclass
class Told:
    """What there was to see in the end.

    Attributes:
        whole: The database that one run loaded.
        parts: The database that the shards loaded.
        refreshes: How often the shared token was renewed.
        asked: How many requests there were before a worker went away.
    """

    cluster: Cluster
    server: BitbucketServer
    whole: Warehouse
    parts: Warehouse
    refreshes: int
    asked: int


def load_at_once(server: BitbucketServer, places: Databases, folder: Path) -> Warehouse:
    """Load in one run, without Airflow, what the shards are to load."""
    run = run_tap(api_token_config(server), folder)
    assert run.code == 0, run.log
    whole = Warehouse(places.uri(places.make("one")), folder, "bitbucket")
    whole.load(run)
    server.clear_requests()
    return whole


def lose_a_worker(cluster: Cluster) -> None:
    """Kill a worker that reads a shard, and all that it has started, in the middle of it."""

    def reading(name: str) -> bool:
        below = descendants(cluster.workers[name].pid)
        return any("/bin/tap-bitbucket" in command_of(one) for one in below)

    server = cluster.place.server
    until(
        lambda: all(reading(name) for name in WORKERS) and len(server.requests) > 40,
        240,
        "both workers to read",
    )
    kill_all(cluster.workers[WORKERS[0]].pid)
    cluster.workers[WORKERS[0]].wait()
    # The five minutes after which Meltano takes a run without a sign of life for dead.
    uri = cluster.place.databases.uri("state")
    with psycopg.connect(uri) as connection:
        connection.execute("update runs set last_heartbeat_at = now() - interval '6 minutes'")


@pytest.fixture(scope="module")
def told(folder: Path) -> Iterator[Told]:
    """Run the DAG with the shards once, with a loss, and wait for the DAG that follows it."""
    with (
        BitbucketServer(example_world()) as server,
        databases(folder / "postgres") as places,
    ):
        whole = load_at_once(server, places, folder)
        place = Workplace(folder / "place", server, places, as_told=True)
        (place.folder / "dags" / "bitbucket.py").unlink()  # one of the two is enough
        place.environment["AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"] = "False"
        place.sign_in()
        oauth = server.world.oauth
        for grant in oauth.access_tokens.values():
            grant.expires = 0.0
        renewed = oauth.refreshes
        server.rate_limit = LIMIT
        cluster = Cluster(place)
        cluster.command("db", "migrate")
        cluster.command("pools", "set", "bitbucket", "2", "identities")
        cluster.connect(**place.several(places.make("shards")))
        parts = Warehouse(places.uri("shards"), place.folder, "bitbucket")
        with cluster.running():
            try:
                lose_a_worker(cluster)
                asked = len(server.requests)
                until(lambda: cluster.state(SHARDS[0]) in {"success", "failed"}, 400, "the shards")
                until(lambda: cluster.state("bitbucket_waiting") == "success", 120, "the Asset")
            except AssertionError:
                sys.stderr.write(cluster.log)
                raise
            yield Told(cluster, server, whole, parts, oauth.refreshes - renewed, asked)
        whole.close()
        parts.close()


def test_the_shards_load_what_one_run_loads(told: Told) -> None:
    """A worker that is lost in the middle loses no row: its shard is tried again by the other."""
    assert told.cluster.state(SHARDS[0]) == "success"
    tries = told.cluster.tries(*SHARDS)
    assert sorted(tries) == [0, 1]
    assert min(tries.values()) == 1
    assert max(tries.values()) > 1
    for name in STREAMS:
        expected = told.whole.rows(name)
        assert expected, name
        assert told.parts.rows(name) == expected


def test_all_workers_share_one_rate_limit(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """Two workers and a second try hardly ever meet the limit, though it is far too small.

    What is left of it stands in the database, for one identity.
    """
    refused = [one for one in told.server.requests if one.status == 429]
    every = len(told.server.requests)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{told.asked} requests before the loss, {every} in all, {len(refused)} met the"
            f" limit, {told.refreshes} renewal of the token, tries {told.cluster.tries(*SHARDS)}\n"
        )
    assert every > 3 * LIMIT.limit
    assert len(refused) < every / 10
    with psycopg.connect(told.cluster.place.databases.uri("state")) as connection:
        kept = connection.execute("select count(*) from tap_bitbucket_budgets").fetchone()
    assert kept == (1,)


def test_all_workers_share_one_renewal_of_the_token(told: Told) -> None:
    """The token that had expired was renewed once, for all."""
    assert told.refreshes == 1


def test_the_asset_starts_who_waits_for_it(told: Told) -> None:
    """The DAG that follows the Asset ran once, because of it, and made its table."""
    query = "select run_type, state from dag_run where dag_id = 'bitbucket_waiting'"
    assert told.cluster.ask(query) == [("asset_triggered", "success")]
    assert "pull_requests_waiting" in told.parts.tables()["public"]


def test_no_secret_is_in_any_log(told: Told) -> None:
    """What the workers and the other servers log has no secret."""
    logs = [one for one in (told.cluster.place.home / "logs").rglob("*") if one.is_file()]
    assert [one for one in logs if "task_id=shard" in str(one)]
    assert told.cluster.place.leaks == []
