"""A chain of cut runs ends with exactly what one long run gives, wherever they are cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer, example_world
from tests.chains import Chain, again, differences, leftovers, size, stopped, streams_of
from tests.furniture import EVERY_TIME, KEPT, SOMETIMES, furnish, order_is_right
from tests.story import Story, story_of
from tests.support import api_token_config, run_here, select
from tests.truth import ALL_STREAMS, STREAMS, truth


@dataclass
class Long:
    """A world that stands still, and what one long run made of it."""

    server: BitbucketServer
    catalog: dict[str, Any]
    chain: Chain

    @property
    def requests(self) -> int:
        """Return how many requests the run sent."""
        return self.chain.requests[0]

    @property
    def written(self) -> int:
        """Return how many bytes the run wrote."""
        return sum(len(line) + 1 for line in self.chain.runs[0].lines)

    def cut(self, limit: int, workers: int) -> list[str]:
        """Cut a run, let another one go on to the end, and return what is wrong with both."""
        cut = Chain(self.server, self.catalog, {"concurrency": workers})
        if not stopped(cut.run(max_requests=limit)):
            return [f"{limit}: was not cut"]
        wrong = [f"{cut.requests} requests"] * (cut.requests[0] > limit)
        if cut.state and size(cut.state) > max(100_000, self.written * 0.03):
            wrong.append(f"a state of {size(cut.state)} bytes")
        if stopped(cut.run()):
            wrong.append("stopped without a limit")
        if sum(cut.requests) > self.requests + again(workers):
            wrong.append(f"{cut.requests} requests, {self.requests} in one run")
        wrong += leftovers(cut.state, self.chain.state)
        wrong += differences(self.chain.target, cut.target)
        return [f"cut after {limit} requests, {workers} workers: {one}" for one in wrong]


def long_run(server: BitbucketServer, catalog: dict[str, Any], *streams: str) -> Long:
    """Read a world in one run."""
    chosen = select(catalog, *streams)
    chain = Chain(server, chosen)
    assert not stopped(chain.run())
    return Long(server, chosen, chain)


@pytest.fixture(scope="module")
def example() -> Iterator[BitbucketServer]:
    """Serve the example world to several tests: nothing happens in it."""
    with BitbucketServer(example_world()) as server:
        yield server


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world with rows in all streams."""
    with story_of(select(catalog, *ALL_STREAMS), monkeypatch) as told:
        furnish(told)
        told.clock.later(days=1)
        yield told


SMALL = (
    "workspaces", "repositories", "branches", "commits", "commit_statuses", "pull_requests",
    "pull_request_comments", "pull_request_activity", "pull_request_statuses", "pipelines",
    "pipeline_steps", "environments", "deployment_variables",
)  # fmt: skip


def test_a_cut_after_each_request(story: Story, catalog: dict[str, Any]) -> None:
    """Wherever a run is cut, the next one goes on there, and both are as good as one run."""
    long = long_run(story.server, catalog, *SMALL)
    workers = (1, 8, 3)
    wrong = [
        one
        for limit in range(1, long.requests)
        for one in long.cut(limit, workers[limit % len(workers)])
    ]
    assert wrong == []


@pytest.mark.parametrize("streams", [STREAMS, ALL_STREAMS], ids=["default", "all"])
def test_cuts_at_random(
    example: BitbucketServer, catalog: dict[str, Any], streams: tuple[str, ...]
) -> None:
    """The same in a larger world, for what is read by default and for all streams."""
    long = long_run(example, catalog, *streams)
    step = long.requests // 8
    first = Random().randrange(1, step)
    wrong = [
        one
        for limit in range(first, long.requests, step)
        for one in long.cut(limit, 8 if limit % 2 else 1)
    ]
    assert wrong == []


@pytest.mark.parametrize("workers", [1, 8])
def test_nothing_is_deleted_before_the_end(story: Story, workers: int) -> None:
    """A round that takes several runs deletes nothing until it is over, and no row of its own."""
    chain = Chain(story.server, story.catalog, {"concurrency": workers, "reconcile_every": 0})
    chain.run()
    expected = {stream: set(chain.target[stream]) for stream in ALL_STREAMS}
    for limit in (60, 90):
        for _ in range(40):
            run = chain.run(max_requests=limit)
            assert order_is_right(run)
            story.clock.later(minutes=30)
            for stream, keys in expected.items():
                assert keys - set(chain.target[stream]) == set(), stream
            if not stopped(run):
                break
        assert not stopped(chain.runs[-1])
        cut = [run for run in chain.runs[1:] if stopped(run)]
        assert len(cut) > 1
        assert streams_of(chain.runs[1:]) >= EVERY_TIME | SOMETIMES


@pytest.mark.parametrize("limit", [60, 120])
def test_what_is_deleted_goes_at_the_end(
    catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """What was deleted before a round that takes several runs is gone when it is over."""
    with story_of(select(catalog, *ALL_STREAMS), monkeypatch, max_retries=0) as story:
        furniture = furnish(story)
        story.clock.later(days=1)
        chain = Chain(story.server, story.catalog, {"reconcile_every": 0})
        chain.run()
        furniture.delete()
        there = {
            stream: set(truth(story.world, stream)).intersection(chain.target[stream])
            for stream in ALL_STREAMS
        }
        for _ in range(40):
            run = chain.run(max_requests=limit)
            for stream, keys in there.items():
                assert keys - set(chain.target[stream]) == set(), stream
            if not stopped(run):
                break
        assert not stopped(chain.runs[-1])
        story.target = chain.target
        found = [
            one for stream in ALL_STREAMS for one in story.differences(stream, kept=stream in KEPT)
        ]
        assert found == []


def test_a_round_has_one_version(story: Story) -> None:
    """All rows of a whole table carry the version that is announced, whichever run wrote them."""
    chain = Chain(story.server, story.catalog)
    chain.until_done(40, max_requests=60)
    versions: dict[str, int] = {}
    for run in chain.runs:
        for message in run.messages:
            if message["type"] == "ACTIVATE_VERSION":
                known = versions.setdefault(message["stream"], message["version"])
                assert known == message["version"]
    assert set(versions) == EVERY_TIME | SOMETIMES
    for stream, version in versions.items():
        rows = chain.target[stream].values()
        assert {row["_version"] for row in rows} <= {version}, stream


def test_a_chain_is_over_when_it_is_over(story: Story) -> None:
    """The run after a chain reads what one reads after a long run, and says as much of it."""
    long, chain = Chain(story.server, story.catalog), Chain(story.server, story.catalog)
    long.run()
    chain.until_done(40, max_requests=70)
    assert leftovers(chain.state, long.state) == []
    story.clock.later(hours=3)
    for one in (long, chain):
        assert not stopped(one.run())
    assert chain.requests[-1] == long.requests[-1]
    assert chain.runs[-1].activated == long.runs[-1].activated == EVERY_TIME
    assert differences(long.target, chain.target) == []


def test_a_rest_that_takes_no_limit(example: BitbucketServer, catalog: dict[str, Any]) -> None:
    """A run without a limit from the state of a long run is a new round, not a rest of one."""
    chain = Chain(example, catalog)
    chain.run()
    second = chain.run()
    assert not stopped(second)
    assert second.activated == EVERY_TIME & set(STREAMS)
    assert run_here(api_token_config(example), state=chain.state).activated == second.activated
