"""A target that is slow, dies or has no room: a clear end, and no STATE speaks for lost rows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import IO, Any

import pytest

from tests.forking import Forked
from tests.stages import NIGHTLY, differences
from tests.support import api_token_config, command
from tests.test_kills import Confirmed, clean, ended, moving_world

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks, and has named pipes")

TIMES = 3 * max(1, NIGHTLY)


@pytest.fixture(scope="module")
def world(catalog: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Confirmed]:
    """Serve a world of which a run writes more than a pipe holds."""
    with moving_world(catalog, tmp_path_factory.mktemp("runs")) as made:
        made.story.world.push(made.story.api, "main", 250)
        made.story.clock.later(hours=1)
        yield made


@pytest.fixture
def chain(world: Confirmed) -> Confirmed:
    """Begin with nothing."""
    world.state = None
    world.story.target.clear()
    world.story.server.latency = 0.003
    return world


def start(chain: Confirmed, **options: Any) -> Forked:
    """Start a run from the last confirmed STATE."""
    config = api_token_config(chain.story.server, **chain.story.settings)
    return chain.host.start(config, state=chain.state, catalog=chain.story.catalog, **options)


def told(run: Forked) -> str:
    """Return the one line in which a run says why it failed."""
    (code,) = ended([run])
    assert code == 1, run.said()
    assert not re.search("Traceback|Exception ignored|BrokenPipe|Logging error", run.said())
    errors = [line for line in run.said().splitlines() if "| ERROR" in line or "CRITICAL" in line]
    assert len(errors) == 1, run.said()
    return errors[0]


def whole(chain: Confirmed) -> list[str]:
    """Return what is wrong after the next run."""
    clean(chain)
    return differences(chain.story)


@pytest.mark.parametrize("seed", range(TIMES))
def test_a_target_that_dies(chain: Confirmed, tmp_path: Path, seed: int) -> None:
    """A pipe that closes at any byte ends the run, and what was not read is read by the next."""
    random = Random(seed)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    run = start(chain, out=pipe)
    length = random.randint(1, 250_000)
    got = bytearray()
    with pipe.open("rb", buffering=0) as reading:
        while len(got) < length and (part := reading.read(min(4096, length - len(got)))):
            got += part
    assert len(got) == length
    assert "pipe" in told(run)
    run.out = tmp_path / "got"
    run.out.write_bytes(got)
    chain.take(run, rest=random.random() < 0.5)
    assert whole(chain) == [], seed


@pytest.mark.parametrize("seed", range(TIMES))
def test_a_disk_that_fills_up(chain: Confirmed, seed: int) -> None:
    """A file that has no room for more ends the run; its whole lines are good to go on from."""
    room = Random(seed).randint(1000, 250_000)
    run = start(chain, file_limit=room)
    assert "Writing to stdout failed: File too large" in told(run)
    assert run.out.stat().st_size == room
    chain.take(run, rest=True)
    assert whole(chain) == [], seed


def test_a_target_that_stalls(chain: Confirmed, tmp_path: Path) -> None:
    """A reader that stands still for a while, again and again, gets everything in the end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    chain.story.server.latency = 0.0
    run = start(chain, out=pipe)
    got = bytearray()
    with pipe.open("rb", buffering=0) as reading:
        while part := reading.read(65536):
            got += part
            time.sleep(0.1)
    run.out = tmp_path / "got"
    run.out.write_bytes(got)
    assert ended([run]) == [0], run.said()
    chain.take(run, rest=False)
    assert differences(chain.story) == []


def test_nobody_listens(chain: Confirmed, tmp_path: Path) -> None:
    """With stdout and stderr closed by the same reader the exit code still tells."""
    config = api_token_config(chain.story.server, **chain.story.settings)
    process = subprocess.Popen(
        command(config, tmp_path, catalog=chain.story.catalog),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) not in {0, 120}


def printed(out: IO[bytes], tmp_path: Path, argument: str) -> subprocess.CompletedProcess[str]:
    """Print something that is no sync."""
    return subprocess.run(
        command(None, tmp_path, arguments=[argument]),
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[1],
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("argument", ["--discover", "--help"])
def test_what_is_printed_has_no_room(argument: str, tmp_path: Path) -> None:
    """A catalog or a help text that cannot be written is a failure in one line."""
    with Path("/dev/full").open("wb") as full:
        result = printed(full, tmp_path, argument)
    assert result.returncode == 1, result.stderr
    assert not re.search("Traceback|Exception ignored", result.stderr)
    assert "No space left" in result.stderr
