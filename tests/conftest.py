"""Fixtures of all tests."""

from __future__ import annotations

import gc
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer, example_world
from tap_bitbucket.demo.postgres import embedded_postgres
from tap_bitbucket.tap import TapBitbucket
from tests.support import run_tap


@pytest.fixture(autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a run tells other runs out of the user's own folders."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture(autouse=True)
def config_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the files that a command read which a test ran in this process."""
    monkeypatch.setattr(TapBitbucket, "config_files", ())


@pytest.fixture
def server() -> Iterator[BitbucketServer]:
    """Serve the example world, fresh for each test."""
    with BitbucketServer(example_world()) as server:
        yield server


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Give a folder, one for all tests of a module, that PostgreSQL's own user may enter.

    Not one of pytest's: each pytest of the same user closes those to others, and PostgreSQL runs
    as somebody else when the tests run as root.
    """
    with tempfile.TemporaryDirectory(prefix="tap-bitbucket-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def postgres(folder: Path) -> Iterator[str]:
    """Serve a PostgreSQL, one for all tests of a module: its URI."""
    with embedded_postgres(folder / "postgres") as uri:
        yield uri


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the catalog that discovery prints."""
    run_folder: Path = tmp_path_factory.mktemp("discovery")
    run = run_tap(None, run_folder, arguments=["--discover"])
    assert run.code == 0, run.log
    catalog: dict[str, Any] = json.loads("\n".join(run.lines))
    return catalog


LONGEST = (
    "airflow/test_dags", "test_comment_feed", "test_model", "test_meltano_stranger", "test_chains",
    "test_fault_injection", "test_release", "test_progress", "test_fuzzed", "test_time",
    "test_soak", "test_ci_examples", "test_targets", "security/test_traces", "test_kills",
    "test_chain", "test_pipeline", "test_analysis", "test_commit", "auth/test_many_processes",
)  # fmt: skip
"""The files that take longest."""


def pytest_collection_finish() -> None:
    """Let the collector look less often: else it takes a third of all time."""
    gc.set_threshold(50_000, 20, 50)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that all processes end at about the same time."""
    places = {name: number for number, name in enumerate(LONGEST)}

    def place(item: pytest.Item) -> int:
        file = item.path.as_posix()
        return min((at for name, at in places.items() if f"/{name}" in file), default=len(places))

    items.sort(key=place)
