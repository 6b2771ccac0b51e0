"""Secrets leave no trace: in messages, in tracebacks, in the list of processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.checks import problems, unknown
from tap_bitbucket.demo import BitbucketServer
from tap_bitbucket.settings import SETTINGS
from tests.catalogs import only
from tests.login.support import free_port
from tests.security.conftest import STREAMS, Bitbucket
from tests.support import PROJECT, command, refusal, run_tap
from tests.test_meltano_auth import MeltanoProject

TAP = [sys.executable, "-m", "tap_bitbucket"]

# Of the lengths and letters that Bitbucket's have; none is one.
TOKENS = {
    "API token": "ATATT3xFfGF0" + "Zk9-_Qw7" * 22 + "=0A1B2C3D",
    "access token": "ATCTT3xFfGN0" + "Zk9-_Qw7" * 22 + "=0A1B2C3D",
    "OAuth access token": "Zk9Qw7xV_0Lm-" * 6 + "==",
    "JSON web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ0YXAifQ.c2lnbmF0dXJlMDEyMw",
    "client secret": "kQ7sXw2Lz9TnB4vRmE6yHc3JpD8fGa5U",
}

# How a token can get into another setting: {} is where it is.
MISPLACED = [
    {"workspaces": "{}"},
    {"workspaces": ["acme", "{}="]},
    {"workspaces": {"acme": "{}"}},
    {"repositories": ["{}"]},
    {"exclude_repositories": "{}"},
    {"projects": "{}"},
    {"start_date": "{}"},
    {"concurrency": "{}"},
    {"max_retries": "Bearer {}"},
    {"on_rate_limit": "{}"},
    {"oauth_grant": "{}"},
    {"layout": "{}"},
    {"shard": "{}"},
    {"lookback": "{}"},
    {"lookback": {"{}": "x"}},
    {"user_agent": "tap\n{}"},
    {"api_url": "{}"},
    {"api_url": "https://{}@api.bitbucket.org/2.0"},
    {"api_url": "https://me:{}@api.bitbucket.org/2.0"},
    {"api_url": "https://api.bitbucket.org/2.0?access_token={}"},
    {"oauth_token_url": "{}"},
    {"credentials": "{}"},
    {"credentials": ["{}"]},
    {"credentials": [{"{}": "x"}]},
    {"credentials": [{"api_token": ["{}"]}]},
    {"api_token": {"value": "{}"}},
    {"token_store": ["{}"]},
]


def with_token(value: Any, token: str) -> Any:
    """Put a token into a setting."""
    return json.loads(json.dumps(value).replace("{}", token))


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
@pytest.mark.parametrize("misplaced", MISPLACED, ids=json.dumps)
def test_a_token_in_another_setting(misplaced: dict[str, Any], token: str) -> None:
    """What is wrong is said by the setting's name, with not more than a few letters of it."""
    said = problems(with_token(misplaced, token), SETTINGS)
    assert said
    assert next(iter(misplaced)) in said[0]
    assert token[4:16] not in " ".join(said)


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
def test_a_token_for_the_name_of_a_setting(token: str) -> None:
    """Nor is it repeated as the name of a setting that does not exist."""
    (said,) = unknown({token: "api_token"}, SETTINGS)
    assert "There is no setting" in said
    assert token[4:16] not in said


@pytest.mark.parametrize("name", ["API_URL", "CONCURRENCY"])
def test_a_token_in_another_variable(bitbucket: Bitbucket, tmp_path: Path, name: str) -> None:
    """Nor is it in the line about a variable of the environment, by a run or by `auth status`."""
    token = TOKENS["API token"]
    environment = {f"TAP_BITBUCKET_{name}": token, "TAP_BITBUCKET_API_TOKEN": token}
    arguments = ["--config=ENV"] if name == "API_URL" else ["auth", "status"]
    run = run_tap(None, tmp_path, arguments=arguments, environment=environment)
    said = refusal(run)
    assert name.lower() in said.lower()
    assert token[4:16] not in run.log + "".join(run.lines)
    assert bitbucket.server.requests == []


# -- tracebacks -----------------------------------------------------------------------------------

