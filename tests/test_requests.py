"""The tap asks no more than the API makes it: see benchmarks/README.md."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest

from benchmarks.least import RULES, assurance, least, table
from benchmarks.requests import Result
from benchmarks.requests_asked import OTHER, asked
from benchmarks.worlds import WORLDS
from tap_bitbucket.demo import BitbucketServer, World, large_world
from tests.support import PROJECT, Run, api_token_config, run_here, select

OF_REFS = ("branches", "tags", "commits")
BELOW = (
    "pull_request_participants", "pull_request_activity", "pull_request_comments",
    "pull_request_tasks", "pull_request_commits", "pull_request_diffstat",
)  # fmt: skip
STATUSES = "pull_request_statuses"


class Read:
    """A world that was read with some streams, and what each run asked.

    Attributes:
        world: The world.
        asked: Paths that were asked for in the last run.
    """

    def __init__(self, server: BitbucketServer, catalog: dict[str, Any], *streams: str) -> None:
        self.world = server.world
        self.streams = streams
        self._server = server
        self._catalog = select(catalog, *streams)
        self._state: dict[str, Any] | None = None

    def again(self) -> Run:
        """Read, from where the last run ended."""
        self._server.clear_requests()
        run = run_here(
            api_token_config(self._server), catalog=self._catalog, state=self._state
        )  # fmt: skip
        assert run.code == 0, run.log
        self._state = run.state
        return run

    @property
    def counts(self) -> Counter[str]:
        """Return the requests of the last run by stream."""
        return asked(self._requests(), self.streams)

    def paths(self, slug: str) -> list[str]:
        """Return what the last run asked about a repository, below it."""
        found = []
        for one in self._requests():
            match = re.match(rf"/2\.0/repositories/[^/]+/{slug}/(.+)", unquote(one.path))
            if match:
                found.append(match[1])
        return found

    def _requests(self) -> list[Any]:
        return [one for one in self._server.requests if one.path.startswith("/2.0/")]


def near_the_least(read: Read, *, idle: bool) -> None:
    """See that no stream asks more than 2% and a request over the least, and none less."""
    needed = least(read.world, read.streams, idle=idle)
    sure = assurance(read.world, read.streams, idle=idle)
    counts = read.counts
    assert OTHER not in counts
    over = {
        name: (count, needed[name], sure[name])
        for name, count in counts.items()
        if count > needed[name] * 1.02 + 1 + sure[name]
    }
    assert not over, f"stream: (asked, least, to be sure): {over}"
    total = needed.total() + sure.total()
    assert counts.total() <= total * 1.02 + 2
    under = {name: (counts[name], needed[name]) for name in needed if counts[name] < needed[name]}
    assert not under, f"the least is less than that: (asked, least): {under}"


@pytest.fixture(params=["example", "small"])
def world(request: pytest.FixtureRequest) -> World:
    """Make a world with something of everything, and one in which a giant has most."""
    return WORLDS[request.param]()


def test_every_stream_asks_about_the_least(world: World, catalog: dict[str, Any]) -> None:
    """On a full pass, and on one that finds that nothing changed."""
    with BitbucketServer(world) as server:
        read = Read(server, catalog, *RULES)
        read.again()
        near_the_least(read, idle=False)
        read.again()
        near_the_least(read, idle=True)


@pytest.mark.parametrize(
    "stream",
    ["pull_request_comments", "source_files", "commits", "pipeline_test_cases", "users"],
)
def test_a_stream_by_itself_asks_about_the_least(catalog: dict[str, Any], stream: str) -> None:
    """What other streams would have told has to be asked for then."""
    with BitbucketServer(WORLDS["small"]()) as server:
        read = Read(server, catalog, stream)
        read.again()
        near_the_least(read, idle=False)
        read.again()
        near_the_least(read, idle=True)


def test_a_repository_that_stands_still_costs_nothing_for_its_refs(
    catalog: dict[str, Any],
) -> None:
    """Its `updated_on` tells that no branch, no tag and no commit is new."""
    with BitbucketServer(WORLDS["small"]()) as server:
        read = Read(server, catalog, *OF_REFS)
        assert len(read.again().rows("branches")) > 8
        pushed, *others = (one for one in server.world.repositories() if one.mainbranch)
        server.world.push(pushed, "main", 2)
        server.world.comment(
            next(iter(others[0].pull_requests.values())), server.world.user("Person 3"), "Late"
        )
        read.again()
        assert sorted(read.paths(pushed.slug)) == ["commits", "refs/branches", "refs/tags"]
        assert [path for one in others for path in read.paths(one.slug)] == []
        read.again()
        assert read.paths(pushed.slug) == []


@pytest.mark.parametrize("streams", [BELOW[:count] for count in (0, 1, 3, 6)], ids=len)
def test_pull_requests_of_a_repository_cost_one_request(
    catalog: dict[str, Any], streams: tuple[str, ...]
) -> None:
    """Where nothing changed, one list tells that nothing below any of them did."""
    with BitbucketServer(WORLDS["small"]()) as server:
        read = Read(server, catalog, "pull_requests", *streams)
        read.again()
        read.again()
        for one in server.world.repositories():
            assert read.paths(one.slug) == ["pullrequests"]


def test_only_statuses_of_open_pull_requests_are_asked_for_again(catalog: dict[str, Any]) -> None:
    """Nothing else tells of them; of those that are closed nothing is expected."""
    with BitbucketServer(WORLDS["small"]()) as server:
        busy, quiet, *_ = server.world.repositories()
        server.world.open_pull_request(busy, "topic/open")
        open_ones = [one for one in busy.pull_requests.values() if one.state == "OPEN"]
        for one in quiet.pull_requests.values():
            if one.state == "OPEN":
                server.world.decline(one)
        read = Read(server, catalog, "pull_requests", STATUSES)
        read.again()
        read.again()
        wanted = {f"pullrequests/{one.id}/statuses" for one in open_ones}
        assert Counter(read.paths(busy.slug)) == Counter(["pullrequests", *wanted])
        assert read.paths(quiet.slug) == ["pullrequests"]


@pytest.mark.parametrize(("count", "passes"), [(102 + 12 + 2, True), (102 + 12 + 3, False)])
def test_a_total_may_be_two_percent_and_two_requests_over_the_least(
    count: int, passes: bool
) -> None:
    """That and no more; what is asked to be sure is allowed for."""
    result = Result("a pass", Counter(a=100), Counter(b=12), Counter(a=count))
    assert result.passes is passes


# -- the worlds and the table -------------------------------------------------------------------


def test_a_large_world_is_skewed() -> None:
    """One repository has most, a third is idle, some are empty; comments are of all kinds."""
    world = large_world(60, 1_000, 4_000, seed="shares")
    places = world.repositories()
    sizes = [len(one.pull_requests) for one in places]
    assert sum(sizes) == 1_000
    assert sizes[0] > 0.3 * sum(sizes) > 1.5 * sizes[1]
    latest = max(one.updated_on for one in places)
    idle = [one for one in places if one.updated_on < latest - timedelta(days=180)]
    assert len(places) // 3 <= len(idle) < len(places) // 2
    assert sum(one.mainbranch is None for one in places) == 3
    reviews = [one for place in places for one in place.pull_requests.values()]
    said = [comment for one in reviews for comment in one.comments]
    assert len(said) == 4_000
    shares = {
        "inline": sum(one.inline is not None for one in said),
        "in answer": sum(one.parent is not None for one in said),
        "deleted": sum(one.deleted for one in said),
        "edited": sum("(edited)" in one.raw for one in said),
        "resolved": sum(one.resolved_by is not None for one in said),
        "pending": sum(one.pending for one in said),
    }
    assert all(shares.values()), shares
    assert shares["pending"] < shares["deleted"] < shares["resolved"] < shares["inline"]
    states = Counter(one.state for one in reviews)
    assert set(states) == {"OPEN", "MERGED", "DECLINED", "SUPERSEDED"}
    assert states["MERGED"] > 0.8 * len(reviews)
    for place in places:
        moments = [entry.date for entry in place.activity]
        assert moments == sorted(moments)
    for kind in ("branches", "tags", "pull_request_tasks", "pipeline_steps", "deployments"):
        assert world.rows(kind), kind


def test_a_large_world_is_the_same_each_time() -> None:
    """One seed and one moment make one world, another seed another one."""
    now = WORLDS["small"]().now()
    one, two, other = (large_world(4, 20, 60, seed=seed, now=now) for seed in ("a", "a", "b"))
    for kind in ("repositories", "pull_requests", "pull_request_comments", "commits", "pipelines"):
        assert one.rows(kind) == two.rows(kind), kind
        assert one.rows(kind) != other.rows(kind), kind


def test_the_table_of_rules_is_complete(catalog: dict[str, Any]) -> None:
    """Every stream has its rule, and the document shows the rules as they are."""
    streams = {stream["tap_stream_id"] for stream in catalog["streams"]}
    assert set(RULES) == streams
    document = (PROJECT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert table() in document, "python -m benchmarks.least prints the table"
