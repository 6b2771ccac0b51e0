"""How lists are read: many at a time, in order, to their end, and from nowhere else."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from tap_bitbucket.demo import BitbucketServer, Fault
from tap_bitbucket.demo.connection import Connection
from tap_bitbucket.http.paging import Page
from tap_bitbucket.plan import Opening, Reading
from tap_bitbucket.reading import ReadAhead
from tests.story import Story, open_request, story_of
from tests.support import Run, api_token_config, run_here, select
from tests.truth import STREAMS, truth


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world."""
    with story_of(catalog, monkeypatch, max_retries=0) as told:
        yield told


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """Return another host's address, and what it hears: there must be nothing."""
    heard: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(f"{self.path} {self.headers.get('Authorization')}")
            self.send_response(200)
            self.send_header("Content-Length", "13")
            self.end_headers()
            self.wfile.write(b'{"values":[]}')

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", heard
        server.shutdown()


def output(run: Run) -> list[str]:
    """Return what was written, without what depends on the clock."""
    lines = []
    for message in run.messages:
        if message["type"] != "STATE":
            rest = {k: v for k, v in message.items() if k not in {"time_extracted", "version"}}
            lines.append(json.dumps(rest))
    return lines


def missing_of(story: Story, stream: str) -> list[str]:
    """Return what the target lacks."""
    return [one for one in story.differences(stream) if "missing" in one]


# -- many at a time ---------------------------------------------------------------------------


def test_the_output_is_the_same_for_any_concurrency(server: BitbucketServer) -> None:
    """One reader and sixteen, slow answers or quick ones: the same lines in the same order."""
    alone = run_here(api_token_config(server, concurrency=1))
    server.latency = 0.003
    for number in range(25):
        server.faults.add(Fault("/2.0/", action="hang", seconds=0.05, after=number % 7 * 3))
    many = run_here(api_token_config(server, concurrency=16))
    assert (alone.code, many.code) == (0, 0)
    assert output(alone) == output(many)
    few = run_here(api_token_config(server, concurrency=3))
    assert output(few) == output(alone)
    ends = [re.sub(r'"reconciled_at": \d+', "", json.dumps(run.state)) for run in (alone, many)]
    assert len(ends[0]) == len(ends[1])


@pytest.mark.parametrize("concurrency", [1, 4])
def test_no_more_requests_than_allowed(
    server: BitbucketServer, monkeypatch: pytest.MonkeyPatch, concurrency: int
) -> None:
    """Never more requests are under way than ``concurrency``, and so many where there is work."""
    lock, now, most = threading.Lock(), 0, 0
    serve = Connection._serve

    def counted(self: Connection) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.004)
        with lock:
            now -= 1
        serve(self)

    monkeypatch.setattr(Connection, "_serve", counted)
    for name in ("do_GET", "do_POST"):
        monkeypatch.setattr(Connection, name, counted)
    run = run_here(api_token_config(server, concurrency=concurrency))
    assert run.code == 0
    assert most == concurrency


# -- to the end -------------------------------------------------------------------------------


def test_pages_are_as_large_as_allowed(server: BitbucketServer) -> None:
    """Each list is asked for with the longest page that its endpoint allows."""
    run_here(api_token_config(server))
    seen = set()
    for one in server.requests:
        if one.status != 200 or one.path.endswith(("/steps/", "/workspaces/halley-labs")):
            continue
        fifty = one.path.endswith(("/pullrequests", "/activity"))
        assert one.query["pagelen"] == ["50" if fifty else "100"], one.url
        seen.add(one.path.rstrip("/").rpartition("/")[2])
    assert {"commits", "branches", "pullrequests", "activity", "tasks", "pipelines"} <= seen


@pytest.mark.parametrize("defect", ["none", "drops_sort", "missing", "internal", "always"])
def test_the_broken_links_of_the_pipelines_service(story: Story, defect: str) -> None:
    """However wrong ``next`` of the pipelines service is, each row is read once, no page twice."""
    for number in range(230):
        story.world.finish_pipeline(story.world.start_pipeline(story.api, steps=()))
        if number < 130:
            story.world.add_environment(story.api, f"Test {number}")
        story.world.deploy(story.api, story.api.environments[0], "COMPLETED")
    story.server.next_defect = dict.fromkeys(("pipelines", "deployments", "environments"), defect)
    run = story.sync("pipelines", "deployments", "environments")
    for stream in ("pipelines", "deployments", "environments"):
        assert story.differences(stream) == []
        assert run.counts[stream] == len(truth(story.world, stream))
    assert len(story.asked("/api/pipelines/")) == len(story.asked("/api/deployments/")) == 3
    assert len(story.asked("/api/environments/")) == 2
    assert {one.status for one in story.server.requests} == {200}


