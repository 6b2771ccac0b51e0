"""Runs that are killed at any moment: what a target has and what the next runs bring is all."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.catalogs import only, slim
from tests.forking import Forked, Host, host
from tests.stages import NIGHTLY, differences
from tests.story import Story, story_of
from tests.support import Run, api_token_config, merge
from tests.test_chains_moving import Days
from tests.test_fault_injection import fill
from tests.truth import STREAMS

KILLS = 50 * max(1, NIGHTLY)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks")


@dataclass
class Confirmed:
    """The runs of one configuration, each from the last STATE that a target confirmed."""

    story: Story
    host: Host
    settings: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] | None = None

    def start(self) -> Forked:
        """Start a run."""
        config = api_token_config(self.story.server, **{**self.story.settings, **self.settings})
        return self.host.start(config, state=self.state, catalog=self.story.catalog)

    def take(self, run: Forked, *, rest: bool) -> Run:
        """Load what a run wrote; ``rest``: also what it wrote after its last STATE."""
        lines = run.lines()
        states = [number for number, line in enumerate(lines) if line.startswith('{"type":"STATE"')]
        loaded = lines if rest else lines[: states[-1] + 1 if states else 0]
        taken = Run(run.over() or 0, loaded, run.said())
        merge(self.story.target, taken)
        self.state = json.loads(lines[states[-1]])["value"] if states else self.state
        return taken


@contextmanager
def moving_world(catalog: dict[str, Any], folder: Path, **settings: Any) -> Iterator[Confirmed]:
    """Serve a world with something to lose, a little slowly."""
    with (
        pytest.MonkeyPatch.context() as patch,
        story_of(
            slim(only(catalog, *STREAMS)), patch, reconcile_every=0, concurrency=4, **settings
        ) as story,
        host(folder) as started,
    ):
        for repo in (story.api, story.web):
            fill(story, repo)
        story.clock.later(hours=1)
        story.server.latency = 0.003
        yield Confirmed(story, started)


def ended(runs: list[Forked]) -> list[int]:
    """Wait until runs have ended, and return their exit codes."""
    ends = time.monotonic() + 60
    while any(run.over() is None for run in runs):
        assert time.monotonic() < ends, [run.said() for run in runs]
        time.sleep(0.002)
    return [run.over() or 0 for run in runs]


def killed(story: Story, random: Random, runs: list[Forked], most: int) -> list[int]:
    """Kill each run at a moment of chance, if it is not over then; return how they ended."""
    moments = [(random.randint(1, most), random.choice(KILLING), run) for run in runs]
    ends = time.monotonic() + 60
    while moments:
        sent = len(story.server.requests)
        for moment in [one for one in moments if sent >= one[0] or one[2].over() is not None]:
            time.sleep(random.random() * 0.01)
            if moment[2].over() is None:
                moment[2].kill(moment[1])
            moments.remove(moment)
        assert time.monotonic() < ends, [run.said() for run in runs]
        time.sleep(0.001)
    return ended(runs)


KILLING = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)
SIGNS = {-signal.SIGKILL, 128 + signal.SIGTERM}


def clean(chain: Confirmed) -> Run:
    """Run to the end."""
    run = chain.start()
    assert ended([run]) == [0], run.said()
    return chain.take(run, rest=True)


@pytest.mark.timeout(120 + 60 * NIGHTLY)
def test_a_chain_of_killed_runs(catalog: dict[str, Any], tmp_path: Path) -> None:
    """After fifty kills, in a world that moves on meanwhile, nothing is missing or left over."""
    seed = 20261122
    random = Random(seed)
    with moving_world(catalog, tmp_path) as chain:
        story = chain.story
        days = Days(story, Random(3))
        kills = [0, 0]
        most = 45
        for _ in range(3 * KILLS):
            story.server.clear_requests()
            run = chain.start()
            (code,) = killed(story, random, [run], most)
            assert code in SIGNS | {0}, run.said()
            assert "Traceback" not in run.said()
            chain.take(run, rest=random.random() < 0.5)
            kills[code > 0] += code != 0
            most = max(len(story.server.requests) + 10, 20) if code == 0 else most
            if random.random() < 0.4:
                days.happen(3)
                # More than a page holds: a run can be killed between two of them.
                story.world.push(days.repo, "main", n=random.choice((1, 101, 201)))
                story.clock.later(minutes=20)
            if sum(kills) >= KILLS:
                break
        assert sum(kills) >= KILLS, kills
        assert min(kills) > KILLS // 8
        story.clock.later(hours=1)
        clean(chain)  # It ends lists below commits that were cut; those known before are next.
        clean(chain)
        assert differences(story) == [], seed
        assert all(len(story.target[name]) > 1 for name in STREAMS if name != "workspaces")


def test_shards_that_are_killed(catalog: dict[str, Any], tmp_path: Path) -> None:
    """Four processes at once, each with its share and each killed: together they bring all."""
    seed = 7
    random = Random(seed)
    with moving_world(catalog, tmp_path) as chain:
        story = chain.story
        for number in range(6):
            made = story.world.add_repository(story.api.workspace, f"more-{number}", project="ONE")
            story.world.add_environment(made, "Test")
            fill(story, made)
        story.clock.later(hours=1)
        shards = [
            Confirmed(story, chain.host, {"shard": f"{number}/4", "concurrency": 2})
            for number in range(4)
        ]
        kills = 0
        for _ in range(3 * max(1, NIGHTLY)):
            story.server.clear_requests()
            runs = [shard.start() for shard in shards]
            codes = killed(story, random, runs, 130)
            for shard, run, code in zip(shards, runs, codes, strict=True):
                assert code in SIGNS | {0}, run.said()
                shard.take(run, rest=random.random() < 0.5)
                kills += code != 0
            world = story.world
            world.push(story.api, "main", 1)
            world.start_pipeline(story.web)
            story.clock.later(minutes=20)
        assert kills >= 6
        story.clock.later(hours=1)
        for _ in range(2):
            runs = [shard.start() for shard in shards]
            assert ended(runs) == [0, 0, 0, 0], [run.said() for run in runs]
            shares = [
                {row["uuid"] for row in shard.take(run, rest=True).rows("repositories")}
                for shard, run in zip(shards, runs, strict=True)
            ]
        assert sorted(uuid for share in shares for uuid in share) == sorted(
            repo.uuid for repo in story.world.repositories()
        )
        assert differences(story) == [], seed
