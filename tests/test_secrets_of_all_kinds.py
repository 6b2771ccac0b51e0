"""No secret of any kind of credential is shown, at DEBUG, when it fails, and by any command."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, Fault
from tests.support import PROJECT, Run, api_token_config, run_tap

ONE = f"{EXAMPLE_WORKSPACE}/infrastructure"
DEBUG = {"LOGLEVEL": "DEBUG", "TAP_BITBUCKET_LOGLEVEL": "DEBUG"}
PLANTED = "planted-secret-of-"


@pytest.fixture
def settings(server: BitbucketServer, tmp_path: Path) -> dict[str, Any]:
    """Settings of several credentials of all kinds, one of each good and one refused."""
    keys = server.world.credentials
    assert keys is not None
    shared = api_token_config(server, repositories=[ONE], max_retries=3)
    del shared["email"], shared["api_token"]
    oauth = {"client_id": keys.client_id, "client_secret": keys.client_secret}
    return shared | {
        "token_file": str(tmp_path / "token.json"),
        "token_encryption_key": Fernet.generate_key().decode(),
        "credentials": [
            {"name": "person", **oauth, "refresh_token": keys.refresh_token},
            {"name": "robot", **oauth, "oauth_grant": "client_credentials"},
            {"name": "token", "access_token": keys.access_token},
            {"name": "api", "email": keys.email, "api_token": keys.api_token},
            {"name": "wrong api", "email": "x@y.z", "api_token": f"{PLANTED}api"},
            {"name": "wrong token", "access_token": f"{PLANTED}token"},
            {
                "name": "dead",
                "client_id": "nobody",
                "client_secret": f"{PLANTED}client",
                "refresh_token": f"{PLANTED}refresh",
            },
        ],
    }


def secrets_of(settings: dict[str, Any], server: BitbucketServer) -> Iterator[str]:
    """Yield all that must not be seen, in all forms in which it goes over the wire."""
    oauth = server.world.oauth
    yield settings["token_encryption_key"]
    yield from (*oauth.access_tokens, *oauth.refresh_tokens)
    for one in settings["credentials"]:
        pair = f"{one.get('email', one.get('client_id'))}:"
        for name in ("client_secret", "refresh_token", "access_token", "api_token"):
            if name in one:
                yield one[name]
                yield base64.b64encode(f"{pair}{one[name]}".encode()).decode()


def assert_unseen(settings: dict[str, Any], server: BitbucketServer, text: str) -> None:
    """Search a text for secrets, and for their beginnings."""
    found = list(secrets_of(settings, server))
    assert len(found) > 15
    for secret in found:
        assert secret not in text
        assert secret[:40] not in text
    assert PLANTED not in text


def text_of(run: Run) -> str:
    """Return all that a run said to anybody."""
    return "\n".join(run.lines) + run.log


def test_a_run(server: BitbucketServer, settings: dict[str, Any], tmp_path: Path) -> None:
    """Nor log at DEBUG, nor messages, state or metrics of a run with refusals show any."""
    server.faults.add(Fault("/refs/branches", status=429, headers={"Retry-After": "0"}))
    server.faults.add(Fault("/refs/tags", action="reset"))
    server.faults.add(Fault("/pullrequests", status=403, times=1))
    run = run_tap(settings, tmp_path, environment=DEBUG)
    assert run.code == 0, run.log
    assert "| DEBUG" in run.log
    for name in ("wrong api", "wrong token", "dead"):
        assert run.log.count(f"The credential {name} is out of use") == 1
    assert run.counts["repositories"] == 1
    assert_unseen(settings, server, text_of(run))
    for file in tmp_path.glob("token*"):
        assert_unseen(settings, server, file.read_text())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--about"],
        ["--about", "--format=json"],
        ["--discover"],
        ["schemas"],
        ["auth", "status"],
        ["auth", "status", "--json"],
        ["auth", "refresh", "--credential", "person"],
        ["auth", "refresh", "--credential", "dead"],
        ["auth", "url", "--credential", "person"],
        ["auth", "logout", "--credential", "person"],
    ],
)
def test_other_commands(
    server: BitbucketServer, settings: dict[str, Any], tmp_path: Path, arguments: list[str]
) -> None:
    """Nor does any other command, with the settings in a file or in the environment."""
    names = {f"TAP_BITBUCKET_{name.upper()}": value for name, value in settings.items()}
    environment = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in names.items()
    }
    by_environment = run_tap(
        None,
        tmp_path,
        arguments=arguments if arguments[0] == "auth" else [*arguments, "--config=ENV"],
        environment={**DEBUG, **environment},
    )
    assert "Traceback" not in by_environment.log
    assert text_of(by_environment).strip()
    assert_unseen(settings, server, text_of(by_environment))


def test_a_traceback(server: BitbucketServer, settings: dict[str, Any], tmp_path: Path) -> None:
    """Nor does a traceback, wherever the tap itself is broken while it has a token in hand."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps(settings))
    file.chmod(0o600)
    script = f"""
import sys
from tap_bitbucket import cli
from tap_bitbucket.http import session, transport
def broken(*args, **more):
    raise RuntimeError("broken on purpose")
setattr({{"decide": session, "origin": transport}}[sys.argv[1]], sys.argv[1], broken)
sys.argv[1:] = ["--config", {str(file)!r}]
cli.main()
"""
    server.faults.add(Fault("/refs/branches", status=500, times=None))
    server.faults.add(Fault("/refs/tags", action="redirect", to=f"{server.api_url}/x", times=None))
    for name in ("decide", "origin"):
        run = subprocess.run(
            [sys.executable, "-c", script, name],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=PROJECT,
        )
        assert run.returncode == 1
        assert "broken on purpose" in run.stderr
        assert "Traceback" in run.stderr
        assert_unseen(settings, server, run.stdout + run.stderr)


def test_a_database_that_is_not_there(tmp_path: Path, server: BitbucketServer) -> None:
    """Nor does the address of a database show its password, when it fails."""
    password = f"{PLANTED}database"
    settings = api_token_config(
        server,
        client_id="key",
        client_secret=f"{PLANTED}client",
        token_store=f"postgresql://tap:{password}@127.0.0.1:9/tokens?connect_timeout=2",
    )
    del settings["email"], settings["api_token"]
    for arguments in ([], ["--about"]):
        run = run_tap(settings, tmp_path, arguments=arguments, environment=DEBUG)
        assert "Traceback" not in run.log
        assert PLANTED not in text_of(run)
    refused = run_tap(settings, tmp_path, environment=DEBUG)
    assert refused.code == 1
    assert "127.0.0.1:9" in refused.log
