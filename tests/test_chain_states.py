"""The states between the runs of a chain: what may stand in them, and what ends a chain."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer
from tests.chains import Chain, differences, leftovers, stopped, streams_of
from tests.furniture import furnish
from tests.story import Story, open_request, story_of
from tests.support import (
    PROJECT,
    Run,
    api_token_config,
    command,
    lines_of,
    merge,
    run_here,
    select,
    tables,
)
from tests.truth import STREAMS


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world."""
    with story_of(select(catalog, *STREAMS), monkeypatch) as told:
        furnish(told)
        told.clock.later(days=1)
        yield told


def test_other_streams_than_before(story: Story, catalog: dict[str, Any]) -> None:
    """Streams that are selected in the middle of a chain are read whole, and the rest, too."""
    chain = Chain(story.server, select(catalog, "commits", "pull_requests", "branches"))
    chain.run(max_requests=9)
    chain.catalog = select(catalog, *STREAMS)
    chain.until_done(12, max_requests=25)
    long = Chain(story.server, chain.catalog)
    long.run()
    assert differences(long.target, chain.target) == []


def earlier_state(story: Story) -> dict[str, Any]:
    """Return a state as the tap wrote it before it could go on in the middle of a round."""
    as_of = story.clock().isoformat()
    places = story.world.workspace("halley-labs").repositories.values()

    def of_all(**bookmark: Any) -> dict[str, Any]:
        partitions = [{"context": {"repository_uuid": one.uuid}, **bookmark} for one in places]
        return {"partitions": partitions}

    def cursor(key: str, value: str = as_of, **more: Any) -> dict[str, Any]:
        return of_all(replication_key=key, replication_key_value=value, **more)

    workspace = {
        "context": {"workspace": "halley-labs"},
        "replication_key": "updated_on",
        "replication_key_value": as_of,
    }
    commits = [
        {"context": {"repository_uuid": one.uuid}, "heads": sorted(one.heads()), "known": []}
        for one in places
    ]
    return {
        "bookmarks": {
            "repositories": {"reconciled_at": int(time.time()), "partitions": [workspace]},
            "branches": {"reconciled_at": int(time.time()), **of_all(repository_updated_on=as_of)},
            "commits": {"partitions": commits},
            "pull_requests": cursor("updated_on", mark="f8577ab030951e6c"),
            "pull_request_comments": cursor("updated_on"),
            "pull_request_activity": cursor("occurred_on", gate=as_of, gate_seen={"1": as_of}),
            "pipelines": cursor("created_on", seen={"{nobody}": as_of}),
            "pipeline_steps": cursor("pipeline_created_on", unfinished=[]),
        }
    }


@pytest.mark.parametrize("limit", [None, 12])
def test_a_state_of_before(story: Story, catalog: dict[str, Any], limit: int | None) -> None:
    """A state without what chains need is gone on with: only what happened since is read."""
    streams = ("repositories", "branches", "commits", "pull_requests", "pull_request_comments",
               "pull_request_activity", "pipelines", "pipeline_steps")  # fmt: skip
    chain = Chain(story.server, select(catalog, *streams))
    chain.run()
    chain.state = earlier_state(story)
    story.clock.later(hours=1)
    story.world.push(story.api, "main", 2)
    request = open_request(story)
    story.world.comment(request, story.who("bob"), "Why?")
    story.world.start_pipeline(story.web)
    if limit is None:
        chain.run()
        assert chain.runs[-1].counts["commits"] < 5
        assert chain.runs[-1].counts["pull_request_comments"] == 1
    else:
        chain.until_done(15, max_requests=limit)
    story.target = chain.target
    assert [one for stream in streams for one in story.differences(stream)] == []


WRONG: list[Any] = [
    5, "x", [], ["x"], {}, {"version": "x"}, {"version": None}, {"version": 1, "done": 5},
    {"version": 1, "done": {"branches": 5}}, {"version": 1, "done": {"branches": [{}]}},
    {"version": 1, "repositories": "x"}, {"version": 1, "repositories": [None]},
    {"version": 1.5}, {"version": True}, {"version": 1, "streams": {}}, None,
]  # fmt: skip


