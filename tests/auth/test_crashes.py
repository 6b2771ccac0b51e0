"""A refresh token outlives signals and many processes at once; `test_kills.py` has the kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from urllib.parse import parse_qs

import pytest

from tap_bitbucket.demo import Fault
from tests.auth.conftest import ROOT, TOKEN_REQUEST, Consumer, Processes

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and fork")


@pytest.fixture
def consumer(consumer: Consumer) -> Consumer:
    """Other processes go by the real clock."""
    consumer.oauth.clock = time.time
    return consumer


def test_on_disk_before_in_place(consumer: Consumer, processes: Processes) -> None:
    """What Bitbucket answered is on disk before it replaces the old file, and the rename too."""
    settings = consumer.settings(refresh_token=consumer.fresh_seed)
    (result,) = processes.run(settings)
    steps = [step.split(" ", 1)[0] for step in result["steps"] if "mkdir" not in step]
    asked = result["steps"].index("test.step about to ask")
    assert "test.step synced" in result["steps"][:asked]
    assert steps[-8:] == [
        *("test.step", "os.chmod", "test.step", "os.rename", "test.step"),
        *("os.remove", "fcntl.flock", "test.step"),
    ]
    assert result["steps"][-1] == "test.step about to use"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_while_asking(consumer: Consumer, signum: signal.Signals) -> None:
    """A run told to stop while Bitbucket answers keeps the new refresh token before it ends."""
    asked: list[float] = []
    consumer.server.faults.add(
        Fault(TOKEN_REQUEST, action="hang", seconds=0.4, callback=lambda: asked.append(time.time()))
    )
    seed = consumer.fresh_seed
    script = """
        import json, signal, sys
        from tap_bitbucket.auth import authenticators_from
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & ignores it
        authenticators_from(json.loads(sys.argv[1]))[0].authorization()
        print("not reached")
    """
    settings = json.dumps(consumer.settings(refresh_token=seed))
    command = [sys.executable, "-c", textwrap.dedent(script), settings]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        while not asked:
            time.sleep(0.01)
        run.send_signal(signum)
        told, _ = run.communicate(timeout=5)
    assert told == ""
    assert run.returncode != 0
    assert consumer.oauth.refresh_tokens[seed].successor == consumer.kept()["refresh_token"]


def test_eight_processes_at_once(consumer: Consumer, processes: Processes) -> None:
    """Of eight processes that start together one refreshes, and all use its access token."""
    settings = consumer.settings(refresh_token=consumer.fresh_seed)
    results = processes.run(settings, at_once=8)
    assert len({result["authorization"] for result in results}) == 1
    assert consumer.oauth.refreshes == 1


def test_eight_processes_meet_a_refused_token(consumer: Consumer, processes: Processes) -> None:
    """When the token they share is refused, one of eight processes replaces it for all."""
    settings = consumer.settings(refresh_token=consumer.fresh_seed)
    processes.run(settings)
    results = processes.run(settings, at_once=8, replace=True)
    presented = [parse_qs(body)["refresh_token"][0] for body in consumer.token_requests()]
    assert len(presented) == len(set(presented))
    assert consumer.oauth.dead_presented == 0
    assert consumer.accepts(results[-1]["authorization"])


def test_many_runs_keep_one_chain(consumer: Consumer, processes: Processes) -> None:
    """No run presents a token that another one has used, though all of them keep refreshing."""
    consumer.oauth.grace = 0
    settings = consumer.settings(refresh_token=consumer.fresh_seed)
    for _ in range(3):
        for result in processes.run(settings, at_once=8, replace=True):
            assert "error" not in result
    assert consumer.oauth.dead_presented == 0
