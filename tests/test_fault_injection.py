"""A fault at every request of a run, of every kind: nothing is lost, and no end is unclear."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from tap_bitbucket.demo import Fault
from tap_bitbucket.demo.model import Repository
from tests.catalogs import only, slim
from tests.faulting import KINDS, Kind, Place
from tests.stages import NIGHTLY, Stage, quick
from tests.story import Story, open_request, story_of
from tests.support import api_token_config
from tests.test_chains_moving import Days
from tests.truth import STREAMS


def fill(story: Story, repo: Repository) -> None:
    """Put something of every kind into a repository."""
    world, bob = story.world, story.who("bob")
    world.push(repo, "main", 2)
    world.add_tag(repo, "v1")
    request = open_request(story, repo)
    world.comment(request, bob, "Hm.")
    world.add_task(request, bob, "Explain")
    world.approve(request, bob)
    pipeline = world.start_pipeline(repo)
    world.finish_pipeline(pipeline)
    world.deploy(repo, repo.environments[0], "COMPLETED", pipeline=pipeline)


@pytest.fixture(scope="module", params=["first", "later"])
def stage(
    request: pytest.FixtureRequest,
    catalog: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    """Set the stage for first runs, and for runs that go on from another one's bookmarks."""
    settings = {"max_retries": 2, "request_timeout": 2, "reconcile_every": 0}
    with quick() as patch, story_of(slim(only(catalog, *STREAMS)), patch, **settings) as story:
        world = story.world
        world.identities.add_oauth_consumer("machine", "secret")
        for repo in (story.api, story.web):
            fill(story, repo)
        for number in range(101):
            world.add_branch(story.web, f"topic/{number}")
        story.clock.later(hours=3)
        made = Stage(story, tmp_path_factory.mktemp("runs"))
        if request.param == "later":
            assert made.problems(made.run()) == []
            Days(story, Random(3)).happen(25)
            story.clock.later(hours=3)
        made.keep()
        yield made


def in_turn(seed: int, stage: Stage) -> Iterator[Kind]:
    """Yield all kinds again and again, in an order of chance; each stage begins elsewhere."""
    kinds = Random(seed).sample(KINDS, len(KINDS))
    first = 0 if stage.state is None else len(kinds) // 3
    return itertools.islice(itertools.cycle(kinds), first, None)


@pytest.mark.parametrize("seed", range(max(1, NIGHTLY)))
def test_a_fault_at_every_request(stage: Stage, seed: int) -> None:
    """What passes when it is asked again is not noticed; what does not is named and made good."""
    wrong, ends = [], Counter[str]()
    lines = stage.lines if NIGHTLY or stage.state is not None else stage.lines[::3]
    for line, kind in zip(lines, in_turn(seed, stage), strict=False):
        stage.begin()
        kind.order(Place(stage.story.server, line))
        end, found = stage.with_faults(concurrency=1)
        if kind.passes and end != "whole":
            found.append(f"the run {end}")
        ends[end] += 1
        wrong += [f"{kind.name} at {line[:120]}: {one}" for one in found]
    assert wrong == [], seed
    assert ends["whole"] > ends["skipped"]


@pytest.mark.parametrize("seed", range(max(1, NIGHTLY)))
def test_a_fault_that_stays(stage: Stage, seed: int) -> None:
    """A request that goes wrong whenever it is sent costs no more than its partition, or ends."""
    wrong = []
    settings = {"max_retries": 1, "max_requests": 300, "on_rate_limit": "stop"}
    random = Random(seed)
    lines = random.sample(stage.lines, len(stage.lines) if NIGHTLY else 4)
    for line, kind in zip(lines, in_turn(seed, stage), strict=False):
        stage.begin()
        kind.order(Place(stage.story.server, line, times=None))
        _, found = stage.with_faults(concurrency=random.choice((1, 4)), **settings)
        wrong += [f"{kind.name} at {line[:120]}: {one}" for one in found]
    assert wrong == [], seed


@pytest.mark.parametrize("seed", range(30 * NIGHTLY or 2))
def test_faults_of_all_kinds_together(stage: Stage, seed: int) -> None:
    """Many requests of a run go wrong, each in its own way; when that ends, all is there."""
    random = Random(seed)
    stage.begin()
    for line in random.sample(stage.lines, random.randint(3, len(stage.lines) // 2)):
        times = random.choice((1, 1, 2, None))
        random.choice(KINDS).order(Place(stage.story.server, line, times=times))
    settings = {"max_retries": 1, "max_requests": 300, "on_rate_limit": "stop"}
    for _ in range(random.randint(0, 2)):
        stage.run(concurrency=random.choice((1, 8)), **settings)
    _, found = stage.with_faults(concurrency=8, **settings)
    assert found == [], seed


def test_an_api_token_that_dies(stage: Stage) -> None:
    """A credential that is refused from some request on ends the run, which says what it lacks."""
    identities, signed = stage.story.world.identities, api_token_config(stage.story.server)
    tokens = dict(identities._api_tokens)
    settings = {**dict.fromkeys(("client_id", "client_secret", "refresh_token", "token_file"))}
    settings |= {name: signed[name] for name in ("email", "api_token")}
    wrong = []
    for line in Random(1).sample(stage.lines[2:], len(stage.lines) - 2 if NIGHTLY else 2):
        stage.begin()
        fault = Fault(Place(stage.story.server, line).match, action="callback")
        fault.callback = identities._api_tokens.clear
        stage.story.server.faults.add(fault)
        run = stage.run(**settings)
        identities._api_tokens.update(tokens)
        said = run.log.splitlines()[-1]
        if run.code != 1 or "API token" not in said:
            wrong.append(f"{line}: {run.code}, {said}")
        wrong += [f"{line}: {one}" for one in stage.problems(stage.run(**settings))]
    assert wrong == []