def test_an_empty_page_is_not_the_end(story: Story) -> None:
    """A list goes on after an empty page that has a ``next``."""
    story.world.push(story.api, "main", 3)

    def empty(_: dict[str, Any]) -> dict[str, Any]:
        own = f"{story.server.api_url}/repositories/{story.api.full_name}/refs/branches"
        return {"values": [], "pagelen": 100, "next": f"{own}?pagelen=100&page=1"}

    story.server.faults.add(Fault("/api/refs/branches", action="edit", edit=empty))
    story.sync("branches")
    assert len(story.asked("/api/refs/branches")) == 2
    assert story.differences("branches") == []


def test_pages_that_link_in_a_circle(story: Story) -> None:
    """A list whose pages link in a circle ends, its partition is named, the others are read."""

    def circle(page: dict[str, Any]) -> dict[str, Any]:
        own = f"{story.server.api_url}/repositories/{story.api.full_name}/refs/branches"
        return {**page, "next": f"{own}?pagelen=100&page=1"}

    fault = Fault("/api/refs/branches", action="edit", edit=circle, times=None)
    story.server.faults.add(fault)
    run = story.sync("branches")
    assert len(story.asked("/api/refs/branches")) <= 3
    assert story.api.full_name in run.log
    assert "branches" not in run.activated
    assert {row["repository"] for row in run.rows("branches")} >= {"web"}


def test_a_value_that_is_no_object(story: Story) -> None:
    """A sentence among the rows, as Bitbucket's free plan puts there, is no row and no error."""

    def sentence(page: dict[str, Any]) -> dict[str, Any]:
        return {**page, "values": ["Upgrade your plan", *page["values"], None, 7]}

    story.server.faults.add(Fault("GET", action="edit", edit=sentence, times=1, after=3))
    story.server.faults.add(Fault("refs/branches", action="edit", edit=sentence, times=None))
    run = run_here(api_token_config(story.server), catalog=select(story.catalog, "branches"))
    assert run.code == 0
    assert run.counts["branches"] == len(truth(story.world, "branches"))


def test_a_value_in_place_of_a_row(story: Story) -> None:
    """What stands where a row should is asked for again, once; that it stays is said."""

    def swallowed(page: dict[str, Any]) -> dict[str, Any]:
        return {**page, "values": [None, *page["values"][1:]]}

    story.world.add_branch(story.api, "topic")
    fault = Fault("/api/refs/branches", action="edit", edit=swallowed)
    story.server.faults.add(fault)
    run = story.sync("branches", reconcile_every=0)
    assert len(story.asked("/api/refs/branches")) == 2
    assert story.differences("branches") == []
    assert "no rows" not in run.log
    fault.times = None
    run = story.sync("branches", reconcile_every=0)
    assert len(story.asked("/api/refs/branches")) == 2
    assert "/api/refs/branches: 1 of the values are no rows" in run.log


# -- from nowhere else ------------------------------------------------------------------------


def _to(url: str) -> Any:
    return lambda page: {**page, "next": url + "/2.0/anything?page=2"}


def test_next_leads_to_another_host(story: Story, elsewhere: tuple[str, list[str]]) -> None:
    """A ``next`` to another host is never asked; a numbered list goes on by its number."""
    url, heard = elsewhere
    for number in range(150):
        story.world.add_branch(story.api, f"topic/{number}")
    story.server.faults.add(Fault("/api/refs/branches", action="edit", edit=_to(url)))
    run = story.sync("branches")
    assert heard == []
    assert story.differences("branches") == []
    assert "branches" in run.activated


