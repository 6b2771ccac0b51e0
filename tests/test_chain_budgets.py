"""Budgets that are smaller than what there is to read: each run gets on, and the chain ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer, RateLimit, World, example_world
from tap_bitbucket.demo.example.large import large_world
from tests.chains import (
    START,
    Chain,
    Target,
    differences,
    leftovers,
    most_runs,
    size,
    stopped,
)
from tests.support import select
from tests.truth import ALL_STREAMS, STREAMS


def halves(total: int, limit: int) -> int:
    """Return how many runs are enough when at most half of each is lost, and never over 20."""
    return most_runs(total, limit, min(limit // 2, START + 5))


@pytest.fixture(scope="module")
def example() -> Iterator[BitbucketServer]:
    """Serve the example world to several tests: nothing happens in it."""
    with BitbucketServer(example_world()) as server:
        yield server


LIMITS = [(STREAMS, 25), (STREAMS, 60), (ALL_STREAMS, 100), (ALL_STREAMS, 300)]


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize(("streams", "limit"), LIMITS)
def test_few_requests_a_run(
    example: BitbucketServer,
    catalog: dict[str, Any],
    streams: tuple[str, ...],
    limit: int,
    workers: int,
) -> None:
    """However few requests a run may send, a chain ends soon, and with the same tables."""
    chosen = select(catalog, *streams)
    long, chain = (Chain(example, chosen, {"concurrency": workers}) for _ in range(2))
    long.run()
    chain.until_done(halves(long.requests[0], limit), max_requests=limit)
    assert len(chain.runs) > 1
    assert sum(chain.requests) <= limit * len(chain.runs)
    assert differences(long.target, chain.target) == []
    written = sum(len(line) for line in long.runs[0].lines)
    states = [size(run.state) for run in chain.runs]
    assert max(states) < max(100_000, written * 0.03)
    assert leftovers(chain.state, long.state) == []


GIANT = ("workspaces", "projects", "repositories", "branches", "commits", "pull_requests",
         "pull_request_participants", "pull_request_activity", "pull_request_comments",
         "pull_request_tasks", "pipelines", "pipeline_steps", "deployments")  # fmt: skip
TALK = ("pull_requests", "pull_request_participants", "pull_request_activity",
        "pull_request_comments", "pull_request_tasks")  # fmt: skip
BELOW_REQUESTS = ("pull_request_commits", "pull_request_diffstat", "pull_request_statuses")
BELOW_COMMITS = ("commits", "commit_statuses", "commit_diffstat")


def giant(requests: int, comments: int, pipelines: int, commits: int) -> World:
    """Make a world of one repository."""
    world = large_world(1, requests, comments, skew=50, pipelines=pipelines, commits=0)
    (repo,) = world.repositories()
    for number, made in enumerate(list(repo.pull_requests.values())[::10]):
        world.add_task(made, made.author, f"Do {number}")
    for commit in world.push(repo, "main", n=commits):
        world.add_status(repo, commit, "build")
    return world


def test_a_giant_repository(catalog: dict[str, Any]) -> None:
    """A repository that needs more requests than a run may send is read in several, to its end."""
    limit = 100
    with BitbucketServer(giant(1500, 3000, 150, 400)) as server:
        chosen = select(catalog, *GIANT)
        long, chain = Chain(server, chosen), Chain(server, chosen)
        long.run()
        chain.until_done(halves(long.requests[0], limit), max_requests=limit)
        assert len(chain.runs) > long.requests[0] // limit
        assert differences(long.target, chain.target) == []
        assert max(size(run.state) for run in chain.runs) < 100_000
        assert leftovers(chain.state, long.state) == []


def without_unseen(target: Target) -> Target:
    """Return a target without deleted comments, which are asked for if their request was known."""
    comments = target["pull_request_comments"].items()
    left = {key: row for key, row in comments if not row.get("deleted")}
    return {**target, "pull_request_comments": left}


@pytest.mark.parametrize("change", [False, True], ids=["idle", "moving"])
def test_a_list_that_is_longer_than_a_run(catalog: dict[str, Any], *, change: bool) -> None:
    """Pull requests of which a run cannot read all are read in parts, with what lies below."""
    world = giant(400, 120, 0, 0)
    (repo,) = world.repositories()
    with BitbucketServer(world) as server:
        chosen = select(catalog, *TALK)
        chain = Chain(server, chosen)
        for number in range(60):
            if not stopped(chain.run(max_requests=14)):
                break
            if change and number % 3 == 0:
                old = repo.pull_requests[1 + 7 * number]
                world.comment(old, old.author, f"Late {number}")
        else:
            raise AssertionError(chain.state)
        assert len(chain.runs) > 3
        long = Chain(server, chosen)
        long.run()
        if change:  # what was said about the parts that were read by then
            chain.until_done(9, max_requests=60)
        assert differences(without_unseen(long.target), without_unseen(chain.target)) == []
        assert leftovers(chain.state, long.state) == []
        chain.run()
        assert chain.requests[-1] < 12


def test_a_cut_before_the_feed_is_compared(catalog: dict[str, Any]) -> None:
    """Wherever a run ends, the next one goes by what the feed told, not list by list."""
    with BitbucketServer(giant(150, 600, 0, 0)) as server:
        chosen = select(catalog, *TALK)
        long = Chain(server, chosen, {"concurrency": 1})
        long.run()
        asked = [request.path.rpartition("/")[2] for request in server.requests]
        first = asked.index("comments")
        assert asked.count("comments") < 20
        for limit in range(first - 1, first + 4):
            chain = Chain(server, chosen, {"concurrency": 1})
            chain.run(max_requests=limit)
            chain.run()
            assert sum(chain.requests) < long.requests[0] + START
            assert differences(long.target, chain.target) == []
            assert leftovers(chain.state, long.state) == []


def test_a_feed_that_is_compared_in_parts(catalog: dict[str, Any]) -> None:
    """The lists that agree with the feed are counted over all runs, until it is trusted."""
    world = giant(60, 0, 0, 0)
    (repo,) = world.repositories()
    for request in repo.pull_requests.values():
        for number in range(3):
            world.comment(request, request.author, f"Plain {number}")
    with BitbucketServer(world) as server:
        chain = Chain(server, select(catalog, "pull_request_comments"), {"concurrency": 1})
        lists = []
        while not chain.runs or stopped(chain.runs[-1]):
            chain.run(max_requests=13)
            assert len(chain.runs) < 12
            lists.append(sum("/comments" in request.path for request in server.requests))
        assert sum(count > 0 for count in lists) > 1, lists
        assert sum(lists) < 20, lists
        assert len(chain.target["pull_request_comments"]) == 180


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("streams", [BELOW_REQUESTS, BELOW_COMMITS], ids=["requests", "commits"])
def test_partitions_that_outlast_a_run(
    catalog: dict[str, Any], streams: tuple[str, ...], workers: int
) -> None:
    """A list for each pull request, or for each commit, is asked for once in the whole chain."""
    with BitbucketServer(giant(100, 60, 0, 90)) as server:
        chosen = select(catalog, *streams)
        long, chain = (Chain(server, chosen, {"concurrency": workers}) for _ in range(2))
        long.run()
        chain.until_done(halves(long.requests[0], 40), max_requests=40)
        assert len(chain.runs) > long.requests[0] // 40
        assert differences(long.target, chain.target) == []
        assert leftovers(chain.state, long.state) == []
        wasted = sum(chain.requests) - long.requests[0]
        assert wasted <= len(chain.runs) * (START + workers)


@pytest.mark.parametrize("limit", [30, 50])
def test_a_spent_rate_limit(example: BitbucketServer, catalog: dict[str, Any], limit: int) -> None:
    """``on_rate_limit: stop`` in each hour ends with what one run without a limit gives."""
    chosen = select(catalog, *STREAMS)
    long = Chain(example, chosen)
    long.run()
    chain = Chain(example, chosen, {"on_rate_limit": "stop"})

    def next_hour() -> None:
        example.rate_limit = RateLimit(limit=limit, plain_text=True)

    next_hour()
    try:
        chain.until_done(halves(long.requests[0], limit), next_hour)
    finally:
        example.rate_limit = None
    assert len(chain.runs) > 2
    assert differences(long.target, chain.target) == []
    assert leftovers(chain.state, long.state) == []


def test_a_short_time(catalog: dict[str, Any]) -> None:
    """``max_duration`` in each run ends with what one run without a limit gives."""
    with BitbucketServer(example_world(), latency=0.04) as server:
        chosen = select(catalog, *STREAMS)
        long = Chain(server, chosen)
        long.run()
        chain = Chain(server, chosen, {"concurrency": 2})
        chain.until_done(12, max_duration=1)
        assert len(chain.runs) > 2
        assert differences(long.target, chain.target) == []
        assert leftovers(chain.state, long.state) == []


def test_limits_of_all_kinds_in_turns(example: BitbucketServer, catalog: dict[str, Any]) -> None:
    """It does not matter what ended the run before, nor how many workers it had."""
    chosen = select(catalog, *STREAMS)
    long, chain = Chain(example, chosen), Chain(example, chosen)
    long.run()
    for number in range(6):
        chain.run(max_requests=20 + 5 * number, concurrency=1 + 3 * (number % 3))
        example.rate_limit = RateLimit(limit=25, plain_text=True)
        chain.run(on_rate_limit="stop")
        example.rate_limit = None
    assert not stopped(chain.run())
    assert differences(long.target, chain.target) == []
