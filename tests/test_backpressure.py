"""A target that reads slowly, or not at all: the readers wait for it, and memory does not fill."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer, large_world
from tap_bitbucket.demo.application import Application, Incoming, Outgoing
from tests.catalogs import only
from tests.support import PROJECT, api_token_config, command, select

MIB = 2**20

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="reads the memory of a process in /proc"
)

_TEXT = "What this commit does, and why, at great length. " * 160
"""The better part of a row of 8 KB."""

_ON_A_PAGE = 100
_PAGES = 560
"""Altogether 440 MB."""


class _Heavy(Application):
    """Answers each list of branches with heavy rows, on as many pages as there shall be."""

    pages = 1

    def handle(self, incoming: Incoming, origin: str) -> Outgoing:
        """Answer; a page takes 0.8 MB."""
        if not incoming.path.endswith("/refs/branches"):
            return super().handle(incoming, origin)
        number = int(incoming.query.get("page", ["1"])[0])
        envelope = f'"page":{number},"pagelen":{_ON_A_PAGE},"size":{self.pages * _ON_A_PAGE}'
        if number < self.pages:
            target = f"{origin}{incoming.path}?pagelen={_ON_A_PAGE}&page={number + 1}"
            envelope += f',"next":"{target}"'
        first = (number - 1) * _ON_A_PAGE
        rows = (
            f'{{"name":"branch-{n:05}","target":{{"hash":"{n:040}","message":"{_TEXT}"}}}}'
            for n in range(first, first + _ON_A_PAGE)
        )
        body = f'{{{envelope},"values":[{",".join(rows)}]}}'
        return Outgoing(200, body.encode(), {"Content-Type": "application/json"})


class _Stalled:
    """A run whose output nobody reads until it is asked for."""

    def __init__(self, server: BitbucketServer, line: list[str], folder: Path) -> None:
        self._server = server
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            line,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )

    @property
    def asked(self) -> int:
        """Return how many lists of branches were asked for, and their pages."""
        return sum(one.path.endswith("/refs/branches") for one in self._server.requests)

    def peak(self) -> int:
        """Return the most memory that it has held so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        (line,) = (one for one in status.splitlines() if one.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def settle(self) -> int:
        """Wait until nothing more is asked for, and return how much was."""
        last, since, ends = -1, time.monotonic(), time.monotonic() + 60
        while last < 2 or time.monotonic() - since < 1.5:
            if self.asked != last:
                last, since = self.asked, time.monotonic()
            assert self.process.poll() is None
            assert time.monotonic() < ends, f"{self.asked} requests, and still more"
            time.sleep(0.02)
        return last

    def lines(self) -> Iterator[bytes]:
        """Yield what it writes, from now on."""
        assert self.process.stdout is not None
        for line in self.process.stdout:  # noqa: UP028 - `yield from` would close it
            yield line

    def close(self) -> None:
        """End it, if it has not ended."""
        self.process.kill()
        self.process.communicate()
        self._log.close()


@contextmanager
def _stalled(
    folder: Path, catalog: dict[str, Any], repositories: int, pages: int, **settings: Any
) -> Iterator[_Stalled]:
    """Begin a run over repositories with so many pages of branches each."""
    with BitbucketServer(large_world(repositories, 0, 0, empty=0)) as server:
        heavy = _Heavy(server.world, server.settings)
        heavy.pages = pages
        server.application = heavy
        chosen = select(only(catalog, "repositories", "branches"), "branches")
        config = api_token_config(server, **settings)
        run = _Stalled(server, command(config, folder, catalog=chosen), folder)
        try:
            yield run
        finally:
            run.close()


_KEY = re.compile(rb'"(?:repository_uuid|name)":"([^"]+)"')

SHAPES = pytest.mark.parametrize(
    ("repositories", "pages"), [(_PAGES, 1), (1, _PAGES)], ids=["many lists", "one long list"]
)


@SHAPES
def test_a_slow_target_holds_the_readers_back(
    tmp_path: Path, catalog: dict[str, Any], repositories: int, pages: int
) -> None:
    """Nothing is asked while nobody reads, memory has a bound, and then all rows arrive."""
    with _stalled(tmp_path, catalog, repositories, pages) as run:
        asked = run.settle()
        assert asked < _PAGES / 2
        assert run.peak() < 200 * MIB
        time.sleep(1)
        assert run.asked == asked
        peak, keys, written, line = run.peak(), set(), 0, b""
        for number, line in enumerate(run.lines()):
            written += len(line)
            if line.startswith(b'{"type":"RECORD"'):
                assert len(line) > len(_TEXT)
                keys.add(b" ".join(_KEY.findall(line)))
            if number % 1000 == 0 and run.process.poll() is None:
                peak = max(peak, run.peak())
        assert line.startswith(b'{"type":"STATE"')
        assert run.process.wait(20) == 0
        assert len(keys) == _PAGES * _ON_A_PAGE
        assert written > 400 * MIB
        assert peak < 200 * MIB


@SHAPES
def test_a_stop_while_nobody_reads(
    tmp_path: Path, catalog: dict[str, Any], repositories: int, pages: int
) -> None:
    """It ends by the signal all the same, and no STATE speaks for rows that did not get out."""
    with _stalled(tmp_path, catalog, repositories, pages) as run:
        before = list(itertools.islice(run.lines(), 5 * _ON_A_PAGE))
        asked = run.settle()
        began = time.monotonic()
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(10) == 128 + signal.SIGTERM
        assert time.monotonic() - began < 5
        assert run.asked == asked
        *whole, last = itertools.chain(before, run.lines())
        messages = [json.loads(line) for line in whole]
        assert b'{"type":"STATE"' not in last
        assert _told(messages) <= _whole(messages)


def test_a_stop_before_the_target_goes_on(tmp_path: Path, catalog: dict[str, Any]) -> None:
    """Who reads on in time gets whole lines to the end, and the STATE of what is out."""
    with _stalled(tmp_path, catalog, _PAGES, 1) as run:
        before = list(itertools.islice(run.lines(), 5 * _ON_A_PAGE))
        run.settle()
        run.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        messages = [json.loads(line) for line in itertools.chain(before, run.lines())]
        assert run.process.wait(10) == 128 + signal.SIGTERM
        assert messages[-1]["type"] == "STATE"
        assert len(_told(messages)) > 3
        assert _told(messages) <= _whole(messages)


def _told(messages: list[dict[str, Any]]) -> set[str]:
    """Return the repositories of which a STATE says that the branches are out."""
    told = set()
    for one in messages:
        if one["type"] == "STATE":
            found = one["value"]["bookmarks"].get("branches", {}).get("partitions", [])
            told |= {partition["context"]["repository_uuid"] for partition in found}
    return told


def _whole(messages: list[dict[str, Any]]) -> set[str]:
    """Return the repositories of which all branches are out."""
    rows = Counter(one["record"]["repository_uuid"] for one in messages if one["type"] == "RECORD")
    return {uuid for uuid, count in rows.items() if count % _ON_A_PAGE == 0}
