"""Many workers, few requests: the output is the same, and nothing is lost on the way."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer, Fault, RateLimit
from tests.catalogs import only
from tests.commits import BELOW, LATER, asked_about, asked_below, lost, say
from tests.story import Story, open_request, story_of
from tests.support import Run, api_token_config, run_here, select
from tests.truth import ALL_STREAMS


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world."""
    with story_of(only(catalog, "commits", *BELOW), monkeypatch) as told:
        yield told


def lines_of(run: Run) -> list[str]:
    """Return the lines of a run without what differs by its time."""
    volatile = r'"(time_extracted|version|reconciled_at)":("[^"]*"|\d+)'
    kept = [message for message in run.messages if message["type"] != "STATE"]
    return [re.sub(volatile, "", json.dumps(one, separators=(",", ":"))) for one in kept]


def test_the_output_does_not_depend_on_the_workers(
    server: BitbucketServer, catalog: dict[str, Any]
) -> None:
    """With all streams selected the output is the same for one worker and for sixteen."""
    chosen = select(catalog, *ALL_STREAMS)
    runs = [
        run_here(api_token_config(server, concurrency=number), catalog=chosen) for number in (1, 16)
    ]
    assert [run.code for run in runs] == [0, 0], runs[0].log + runs[1].log
    assert set(runs[0].counts) == set(ALL_STREAMS)
    assert lines_of(runs[0]) == lines_of(runs[1])
    later = [
        run_here(api_token_config(server, concurrency=number), catalog=chosen, state=runs[0].state)
        for number in (1, 16)
    ]
    assert lines_of(later[0]) == lines_of(later[1])
    assert len(later[0].lines) < len(runs[0].lines)


@pytest.mark.parametrize("limit", ["max_requests", "on_rate_limit"])
def test_runs_that_are_cut_below_commits(story: Story, limit: str) -> None:
    """Runs that are cut in the middle of a repository's commits lose nothing on the whole."""
    for repo in (story.api, story.web):
        for commit in story.world.push(repo, "main", 8):
            for stream in set(LATER) - {"commit_reports"}:
                say(story, stream, commit, repo)
    story.clock.later(days=3)
    cuts = 0
    for _ in range(15):
        settings: dict[str, Any] = {"max_requests": 26}
        if limit == "on_rate_limit":
            settings = {"on_rate_limit": "stop"}
            story.server.rate_limit = RateLimit(limit=26, plain_text=True)
        run = story.sync("commits", *BELOW, hours=0, **settings)
        if "Stopped" not in run.log:
            break
        cuts += 1
        if cuts == 2:
            made = story.world.push(story.api, "main", 1)
            say(story, "commit_statuses", made[0])
            story.clock.later(minutes=10)
    assert 3 <= cuts <= 8
    story.server.rate_limit = RateLimit()
    story.sync("commits", *BELOW, hours=0)  # what came meanwhile where the runs had been
    assert lost(story, "commits", *BELOW) == []


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("stream", BELOW)
def test_a_budget_smaller_than_a_repository(story: Story, stream: str, workers: int) -> None:
    """Each cut run goes on below commits where the one before stopped, until all are read."""
    made = furnish(story)
    story.clock.later(days=3)
    asked: Counter[str] = Counter()
    runs = 0
    while runs < 20:
        runs += 1
        run = story.sync(stream, hours=0, max_requests=36, concurrency=workers)
        asked += asked_about(story, stream)
        if "Stopped" not in run.log:
            break
    assert "Stopped" not in run.log
    assert runs > 1
    assert lost(story, stream) == []
    lists = 2 if stream == "commit_report_annotations" else 1
    everything = {*made, *story.api.objects, *story.web.objects}
    assert sum(asked.values()) <= lists * (len(everything) + runs * workers)
    assert story.sync(stream).counts == {}
    assert not asked_below(story)


def furnish(story: Story) -> list[str]:
    """Push to several branches that are merged, and say something about each commit."""
    world, repo = story.world, story.api
    made = world.push(repo, "main", 10)
    for number in range(3):
        request = open_request(story, repo, source=f"topic/{number}", n=4)
        made += request.commits
        made += world.push(repo, "main", 3, date=story.clock() - timedelta(days=900 * number))
        if number:
            made.append(world.merge(request, story.who("bob")))
    world.add_tag(repo, "v1", at=made[5])
    for commit in made:
        for stream in LATER:
            say(story, stream, commit)
    return made


