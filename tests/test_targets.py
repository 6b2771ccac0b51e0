"""The same messages into other targets than target-postgres: what they hold is what there is."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, example_world
from tests.support import Row, Run, api_token_config, lines_of, run_here, select_all
from tests.truth import KEYS, Key, truth

JSONL, CSV = "target-jsonl==0.1.4", "meltanolabs-target-csv==0.5.0"
GONE = "sandbox"
"""The repository that is deleted between the two runs."""


@dataclass
class Runs:
    """A run with all streams and all properties, what there was, and a run after some changes."""

    first: Run
    there: dict[str, set[Key]]
    second: Run
    rest: dict[str, set[Key]]


@pytest.fixture(scope="module")
def runs(catalog: dict[str, Any]) -> Runs:
    """Read the example world, change it, and read what changed."""
    everything = select_all(catalog)
    with BitbucketServer(example_world()) as server:
        world = server.world
        first = run_here(api_token_config(server), catalog=everything)
        there = {stream: set(truth(world, stream)) for stream in KEYS}
        portal = world.repository(f"{EXAMPLE_WORKSPACE}/web-portal")
        assert portal.mainbranch is not None
        world.push(portal, portal.mainbranch, messages=["Only just pushed"])
        world.delete_repository(f"{EXAMPLE_WORKSPACE}/{GONE}")
        second = run_here(
            api_token_config(server, reconcile_every=0), state=first.state, catalog=everything
        )
        assert first.code == second.code == 0, first.log + second.log
        rest = {stream: set(truth(world, stream)) for stream in KEYS}
    return Runs(first, there, second, rest)


@pytest.fixture(scope="module")
def commands() -> Iterator[dict[str, Path]]:
    """Install the targets, each in an environment of its own, and give their commands."""
    with tempfile.TemporaryDirectory(prefix="targets-") as name:
        found: dict[str, Path] = {}
        uv = [sys.executable, "-m", "uv", "--quiet"]  # it comes with Meltano
        for package, command in ((JSONL, "target-jsonl"), (CSV, "target-csv")):
            venv = Path(name) / command
            subprocess.run([*uv, "venv", "--python", sys.executable, venv], check=True)
            python = venv / "bin" / "python"
            subprocess.run([*uv, "pip", "install", "--python", python, package], check=True)
            found[package] = venv / "bin" / command
        yield found


def load(command: Path, folder: Path, run: Run, **settings: Any) -> str:
    """Load a run; return what the target wrote to its output: the states."""
    config = folder / "target.json"
    config.write_text(json.dumps(settings), encoding="utf-8")
    result = subprocess.run(
        [command, "--config", config],
        input="".join(f"{line}\n" for line in run.lines),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def states_end_with(output: str, run: Run) -> bool:
    """Whether the last state that a target handed on is the run's."""
    return bool(json.loads(lines_of(output)[-1]) == run.state)


def rows_of(run: Run) -> dict[str, list[Row]]:
    """Return the rows that a run wrote, by stream."""
    return {stream: run.rows(stream) for stream in run.counts}


def in_jsonl(folder: Path) -> dict[str, list[Row]]:
    """Return the rows in the files of target-jsonl."""
    return {
        file.stem: [json.loads(line) for line in lines_of(file.read_text(encoding="utf-8"))]
        for file in folder.glob("*.jsonl")
    }


def test_jsonl_holds_every_row_as_it_was_written(
    runs: Runs, commands: dict[str, Path], tmp_path: Path
) -> None:
    """target-jsonl: each row of each stream, nested values, nulls and all; later runs are added."""
    settings = {"destination_path": str(tmp_path), "do_timestamp_file": False}
    output = load(commands[JSONL], tmp_path, runs.first, **settings)
    assert states_end_with(output, runs.first)
    held = in_jsonl(tmp_path)
    assert held == rows_of(runs.first)
    assert {
        stream: {tuple(row[name] for name in KEYS[stream]) for row in rows}
        for stream, rows in held.items()
    } == {stream: keys for stream, keys in runs.there.items() if keys}

    load(commands[JSONL], tmp_path, runs.second, **settings)
    added = rows_of(runs.second)
    assert in_jsonl(tmp_path) == {
        stream: [*rows, *added.get(stream, [])] for stream, rows in held.items()
    }


def test_csv_holds_every_row(runs: Runs, commands: dict[str, Path], tmp_path: Path) -> None:
    """meltanolabs-target-csv: each row by its key; with a file per run the rows of all runs."""
    folder = tmp_path / "out"
    folder.mkdir()
    # Without a name per run a later run replaces the files by its own few rows.
    name = "{stream_name}-{timestamp}.csv"
    settings = {"output_path": str(folder), "file_naming_scheme": name}
    output = load(commands[CSV], tmp_path, runs.first, **settings)
    assert states_end_with(output, runs.first)
    held = in_csv(folder)
    assert {stream: keys_in_csv(stream, rows) for stream, rows in held.items()} == {
        stream: {tuple(str(value) for value in key) for key in keys}
        for stream, keys in runs.there.items()
        if keys
    }
    assert {stream: len(rows) for stream, rows in held.items()} == dict(runs.first.counts)
    columns = runs.first.schemas["pull_requests"]["schema"]["properties"]
    assert held["pull_requests"][0].keys() == columns.keys()

    load(commands[CSV], tmp_path, runs.second, **settings)
    later = in_csv(folder)
    assert {stream: len(rows) for stream, rows in later.items()} == dict(
        runs.first.counts + runs.second.counts
    )
    assert all(
        keys_in_csv(stream, later.get(stream, []))
        >= {tuple(str(value) for value in key) for key in keys}
        for stream, keys in runs.rest.items()
    )


def in_csv(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Return the rows in the files of target-csv, those of all runs together."""
    csv.field_size_limit(2**24)
    found: dict[str, list[dict[str, str]]] = {}
    for file in sorted(folder.glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as text:
            found.setdefault(file.stem.partition("-")[0], []).extend(csv.DictReader(text))
    return found


def keys_in_csv(stream: str, rows: list[dict[str, str]]) -> set[tuple[str, ...]]:
    """Return the keys of rows; the target writes times in a form of its own."""
    return {
        tuple(_as_sent(row[name]) if name == "occurred_on" else row[name] for name in KEYS[stream])
        for row in rows
    }


def _as_sent(time: str) -> str:
    """Return a time in the form of the API."""
    return datetime.fromisoformat(time).isoformat(timespec="microseconds")


def test_a_deleted_repository_is_announced(runs: Runs) -> None:
    """What a target without ACTIVATE_VERSION keeps is what the messages tell others to delete."""
    there = {key for key in runs.there["repositories"] if key not in runs.rest["repositories"]}
    assert len(there) == 1
    assert "repositories" in runs.second.activated
