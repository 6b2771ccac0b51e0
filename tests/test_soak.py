"""Sync after sync, with changes and faults: where the world does not grow, nothing does."""

from __future__ import annotations

import json
import logging
import re
import signal
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from _pytest.logging import LogCaptureHandler

from tap_bitbucket.demo import Fault
from tests.catalogs import only, slim
from tests.forking import host
from tests.soaking import Held, Life, settled
from tests.stages import NIGHTLY, differences, quick
from tests.story import Story, story_of
from tests.support import Run, api_token_config, merge, run_here
from tests.test_fault_injection import fill
from tests.truth import STREAMS

SYNCS = 100 if NIGHTLY else 18
PROCESSES = 100 if NIGHTLY else 10
WARM = 8
"""Syncs after which caches are full."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")


@pytest.fixture
def story(catalog: dict[str, Any], tmp_path: Path) -> Iterator[Story]:
    """Tell of a company, which the tap reads by OAuth."""
    settings = {
        "max_retries": 2,
        "request_timeout": 2,
        "reconcile_every": 3,
        "client_id": "machine",
        "client_secret": "secret",
        "email": None,
        "api_token": None,
        "token_file": str(tmp_path / "kept" / "token.json"),
    }
    with quick() as patch, story_of(slim(only(catalog, *STREAMS)), patch, **settings) as served:
        served.world.identities.add_oauth_consumer("machine", "secret")
        served.settings["refresh_token"] = served.world.oauth.issue_refresh_token(
            "machine", served.who("ann")
        )
        for repo in (served.api, served.web):
            fill(served, repo)
        served.clock.later(hours=1)
        yield served


def sync(story: Story, **settings: Any) -> Run:
    """Run in this process, whatever comes of it, and load what it writes."""
    story.server.clear_requests()
    config = api_token_config(story.server, **{**story.settings, **settings})
    config = {name: value for name, value in config.items() if value is not None}
    run = run_here(config, state=story.state, catalog=story.catalog)
    assert run.code in {0, 1}, run.log
    story.state = run.state or story.state
    merge(story.target, run)
    for handler in logging.root.handlers:
        if isinstance(handler, LogCaptureHandler):  # errors in it hold the whole run
            handler.reset()
    return run


def kept(folder: Path) -> dict[str, int]:
    """Return the files beside the tokens, with their sizes."""
    return {re.sub(r"-\w+", "", path.name): path.stat().st_size for path in folder.iterdir()}


def told(number: int, state: int, files: dict[str, int], held: Held | str = "") -> None:
    """Print figures now and then."""
    if number in {1, WARM, 10, 12, 25, 50, 100}:
        sys.stdout.write(f"after {number} syncs: STATE {state} bytes, {files}, {held}\n")


def assert_flat(states: list[int], files: dict[str, int]) -> None:
    """See that nothing has grown beyond what differs from day to day."""
    assert max(states[-5:]) <= 1.2 * max(states[WARM // 2 : WARM])
    assert files.keys() <= {"token.json", "token.json.lock", "budget.json", "budget.json.lock"}
    # The token file remembers the last tokens that were spent, two hundred and no more.
    assert sum(files.values()) < 12_000


@pytest.mark.timeout(300 + 900 * bool(NIGHTLY))
def test_one_process(story: Story, tmp_path: Path) -> None:
    """A sync leaves over no thread, descriptor or object of the tap, nor does STATE grow.

    Nor is anything left beside the tokens, and in the end nothing is missing.
    """
    life = Life(story, Random(20261122))
    held: list[Held] = []
    states: list[int] = []
    assert sync(story).code == 0
    for number in range(1, SYNCS + 1):
        if NIGHTLY and number == WARM:
            tracemalloc.start()
        life.day()
        life.trouble([f"{one.method} {one.url}" for one in story.server.requests])
        sync(story)
        story.world.oauth.revoke_access_tokens()
        held.append(settled(min(held, key=lambda one: one.objects) if held else None))
        states.append(len(json.dumps(story.state)))
        told(number, states[-1], kept(tmp_path / "kept"), held[-1])
    tracemalloc.stop()
    warm, last = min(held[: WARM + 1], key=lambda one: one.objects), held[-1]
    assert last.threads == warm.threads == 1
    assert last.files <= warm.files
    assert last.objects <= warm.objects
    assert last.traced <= held[WARM].traced + 600_000  # caches of times fill up to their bounds
    # The stand-in and the target, which keep all that ever was, are in here too.
    assert last.mebibytes - held[WARM].mebibytes < 1.0 * (SYNCS - WARM)
    assert_flat(states, kept(tmp_path / "kept"))
    story.server.faults.clear()
    story.clock.later(hours=1)
    for _ in range(3):
        assert sync(story, reconcile_every=0).code == 0
        story.clock.later(hours=1)
    assert differences(story) == []


@pytest.mark.timeout(300 + 900 * bool(NIGHTLY))
def test_many_processes(story: Story, tmp_path: Path) -> None:
    """Nor do STATE and the folder of tokens grow over processes, every third of them killed."""
    life = Life(story, Random(3))
    random = Random(4)
    states: list[int] = []
    config = api_token_config(story.server, **story.settings)
    config = {name: value for name, value in config.items() if value is not None}
    with host(tmp_path) as started:
        for number in range(1, PROCESSES + 1):
            life.day()
            story.server.clear_requests()
            story.server.faults.clear()
            if number % 4 == 1:
                story.server.faults.add(Fault("/refs", status=429, headers={"Retry-After": "0"}))
            run = started.start(config, state=story.state, catalog=story.catalog)
            after = random.randint(2, 30) if number % 3 == 0 else 10_000
            while run.over() is None:
                if len(story.server.requests) >= after:
                    run.kill(signal.SIGKILL)
                    after = 10_000
                time.sleep(0.005)
            assert run.over() in {0, -signal.SIGKILL}, run.said()
            taken = Run(0, run.lines(), "")
            story.state = taken.state or story.state
            story.world.oauth.revoke_access_tokens()
            states.append(len(json.dumps(story.state)))
            told(number, states[-1], kept(tmp_path / "kept"))
    assert_flat(states, kept(tmp_path / "kept"))