BROKEN = [  # one after the other: the first ones leave no token for the next
    "tap_bitbucket.auth.token_file.encrypted",  # with tokens to be kept
    "tap_bitbucket.auth.token_endpoint.answer",  # with new tokens just come
    "urllib3.connection.HTTPConnection.putheader",  # with the header in hand
    "tap_bitbucket.http.transport.receive",  # in a worker, with the answer to a signed request
]

CRASH = """
import os, sys
from importlib import import_module
from tap_bitbucket import cli
folder, *places = sys.argv.pop(1).split("+")
def broken(*args, **more):
    raise RuntimeError("broken on purpose")
for number, place in enumerate(places):
    if os.fork() == 0:
        home, _, name = place.rpartition(".")
        outer, _, kind = home.rpartition(".")
        home = getattr(import_module(outer), kind) if kind[:1].isupper() else import_module(home)
        setattr(home, name, broken)
        for stream in (1, 2):
            file = os.open(f"{folder}/{number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(file, stream)
        cli.main()
    else:
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 1, place
"""


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_crash_inside(bitbucket: Bitbucket, catalog: dict[str, Any], tmp_path: Path) -> None:
    """Wherever the tap or a library breaks, the traceback shows what was called, not with what."""
    inputs, said = tmp_path / "inputs", tmp_path / "said"
    inputs.mkdir()
    said.mkdir()
    few = only(catalog, *STREAMS)
    _, _, _, *arguments = command(bitbucket.settings(max_retries=0), inputs, catalog=few)
    ended = subprocess.run(
        [sys.executable, "-c", CRASH, "+".join([str(said), *BROKEN]), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "LOGLEVEL": "DEBUG"},
    )
    assert ended.returncode == 0, ended.stderr
    texts = [file.read_text() for file in sorted(said.iterdir())]
    assert len(texts) == len(BROKEN)
    for text in texts:
        assert "Traceback" in text
        assert "broken on purpose" in text
    assert bitbucket.found_in(*texts) == []


# -- the list of processes ------------------------------------------------------------------------


def _text(file: Path) -> str:
    return file.read_bytes().decode(errors="replace")


def lines_of(pid: int) -> Iterator[tuple[str, str]]:
    """Yield command line and environment of all that a process has started."""
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in listed.read_text().split():
            about = Path("/proc") / child
            yield _text(about / "cmdline"), _text(about / "environ")
            yield from lines_of(int(child))


@contextmanager
def watched(pid: int) -> Iterator[set[tuple[str, str]]]:
    """Watch what a process starts; it must have ended at the end."""
    seen: set[tuple[str, str]] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.04):
            with suppress(OSError):  # it ended meanwhile
                seen.update(lines_of(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


linux = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")


@linux
def test_a_browser_inherits_no_secret(bitbucket: Bitbucket, tmp_path: Path) -> None:
    """The browser that a sign-in opens is given the address, and nothing of the settings."""
    script = tmp_path / "browser.sh"
    script.write_text("#!/bin/sh\nsleep 3\n")
    script.chmod(0o700)
    keys, port = bitbucket.keys, free_port()
    process = subprocess.Popen(
        [*TAP, "auth", "login", "--timeout", "3", "--callback-url", f"http://localhost:{port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(PROJECT),
            "BROWSER": str(script),
            "TAP_BITBUCKET_CLIENT_ID": keys.client_id,
            "TAP_BITBUCKET_CLIENT_SECRET": keys.client_secret,
            "TAP_BITBUCKET_OAUTH_AUTHORIZE_URL": bitbucket.server.oauth_authorize_url,
        },
    )
    with watched(process.pid) as seen:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert any(str(script) in line for line, _ in seen)
    assert bitbucket.found_in(out, err, *(text for one in seen for text in one)) == []


@linux
def test_meltano_shows_no_secret(server: BitbucketServer, tmp_path: Path) -> None:
    """What `meltano invoke tap-bitbucket:status` starts has no secret on a command line."""
    project = MeltanoProject(tmp_path, server)
    keys = server.world.credentials
    assert keys is not None
    process = project.start("status")
    with watched(process.pid) as seen:
        process.communicate(timeout=120)
    assert any("tap_bitbucket" in line for line, _ in seen)
    assert any(keys.client_secret in environment for _, environment in seen)
    secrets = [keys.client_secret, keys.refresh_token, keys.api_token, keys.access_token]
    assert not [one for one in secrets for line, _ in seen if one in line]
