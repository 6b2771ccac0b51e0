"""Many processes on one rotating token: the benchmark `benchmarks/tokens.py` in small."""

from __future__ import annotations

import os

import psycopg
import pytest

from benchmarks.tokens import measure
from tests.auth.conftest import Consumer, Processes

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and fork")


@pytest.mark.parametrize(
    ("store", "lie"),
    [
        pytest.param("file", 0, id="file"),
        pytest.param("file", 7200, id="file, told two hours"),
        # With an honest end a database is shared in `test_clocks.py`, at clocks that differ.
        pytest.param("database", 7200, id="database, told two hours"),
    ],
)
def test_a_token_that_ends_every_second(store: str, lie: int) -> None:
    """No run fails, no dead token is presented, and one refreshes for all."""
    found = measure(store, processes=4, seconds=2.5, lifetime=1.0, lie=lie)
    assert found.failures == []
    assert found.dead == 0
    assert found.refreshes >= 2
    # One when it begins and one for each end of a token; machines are slow, and the last request
    # may end late.
    assert found.refreshes <= 2 * found.seconds + 4
    assert found.requests > 3 * found.refreshes


@pytest.mark.parametrize("kept", [False, True], ids=["nothing kept", "a fresh token kept"])
@pytest.mark.parametrize("store", ["file", "database"])
def test_eight_start_at_once(
    consumer: Consumer, processes: Processes, postgres: str, store: str, *, kept: bool
) -> None:
    """Of eight processes that start together one refreshes, and none if there is a fresh token."""
    settings = consumer.settings(refresh_token=consumer.fresh_seed)
    if store == "database":
        settings["token_store"] = postgres
        with psycopg.connect(postgres) as connection:
            connection.execute("DROP TABLE IF EXISTS tap_bitbucket_tokens")
    if kept:
        processes.run(settings)
    told = processes.run(settings, at_once=8)
    assert {one.get("error") for one in told} == {None}
    assert len({one["authorization"] for one in told}) == 1
    assert consumer.oauth.refreshes == 1