def test_a_status_that_comes_before_a_cut_run(story: Story) -> None:
    """What was said of known commits while runs are cut below new ones comes after these."""
    story.sync("commit_statuses", hours=30)
    commit = story.world.push(story.api, "main", 1)[0]
    story.world.add_status(story.api, commit, "slow", "INPROGRESS")
    story.clock.later(minutes=10)
    story.sync("commit_statuses")
    story.world.add_status(story.api, commit, "slow", "SUCCESSFUL")
    story.world.add_status(story.api, commit, "late")
    story.world.push(story.api, "main", 30)
    story.clock.later(minutes=10)
    for limit in (12, 12, 200):
        run = story.sync("commit_statuses", max_requests=limit)
    assert "Stopped" not in run.log
    assert lost(story, "commit_statuses") == []
    assert story.row("commit_statuses", story.api.uuid, commit, "slow")["state"] == "SUCCESSFUL"


@pytest.mark.parametrize("news", [0, 15])
@pytest.mark.parametrize("first_day", [True, False])
def test_known_commits_are_asked_about_again_in_parts(
    story: Story, first_day: bool, news: int
) -> None:
    """More known commits than a run may ask about: each run goes on, and none is asked twice."""
    if not first_day:
        story.sync("commit_statuses", hours=30)
    known = story.world.push(story.api, "main", 40)
    story.sync("commit_statuses", hours=1)
    new = story.world.push(story.api, "main", news)
    asked: Counter[str] = Counter()
    for runs in range(1, 12):
        for commit in known[:3]:
            story.world.add_status(story.api, commit, f"lint {runs}")
        for commit in known:
            story.world.add_status(story.api, commit, "test", f"{runs}")
        story.clock.later(minutes=10)
        run = story.sync("commit_statuses", hours=0, max_requests=20, concurrency=1)
        asked += asked_about(story, "commit_statuses")
        if "Stopped" not in run.log:
            break
    assert "Stopped" not in run.log
    assert runs > 2
    assert {asked[commit] > 0 for commit in (*known, *new)} == {True}
    lists = len(known) + len(new) + len(story.web.objects) if first_day else len(known) + news
    assert asked.total() <= lists + runs
    story.sync("commit_statuses")  # what was said where the runs had been
    assert lost(story, "commit_statuses") == []


def test_a_build_that_outlives_a_cut_run(story: Story) -> None:
    """A build that has been running for days is still followed after runs that were cut."""
    commit = story.world.push(story.api, "main", 1)[0]
    story.world.add_status(story.api, commit, "slow", "INPROGRESS")
    story.clock.later(minutes=10)
    story.sync("commit_statuses", hours=60)
    story.world.push(story.api, "main", 30)
    for limit in (12, 12, 200):
        run = story.sync("commit_statuses", max_requests=limit)
    assert "Stopped" not in run.log
    story.world.add_status(story.api, commit, "slow", "SUCCESSFUL")
    story.clock.later(minutes=10)
    story.sync("commit_statuses")
    assert lost(story, "commit_statuses") == []


@pytest.mark.parametrize("seed", range(8))
def test_a_world_that_moves_while_runs_are_cut(story: Story, seed: int) -> None:
    """Between and during cut runs people push, rewrite and talk; in the end nothing is missing."""
    random = Random(seed)
    furnish(story)
    story.clock.later(days=random.choice((0, 3)), minutes=10)
    turns = iter(range(10_000))
    fresh: list[str] = []

    def happen() -> None:
        world, repo = story.world, story.api
        what = random.randrange(5)
        if what == 0:
            fresh.extend(world.push(repo, "main", random.randint(1, 3)))
        elif what == 1:
            date = story.clock() - timedelta(days=4000)
            fresh.extend(world.push(repo, f"late/{next(turns)}", 1, date=date))
        elif what == 2:
            collect = random.random() < 0.5
            fresh.extend(world.force_push(repo, "topic/0", 2, back=3, collect=collect))
        there = {one.hash for one in world.history(repo, repo.heads())}
        for commit in [one for one in fresh if one in there][-random.choice((1, 4)) :]:
            world.add_status(repo, commit, random.choice("abc"), f"State {next(turns)}")
            say(story, "commit_report_annotations", commit)
            say(story, "commit_comments", commit)
        story.clock.later(minutes=random.choice((0, 7, 30)))

    for _ in range(12):
        happen()
        fault = Fault("/api/", after=random.randint(0, 12), action="callback", callback=happen)
        story.server.faults.add(fault)
        limit = random.choice((8, 14, 25, 60))
        story.sync(*BELOW, hours=random.choice((0, 0.5)), max_requests=limit,
                   concurrency=random.choice((1, 4)))  # fmt: skip
    story.server.faults.clear()
    for _ in range(2):
        run = story.sync(*BELOW)
    assert "Stopped" not in run.log
    assert lost(story, *BELOW, kept=True) == []
