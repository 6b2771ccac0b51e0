"""The files of examples/ci, step by step, as the services run them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, example_world
from tap_bitbucket.demo.faults import Fault
from tap_bitbucket.demo.postgres import embedded_postgres
from tests.jobs import FOLDER, Actions, Pipelines, Place, pipelines_step, read
from tests.support import api_token_config, run_here

SCHEMAS = {
    "github-actions.yml": "vendor.github-workflows",
    "bitbucket-pipelines.yml": "vendor.bitbucket-pipelines",
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_file_obeys_the_schema_of_its_service(name: str) -> None:
    """What the service's published schema does not know is not in the file."""
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[name]]
    result = subprocess.run(
        [*check, FOLDER / name], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_only_one_run_at_a_time() -> None:
    """Both services are told to let a second run wait, and to end one that hangs."""
    actions = read("github-actions.yml")
    assert actions["concurrency"]["group"]
    assert actions["concurrency"]["cancel-in-progress"] is False
    assert actions["jobs"]["sync"]["timeout-minutes"] > minutes(actions["jobs"]["sync"]["env"])
    step = pipelines_step()
    assert step["concurrency-group"]
    said = dict(re.findall(r"(TAP_\w+)=(\d+)", "\n".join(step["script"])))
    assert step["max-time"] > minutes(said)


def minutes(settings: Mapping[str, str]) -> float:
    """Return how long the tap goes on before it stops by itself."""
    return int(settings["TAP_BITBUCKET_MAX_DURATION"]) / 60


def test_no_file_asks_for_a_token_that_is_replaced_at_use() -> None:
    """A refresh token does not outlive a machine that is thrown away."""
    for name in SCHEMAS:
        assert "refresh" not in (FOLDER / name).read_text(encoding="utf-8").lower()


@contextmanager
def locked_out(server: BitbucketServer) -> Iterator[None]:
    """Take the token's access away when much of the work is done."""
    server.faults.add(Fault("GET .*/web-portal/pipelines.*", status=401, times=None))
    try:
        yield
    finally:
        server.faults.clear()


@pytest.fixture
def place() -> Iterator[Place]:
    """Give a place with the example world and an empty database."""
    with (
        tempfile.TemporaryDirectory(prefix="tap-bitbucket-") as name,
        BitbucketServer(example_world()) as server,
        embedded_postgres(Path(name) / "postgres") as uri,
    ):
        yield Place(Path(name), server, uri)


# -- GitHub Actions -------------------------------------------------------------------------------


def test_actions_go_on_from_the_state_of_a_run_that_failed(place: Place) -> None:
    """A failed tap fails the job; its state and its rows are kept, and the next run needs less."""
    run_here(api_token_config(place.server))
    whole = len(place.server.requests)
    actions = Actions(place)
    with locked_out(place.server):
        code, printed = actions.run()
    assert code == 1, printed
    known = json.loads((actions.cache / "state.json").read_text(encoding="utf-8"))
    assert known["bookmarks"]

    code, printed = actions.run()
    assert code == 0, printed
    assert len(place.server.requests) < whole
    for table in ("pull_requests", "pipelines", "commits"):
        assert place.count(table) == len(place.server.world.truth(table))

    before = (actions.cache / "state.json").read_bytes()
    actions.secrets["BITBUCKET_ACCESS_TOKEN"] = "not-good-any-more"
    code, printed = actions.run()
    assert code == 1
    assert "not-good-any-more" not in printed
    assert (actions.cache / "state.json").read_bytes() == before


def test_nobody_else_on_the_machine_reads_the_state(place: Place) -> None:
    """The script leaves a state file, in a folder, that are this user's alone."""
    folder = place.machine(FOLDER / "sync.sh")
    settings = {"TAP_BITBUCKET_ACCESS_TOKEN": place.token, "STATE_FILE": "kept/here/state.json"}
    settings["TAP_BITBUCKET_WORKSPACES"] = json.dumps([EXAMPLE_WORKSPACE])
    settings["TAP_BITBUCKET_REPOSITORIES"] = json.dumps(["*/web-portal"])
    # A target that was killed as it wrote: its last line has no end.
    script = './sync.sh sh -c \'echo "{\\"whole\\": 1}"; printf "{\\"whole\\": "; cat > rows\''
    with place.start(script, ["bash"], settings, folder) as process:
        printed = process.communicate(timeout=120)[0]
    assert process.returncode == 0, printed
    file = folder / "kept" / "here" / "state.json"
    assert file.read_text(encoding="utf-8") == '{"whole": 1}\n'
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert (folder / "rows").stat().st_size > 0


# -- Bitbucket Pipelines --------------------------------------------------------------------------


def test_pipelines_keep_state_and_lock_in_the_database(place: Place) -> None:
    """A second run beside the first is refused; a later one, elsewhere, reads what changed."""
    pipelines, server = Pipelines(place), place.server
    under_way, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        under_way.set()
        assert go_on.wait(120)

    server.faults.add(Fault("GET .*/web-portal/pipelines.*", action="callback", callback=wait))
    with pipelines.start() as first:
        try:
            assert under_way.wait(120)
            code, printed = pipelines.run()
            assert code == 1
            assert "already running" in printed
        finally:
            go_on.set()
        printed = first.communicate(timeout=120)[0]
    assert first.returncode == 0, printed
    for table in ("pull_requests", "pipelines"):
        assert place.count(table) == len(server.world.truth(table))

    code, printed = pipelines.run()
    assert code == 0, printed
    assert not [one.path for one in server.requests if one.path.endswith("/activity")]