def refused_or_whole(
    story: Story, state: Mapping[str, Any], catalog: Mapping[str, Any]
) -> tuple[bool, Run]:
    """Run from a damaged state: either one line says no, or there is a whole run."""
    run = run_here(api_token_config(story.server), state=state, catalog=catalog)
    assert "Traceback" not in run.log
    if run.code == 1:
        assert run.lines == []
        said = run.log.splitlines()[-1]
        assert "The state cannot be used" in said, said
        return True, run
    return False, run


@pytest.mark.parametrize("resume", WRONG, ids=str)
def test_a_damaged_mark_of_a_chain(story: Story, catalog: dict[str, Any], resume: Any) -> None:
    """What is no mark of a chain is refused in one line, or is none."""
    streams = ("repositories", "branches", "pull_requests")
    chosen = select(catalog, *streams)
    refused, run = refused_or_whole(story, {"bookmarks": {}, "resume": resume}, chosen)
    if not refused:
        target = tables()
        merge(target, run)
        story.target = target
        assert [one for stream in streams for one in story.differences(stream)] == []


DAMAGES: list[Any] = [None, 7, "x", [], {}, [{}], {"x": []}]


def places_of(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where something stands in a state, one example for all items of a list."""
    yield place
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places_of(inner, (*place, name))
    elif isinstance(value, list) and value:
        yield from places_of(value[-1], (*place, len(value) - 1))


def test_any_damage_to_a_cut_state(story: Story, catalog: dict[str, Any]) -> None:
    """Whatever is put in place of any part of a cut state, no run ends with a traceback."""
    streams = ("repositories", "commits", "pull_requests", "pull_request_comments",
               "pull_request_activity", "pipelines", "pipeline_steps")  # fmt: skip
    chosen = select(catalog, *streams)
    states = []
    for limit in (6, 11):
        chain = Chain(story.server, chosen, {"concurrency": 1})
        chain.run(max_requests=limit)
        assert chain.state is not None
        states.append(chain.state)
    damages = cycle(DAMAGES)
    tried, seen = 0, set[tuple[str, ...]]()
    for state in states:
        for place in places_of(state):
            if not place or (place[0] == "bookmarks" and len(place) < 5):
                continue  # what states always had is tested with states
            kind = tuple(name for name in place if not isinstance(name, int))
            if kind in seen:
                continue
            seen.add(kind)
            broken = copy.deepcopy(state)
            here: Any = broken
            for name in place[:-1]:
                here = here[name]
            here[place[-1]] = next(damages)
            refused_or_whole(story, broken, chosen)
            tried += 1
    assert tried > 20


# -- a signal -------------------------------------------------------------------------------------


def signalled(
    server: BitbucketServer, folder: Path, state: Mapping[str, Any] | None, after: int
) -> Run:
    """Send SIGTERM to a run of the real command that has asked for so much."""
    server.clear_requests()
    line = command(api_token_config(server, concurrency=2), folder, state=state)
    out, log = folder / "out", folder / "log"
    with out.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(
            line,
            stdout=stdout,
            stderr=stderr,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )
        ends = time.monotonic() + 60
        while len(server.requests) < after and process.poll() is None:
            assert time.monotonic() < ends
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        code = process.wait(20)
    text = log.read_text(encoding="utf-8")
    assert "Traceback" not in text
    return Run(code, lines_of(out.read_text(encoding="utf-8")), text)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("cut_before", [False, True])
def test_a_signal_is_no_limit(server: BitbucketServer, tmp_path: Path, cut_before: bool) -> None:
    """After SIGTERM the next run reads all that is due, also when a chain had begun."""
    long = Chain(server)
    long.run()
    server.latency = 0.02
    chain = Chain(server)
    if cut_before:
        chain.run(max_requests=40)
    ended = signalled(server, tmp_path, chain.state, 60)
    assert ended.code == 143
    assert ended.messages[-1]["type"] == "STATE"
    merge(chain.target, ended)
    if not cut_before:
        assert sorted(ended.state) == ["bookmarks"]
    server.latency = 0.0
    chain.state = ended.state
    last = chain.run()
    assert not stopped(last)
    assert streams_of([*chain.runs, ended]) >= long.runs[0].activated
    assert differences(long.target, chain.target) == []
    assert leftovers(chain.state, long.state) == []