def test_an_opaque_next_leads_to_another_host(
    story: Story, elsewhere: tuple[str, list[str]]
) -> None:
    """Where there is no number to go on by, the partition is named and left, the others are not."""
    url, heard = elsewhere
    story.world.push(story.api, "main", 150)
    story.server.faults.add(Fault("/api/commits", action="edit", edit=_to(url)))
    run = story.sync("commits")
    assert heard == []
    assert story.api.full_name in run.log
    assert {row["repository"] for row in run.rows("commits")} == {"api", "web"}
    assert len(missing_of(story, "commits")) > 0
    story.sync("commits")
    assert story.differences("commits") == []


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_to_another_host(
    story: Story, elsewhere: tuple[str, list[str]], status: int
) -> None:
    """A redirect to another host gets no token; the partition is named, the others are read."""
    url, heard = elsewhere
    story.server.faults.add(
        Fault("/api/refs/branches", action="redirect", to=f"{url}/2.0/x", status=status)
    )
    run = story.sync("branches")
    assert heard == []
    assert story.api.full_name in run.log
    assert {row["repository"] for row in run.rows("branches")} == {"web"}
    assert "branches" not in run.activated
    story.sync("branches")
    assert story.differences("branches") == []


def test_a_repository_that_moves_while_it_is_read(story: Story) -> None:
    """A redirect within the API is followed, with the token: a rename in mid-run loses nothing."""
    request = open_request(story)
    story.world.comment(request, story.who("bob"), "Hm.")

    def rename() -> None:
        story.world.rename_repository(story.api, "renamed")

    story.server.faults.add(Fault("/api/", action="callback", callback=rename))
    run = story.sync()
    assert {301, 302, 307, 308} & {one.status for one in story.server.requests}
    assert len({row["id"] for row in run.rows("pull_request_comments")}) == 1
    story.sync()
    for stream in STREAMS:
        assert story.differences(stream) == [], stream


# -- memory -----------------------------------------------------------------------------------


class _Work:
    """Stands for a pass over one list."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def readings(self) -> Iterator[Reading]:
        yield self._reading


def _pages(number: int, size: int, made: list[int], fail_at: int | None = None) -> Iterator[Page]:
    for index in range(number):
        if index == fail_at:
            message = "broken"
            raise ValueError(message)
        made.append(size)
        yield Page([msgspec.Raw(b"{}")], nbytes=size)


def _plan(readings: list[Reading]) -> Iterator[Any]:
    for index, reading in enumerate(readings):
        yield Opening("stream", {"partition": index}, _Work(reading))  # type: ignore[arg-type]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("concurrency", [1, 2, 8])
def test_memory_is_bounded(concurrency: int) -> None:
    """However slow the target, only a window of pages waits, plus one page per reader."""
    made: list[int] = []
    lists = [Reading(lambda: _pages(6, 100, made)) for _ in range(12)]
    ahead = ReadAhead(_plan(lists), concurrency, threading.Event(), window=1000)
    ahead.start()
    taken = worst = 0
    for index in range(len(lists)):
        partition = ahead.open("stream", {"partition": index})
        for reading in partition.readings():
            for _ in partition.pages(reading):
                time.sleep(0.001)
                taken += 100
                worst = max(worst, sum(made) - taken)
    assert taken == 12 * 6 * 100
    # A window, the page that is being made by each reader, and the list that is waited for.
    assert worst <= 1000 + (concurrency + 1) * 100 + 600
    ahead.close()


@pytest.mark.timeout(30)
@pytest.mark.parametrize("concurrency", [1, 2, 8])
def test_pages_larger_than_the_window(concurrency: int) -> None:
    """A page that is larger than all that may wait is still read: nothing locks up."""
    made: list[int] = []
    lists = [Reading(lambda: _pages(3, 5000, made)) for _ in range(6)]
    ahead = ReadAhead(_plan(lists), concurrency, threading.Event(), window=1000)
    ahead.start()
    taken = 0
    for index in range(len(lists)):
        partition = ahead.open("stream", {"partition": index})
        for reading in partition.readings():
            taken += len(list(partition.pages(reading)))
    assert taken == 18
    ahead.close()


@pytest.mark.timeout(30)
def test_an_error_comes_at_its_place() -> None:
    """What goes wrong in a list is raised where the list is taken, after the pages before it."""
    made: list[int] = []
    lists = [
        Reading(lambda: _pages(2, 10, made)),
        Reading(lambda: _pages(3, 10, made, fail_at=2)),
        Reading(lambda: _pages(2, 10, made)),
    ]
    ahead = ReadAhead(_plan(lists), 4, threading.Event())
    ahead.start()
    seen = []
    for index in range(3):
        partition = ahead.open("stream", {"partition": index})
        try:
            for reading in partition.readings():
                for _ in partition.pages(reading):
                    seen.append(index)  # noqa: PERF401 - as far as it comes
        except ValueError:
            seen.append(-1)
            partition.abandon()
    assert seen == [0, 0, 1, 1, -1, 2, 2]
    ahead.close()
