"""What a person sees while a run goes on, and what a log has instead."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer, Fault, RateLimit, example_world
from tests.support import PROJECT, Run, api_token_config, command, run_tap, select
from tests.truth import ALL_STREAMS
from tests.watching import Watched, watch

SOME = ("workspaces", "repositories", "branches", "commits", "pull_requests", "pipelines")
SHOW_CURSOR, HIDE_CURSOR = b"\x1b[?25h", b"\x1b[?25l"
COLOUR = re.compile(rb"\x1b\[[0-9;]*[1-9][0-9;]*m")


@pytest.fixture
def server() -> Iterator[BitbucketServer]:
    """Serve the example world, slowly enough to be watched."""
    with BitbucketServer(example_world(), latency=0.2) as started:
        yield started


def look(
    server: BitbucketServer,
    folder: Path,
    catalog: dict[str, Any],
    *arguments: str,
    settings: dict[str, Any] | None = None,
    **how: Any,
) -> Watched:
    """Watch a run."""
    config = api_token_config(server, concurrency=2, **(settings or {}))
    return watch(command(config, folder, catalog=catalog, arguments=arguments), folder, **how)


def rows_of(watched: Watched) -> dict[str, int]:
    """Count the rows that a run wrote."""
    found: dict[str, int] = {}
    for line in watched.out.splitlines():
        message = json.loads(line)
        if message["type"] == "RECORD":
            found[message["stream"]] = found.get(message["stream"], 0) + 1
    return found


def shown_rows(lines: list[str]) -> dict[str, int]:
    """Read the rows per stream from a screen."""
    cells = [line.split() for line in lines]
    return {
        one[0]: int(one[1].replace(",", ""))
        for one in cells
        if len(one) == 4 and one[1].replace(",", "").isdigit()
    }


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (60, 10), (200, 50)])
def test_a_table_keeps_up_with_the_run(
    server: BitbucketServer, tmp_path: Path, catalog: dict[str, Any], columns: int, lines: int
) -> None:
    """It grows while rows come, says where the run is, and one table of all streams remains."""
    watched = look(server, tmp_path, select(catalog, *SOME), columns=columns, lines=lines)
    assert watched.code == 0
    counts = rows_of(watched)
    assert counts.keys() == set(SOME)
    assert shown_rows(watched.screen) == counts
    assert watched.text.count("stream ") == 1
    assert re.search(r"\d+ requests, 0 retries", watched.text)
    during = [frame for frame in watched.frames if "Repository" in "\n".join(frame)]
    texts = ["\n".join(frame) for frame in during]
    assert any(re.search(r"Repository \d of 7: ", text) for text in texts)
    shown = [shown_rows(frame) for frame in during]
    for stream in SOME:  # of which not all may have room
        rows = [frame[stream] for frame in shown if stream in frame]
        assert rows == sorted(rows)
    totals = [
        int(n.replace(",", "")) for text in texts for n in re.findall(r"([\d,]+) rows, ", text)
    ]
    assert totals == sorted(totals)
    assert len(set(totals)) > 2
    assert "METRIC" not in str(watched.sent)
    assert "Repository" not in watched.text
    assert watched.sent.rindex(SHOW_CURSOR) > watched.sent.rindex(HIDE_CURSOR)


def test_more_streams_than_lines(
    server: BitbucketServer, tmp_path: Path, catalog: dict[str, Any]
) -> None:
    """Of many streams those are shown that moved last; at the end all are."""
    catalog = select(catalog, *ALL_STREAMS)
    watched = look(server, tmp_path, catalog, settings={"max_requests": 250}, lines=15)
    assert watched.code == 0
    assert any(re.search(r"and \d+ streams more", "\n".join(frame)) for frame in watched.frames)
    shown = shown_rows(watched.screen)
    assert {name: count for name, count in shown.items() if count} == rows_of(watched)
    assert "Stopped: max_requests (250) reached" in watched.text
    for frame in watched.frames:
        assert "METRIC" not in "\n".join(frame)


def test_the_rest_of_the_way_and_of_the_limit(
    server: BitbucketServer, tmp_path: Path, catalog: dict[str, Any]
) -> None:
    """It says how many requests are left and how long it may take."""
    server.rate_limit = RateLimit(headers="remaining")
    watched = look(server, tmp_path, select(catalog, *SOME), columns=120)
    texts = ["\n".join(frame) for frame in watched.frames]
    assert any(re.search(r"about \d+ minutes? to go", text) for text in texts)
    left = [int(n) for text in texts for n in re.findall(r" (\d+) left this hour", text)]
    assert left
    assert left == sorted(left, reverse=True)


def test_colours_off(server: BitbucketServer, tmp_path: Path, catalog: dict[str, Any]) -> None:
    """NO_COLOR is heard; without it there are colours."""
    catalog = select(catalog, "workspaces", "repositories")
    plain = look(server, tmp_path, catalog, environment={"NO_COLOR": "1"})
    coloured = look(server, tmp_path, catalog)
    assert re.search(rb"\x1b\[[0-9;]*3[0-9]", plain.sent) is None
    assert COLOUR.search(coloured.sent)
    assert shown_rows(plain.screen) == shown_rows(coloured.screen) == rows_of(plain)


def test_what_is_skipped_stands_above_the_table_and_below_it(
    server: BitbucketServer, tmp_path: Path, catalog: dict[str, Any]
) -> None:
    """A warning is seen when it comes, and the reason once more at the end."""
    server.faults.add(Fault("/web-portal/commits", status=403, times=None))
    watched = look(server, tmp_path, select(catalog, *SOME), columns=200)
    assert watched.code == 0
    warned = watched.text.index("WARNING")
    table = watched.text.index("stream ")
    assert warned < table < watched.text.index("skipped: commits of ")


@pytest.mark.parametrize("times", [1, 2])
def test_the_terminal_is_left_as_it_was(
    server: BitbucketServer, tmp_path: Path, catalog: dict[str, Any], times: int
) -> None:
    """Ctrl-C, once or twice: the cursor is there again."""

    def interrupt(run: subprocess.Popen[bytes]) -> None:
        for _ in range(times):
            run.send_signal(signal.SIGINT)
            time.sleep(0.01)

    watched = look(server, tmp_path, select(catalog, *SOME), once_shown=interrupt)
    assert watched.code == 130
    assert HIDE_CURSOR in watched.sent
    assert watched.sent.rindex(SHOW_CURSOR) > watched.sent.rindex(HIDE_CURSOR)


def test_a_signal_while_the_process_ends(tmp_path: Path) -> None:
    """It is too late to stop anything: the exit code stays."""
    ending = (
        "import atexit, os, signal, sys; from tap_bitbucket import cli;"
        "atexit.register(os.kill, os.getpid(), signal.SIGINT);"
        "sys.argv = ['tap-bitbucket', '--config', 'missing.json']; cli.main()"
    )
    line = [sys.executable, "-c", ending]
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    run = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, env=env, check=False)
    assert run.returncode not in {0, -signal.SIGINT}
    assert "KeyboardInterrupt" not in run.stderr


def plain(
    server: BitbucketServer, folder: Path, catalog: dict[str, Any], *arguments: str, **env: str
) -> Run:
    """Run with stderr in a pipe."""
    config = api_token_config(server)
    return run_tap(config, folder, catalog=catalog, arguments=arguments, environment=env)


def test_lines_where_nobody_watches(
    server: BitbucketServer, tmp_path: Path, catalog: dict[str, Any]
) -> None:
    """Each stream is begun and ended in one line, with its rows; at the end there is one table."""
    run = plain(server, tmp_path, select(catalog, *SOME))
    begun = re.findall(r"Beginning sync of '(\w+)'", run.log)
    ended = re.findall(r"Ended sync of '(\w+)', rows: (\d+)", run.log)
    assert begun == list(SOME)
    assert {name: int(rows) for name, rows in ended} == dict(run.counts)
    assert len(ended) == len(SOME)
    assert run.log.count("Summary") == 1
    assert "\x1b" not in run.log


def test_quiet(server: BitbucketServer, tmp_path: Path, catalog: dict[str, Any]) -> None:
    """Nothing is said of what is usual, on a terminal or in a pipe; warnings are."""
    catalog = select(catalog, *SOME)
    assert plain(server, tmp_path, catalog, "--quiet").log == ""
    watched = look(server, tmp_path, catalog, "--quiet")
    assert watched.sent == b""
    assert rows_of(watched).keys() == set(SOME)
    server.faults.add(Fault("/web-portal/commits", status=403, times=None))
    log = plain(server, tmp_path, catalog, "--quiet").log
    assert [line.split(" | ")[1].strip() for line in log.splitlines()] == ["WARNING"]
    assert "Skipped commits of" in log


def test_a_log_that_somebody_configured(
    server: BitbucketServer, tmp_path: Path, catalog: dict[str, Any]
) -> None:
    """The structured log of the SDK has one object a line, on a terminal, too."""
    config = tmp_path / "logging.yaml"
    config.write_text(
        "version: 1\ndisable_existing_loggers: false\n"
        "formatters: {json: {(): singer_sdk.logging.StructuredFormatter}}\n"
        "handlers: {all: {class: logging.StreamHandler, formatter: json}}\n"
        "root: {level: INFO, handlers: [all]}\n"
    )
    env = {"SINGER_SDK_LOG_CONFIG": str(config)}
    run = plain(server, tmp_path, select(catalog, *SOME), **env)
    watched = look(server, tmp_path, select(catalog, *SOME), environment=env)
    for log in (run.log, watched.sent.decode()):
        told = [json.loads(line) for line in log.splitlines()]
        metrics = {(one.get("metric_info") or {}).get("metric") for one in told}
        assert {"record_count", "sync_duration"} <= metrics, told[:3]
        assert sum("Ended sync of" in one["message"] for one in told) == len(SOME)
