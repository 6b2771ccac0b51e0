"""Ending a run from outside: soon, with whole lines, and with a STATE that is true."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, Fault
from tap_bitbucket.http.errors import StopReading
from tap_bitbucket.http.paging import Page
from tap_bitbucket.plan import Opening, Reading
from tap_bitbucket.reading import ReadAhead
from tests.support import (
    PROJECT,
    Run,
    api_token_config,
    command,
    content,
    lines_of,
    merge,
    refusal,
    run_here,
    select,
    tables,
)

HERE = {"PYTHONPATH": str(PROJECT)}
TWO = [f"{EXAMPLE_WORKSPACE}/telescope-control", f"{EXAMPLE_WORKSPACE}/web-portal"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


class Process:
    """A run that can be sent signals, and how it ended."""

    def __init__(self, line: list[str], folder: Path, **environment: str) -> None:
        self.out, self.log = folder / "stdout", folder / "stderr"
        with self.out.open("wb") as out, self.log.open("wb") as log:
            self.process = subprocess.Popen(
                line, stdout=out, stderr=log, cwd=folder, env={**os.environ, **HERE, **environment}
            )

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        ends = time.monotonic() + 60
        while not condition():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < ends, f"waited in vain: {self.said()}"
            time.sleep(0.005)

    def said(self) -> str:
        """Return the log so far."""
        return self.log.read_text(encoding="utf-8")

    def stop(self, signum: int) -> tuple[Run, float]:
        """Send a signal, and return what was written and how long the end took."""
        began = time.monotonic()
        self.process.send_signal(signum)
        code = self.process.wait(20)
        took = time.monotonic() - began
        text = self.out.read_bytes()
        assert not text or text.endswith(b"\n"), "the last line is not whole"
        lines = lines_of(text.decode())
        return Run(code, lines, self.log.read_text(encoding="utf-8")), took


def config(server: BitbucketServer, **settings: Any) -> dict[str, Any]:
    """Return a config that reads two repositories."""
    return api_token_config(server, repositories=TWO, **settings)


def test_a_stop_at_any_moment_loses_nothing(server: BitbucketServer, tmp_path: Path) -> None:
    """Within two seconds, whole lines, STATE last, 128 + signal; the next run makes it complete."""
    moments = random.Random(20261121)
    expected = tables()
    merge(expected, run_here(config(server)))
    requests = len(server.requests)
    server.latency = 0.02
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        server.clear_requests()
        process = Process(command(config(server, concurrency=4), tmp_path), tmp_path)
        moment = moments.randrange(3, requests - 15)
        process.wait_for(lambda moment=moment: len(server.requests) >= moment)  # type: ignore[misc]
        time.sleep(moments.random() * 0.05)
        stopped, took = process.stop(signum)
        assert stopped.code == 128 + signum, stopped.log
        assert took < 2
        assert "Traceback" not in stopped.log
        assert stopped.messages[-1]["type"] == "STATE"
        target = tables()
        merge(target, stopped)
        full = run_here(config(server), state=stopped.state)
        assert full.code == 0, full.log
        merge(target, full)
        assert content(target) == content(expected)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_waits_for_a_refresh(server: BitbucketServer, tmp_path: Path, signum: int) -> None:
    """A stop between the request for a token and its answer keeps what the answer brings."""
    keys = server.world.credentials
    assert keys is not None
    tokens = tmp_path / "tokens.json"
    oauth = {
        "client_id": keys.client_id,
        "client_secret": keys.client_secret,
        "refresh_token": keys.refresh_token,
        "token_file": str(tokens),
    }
    settings = {**config(server), **oauth}
    del settings["email"], settings["api_token"]
    server.faults.add(Fault("/site/oauth2/access_token", action="hang", seconds=3.5))
    process = Process(command(settings, tmp_path), tmp_path)
    process.wait_for(lambda: server.faults.served)
    stopped, took = process.stop(signum)
    assert stopped.code == 128 + signum
    assert 2 < took < 6
    successor = server.world.oauth.refresh_tokens[keys.refresh_token].successor
    assert json.loads(tokens.read_text())["refresh_token"] == successor


def test_a_stop_tells_what_was_read(server: BitbucketServer, tmp_path: Path) -> None:
    """The STATE of a stopped run holds the partitions that are out, and only those."""
    server.faults.add(Fault(r"web-portal/pullrequests\?", action="hang", seconds=30, times=None))
    process = Process(command(config(server, concurrency=1), tmp_path), tmp_path)
    process.wait_for(lambda: server.faults.served)
    time.sleep(0.3)
    stopped, took = process.stop(signal.SIGTERM)
    assert took < 2
    assert stopped.code == 143
    control, portal = (server.world.repository(name).uuid for name in TWO)
    assert stopped.bookmark("pull_requests", repository_uuid=control)["replication_key_value"]
    assert stopped.bookmark("pull_requests", repository_uuid=portal) == {}
    assert stopped.bookmark("commits", repository_uuid=portal)["heads"]
    assert "Summary" in stopped.log
    assert "pull_requests" not in stopped.activated


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_while_waiting_for_the_rate_limit(
    signum: int, server: BitbucketServer, tmp_path: Path
) -> None:
    """A wait of half an hour ends at once, with the rows and the STATE of what came before it."""
    server.faults.add(
        Fault(r"/pullrequests", status=429, headers={"Retry-After": "1800"}, times=None)
    )
    process = Process(command(config(server), tmp_path), tmp_path)
    process.wait_for(lambda: "Rate limit" in process.said())
    time.sleep(0.3)
    stopped, took = process.stop(signum)
    assert took < 2
    assert stopped.code == 128 + signum
    assert stopped.messages[-1]["type"] == "STATE"
    assert "repositories" in stopped.state["bookmarks"]


def test_a_stop_while_retries_wait(server: BitbucketServer, tmp_path: Path) -> None:
    """A wait between retries does not delay the end."""
    server.faults.add(Fault(r"/pullrequests", status=503, times=None))
    process = Process(command(config(server, max_retries=50), tmp_path), tmp_path)
    process.wait_for(lambda: server.faults.served)
    time.sleep(0.3)
    stopped, took = process.stop(signal.SIGTERM)
    assert took < 2
    assert stopped.code == 143


def large(tmp_path: Path, catalog: dict[str, Any], server: BitbucketServer) -> list[str]:
    """Return the command for a run that writes more than a pipe and the buffers hold."""

    def many(page: dict[str, Any]) -> dict[str, Any]:
        (row, *_) = page["values"] or [{}]
        return {**page, "values": [{**row, "name": f"{n}-{'x' * 500}"} for n in range(2000)]}

    server.faults.add(Fault("refs/branches", action="edit", edit=many, times=None))
    return command(config(server), tmp_path, catalog=select(catalog, "branches"))


def fill_pipe(process: subprocess.Popen[bytes], server: BitbucketServer) -> None:
    """Wait until the tap has read what it can and is stuck in writing."""
    last, since = -1, time.monotonic()
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        if len(server.requests) != last:
            last, since = len(server.requests), time.monotonic()
        if last > 2 and time.monotonic() - since > 0.7:
            return
        assert process.poll() is None
        time.sleep(0.02)


def test_a_target_that_does_not_read(
    server: BitbucketServer, tmp_path: Path, catalog: dict[str, Any]
) -> None:
    """A full pipe cannot hold the end back; the second signal ends the run at once."""
    line = large(tmp_path, catalog, server)
    for seconds in (2.6, 0.5):
        server.clear_requests()
        process = subprocess.Popen(
            line,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, **HERE},
        )
        try:
            fill_pipe(process, server)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            if seconds < 1:
                time.sleep(0.1)
                process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 143
            assert time.monotonic() - began < seconds
            assert process.stdout is not None
            for text in process.stdout.read().splitlines()[:-1]:
                json.loads(text)
        finally:
            process.kill()
            process.communicate()


def test_a_target_that_dies(
    server: BitbucketServer, tmp_path: Path, catalog: dict[str, Any]
) -> None:
    """A closed pipe ends the run with exit code 1 and one line; no more is asked of Bitbucket."""
    server.latency = 0.01
    process = subprocess.Popen(
        large(tmp_path, catalog, server),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, **HERE},
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    log = process.stderr.read().decode()
    process.stderr.close()
    run = Run(process.wait(20), [], log)
    assert "pipe" in refusal(run)
    assert "BrokenPipe" not in log
    assert "Exception ignored" not in log


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk(unbuffered: str, server: BitbucketServer, tmp_path: Path) -> None:
    """Output into a file on a full disk is exit code 1 and one clear line."""
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            command(config(server), tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            cwd=tmp_path,
            env={**os.environ, **HERE, "PYTHONUNBUFFERED": unbuffered},
        )
    assert "No space left" in refusal(Run(result.returncode, [], result.stderr))
    assert "Exception ignored" not in result.stderr


def test_unbuffered_output_is_whole(
    server: BitbucketServer, tmp_path: Path, catalog: dict[str, Any]
) -> None:
    """With PYTHONUNBUFFERED a slow reader and a signal leave whole lines only."""
    process = subprocess.Popen(
        large(tmp_path, catalog, server),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
        env={**os.environ, **HERE, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    fill_pipe(process, server)
    process.send_signal(signal.SIGINT)
    text = b""
    while chunk := os.read(process.stdout.fileno(), 20_000):
        text += chunk
    assert process.wait(20) == 130
    process.stdout.close()
    assert text.endswith(b"\n")
    messages = [json.loads(line) for line in text.splitlines()]
    assert messages[-1]["type"] in {"STATE", "RECORD"}


def test_a_signal_before_the_first_row(server: BitbucketServer, tmp_path: Path) -> None:
    """A stop in the first moments, before anything is read, is an end by signal, too."""
    server.latency = 5
    process = Process(command(config(server), tmp_path), tmp_path)
    process.wait_for(lambda: server.requests or "eginning sync" in process.said())
    stopped, took = process.stop(signal.SIGTERM)
    assert stopped.code == 143
    assert took < 2
    assert not stopped.counts


def test_a_list_cut_by_a_stop_is_not_complete() -> None:
    """A list whose reading was stopped ends with StopReading, never as if it were whole."""
    for workers in (1, 4):
        stopping = threading.Event()

        def cut(stopping: threading.Event = stopping) -> Iterator[Page]:
            yield Page([])
            time.sleep(0.05)
            stopping.set()
            yield Page([])

        work = cast("Any", SimpleNamespace(readings=lambda: iter([Reading(cut)])))
        ahead = ReadAhead(iter([Opening("s", None, work)]), workers, stopping)
        ahead.start()
        partition = ahead.open("s", None)
        with pytest.raises(StopReading):
            _ = [list(partition.pages(reading)) for reading in partition.readings()]
        ahead.close()
