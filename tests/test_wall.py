"""Requests are under way at the same time, as many as may be: counted, not timed."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

import pytest

from benchmarks.runs import Asked
from benchmarks.wall import SHAPES, Shape, essence, longest_chain, make
from tap_bitbucket.demo import BitbucketServer, World
from tap_bitbucket.demo.application import Application, Incoming, Outgoing
from tap_bitbucket.demo.settings import Settings
from tests.support import api_token_config, run_here, select_all

_QUIET = 0.4
"""Seconds without a new request, until it counts as sure that none comes before an answer."""


class _Rounds(Application):
    """Holds all answers until so many requests wait for theirs, or until no more come.

    Each time that the answers go out stands for one latency: their number is how long the run
    would take, counted in latencies, if nothing else took time.

    Attributes:
        width: How many requests make a round.
        rounds: How often answers went out.
        most: The most requests at a time.
    """

    def __init__(self, world: World, settings: Settings, width: int) -> None:
        super().__init__(world, settings)
        self.width = width
        self.rounds = self.most = 0
        self._state = threading.Condition()
        self._under_way = self._waiting = 0
        self._last = time.monotonic()

    def handle(self, incoming: Incoming, origin: str) -> Outgoing:
        """Answer in a round with others."""
        with self._state:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            self._waiting += 1
            self._last = time.monotonic()
            mine = self.rounds
            while self.rounds == mine:
                left = self._last + _QUIET - time.monotonic()
                if self._waiting >= self.width or left <= 0:
                    self.rounds += 1
                    self._waiting = 0
                    self._state.notify_all()
                else:
                    self._state.wait(left)
        try:
            return super().handle(incoming, origin)
        finally:
            with self._state:
                self._under_way -= 1


def _asked(server: BitbucketServer) -> list[Asked]:
    return [Asked(one.method, one.url, one.status, one.at) for one in server.requests]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: re.sub(r"\W+", "-", shape.name))
def test_as_many_requests_are_under_way_as_may_be(shape: Shape, catalog: dict[str, Any]) -> None:
    """The run takes little longer than its requests divided by eight, or than its longest list."""
    small = shape.divided(5)
    with BitbucketServer(make(**small.world)) as server:
        rounds = _Rounds(server.world, server.settings, 8)
        server.application = rounds
        run = run_here(api_token_config(server, concurrency=8), catalog=small.catalog() or catalog)
        assert run.code == 0, run.log
        assert "WARNING" not in run.log, run.log
        asked = _asked(server)
    assert len(asked) > 150
    assert rounds.most == 8
    least = max(len(asked) / 8, longest_chain(asked))
    assert rounds.rounds < least * 1.3 + 5


def test_the_output_is_the_same_however_many_requests_are_under_way(
    server: BitbucketServer, catalog: dict[str, Any]
) -> None:
    """Of all streams: the lines, their order and the last STATE; and never more than allowed."""
    everything = select_all(catalog)
    written, asked = [], []
    for concurrency in (1, 8, 16):
        server.clear_requests()
        rounds = _Rounds(server.world, server.settings, concurrency)
        server.application = rounds
        run = run_here(api_token_config(server, concurrency=concurrency), catalog=everything)
        assert run.code == 0, run.log
        assert len(run.counts) > 50
        assert rounds.most == concurrency
        assert rounds.rounds < len(server.requests) / concurrency * 1.3 + 15
        written.append(essence(line.encode() for line in run.lines))
        asked.append(sorted(f"{one.method} {one.url} {one.body}" for one in server.requests))
    assert written[1:] == written[:1] * 2
    assert asked[1:] == asked[:1] * 2


def test_the_longest_chain_is_the_longest_list_of_opaque_links() -> None:
    """What is numbered may be asked for at once; a token is known from the page before alone."""

    def chain(*urls: str) -> int:
        return longest_chain(Asked("GET", f"/2.0/{url}", 200, 0.0) for url in urls)

    above = chain("workspaces/a")
    assert chain("a?pagelen=50", "a?pagelen=50&page=2", "a?pagelen=50&page=3") == above
    assert chain("a?pagelen=9", "a?pagelen=9&ctx=x&page=2", "b", "b?page=2f1x") == above + 2
    assert chain("a", "a?ctx=x&page=2", "a?ctx=x&page=3", "b", "b?page=2") == above + 3
