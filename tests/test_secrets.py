"""Secrets stay inside: those that sign in."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, Fault
from tap_bitbucket.settings import SETTINGS
from tests.support import Run, api_token_config, run_here, run_tap

ONE = f"{EXAMPLE_WORKSPACE}/infrastructure"
DEBUG = {"LOGLEVEL": "DEBUG", "TAP_BITBUCKET_LOGLEVEL": "DEBUG"}


def text_of(run: Run) -> str:
    """Return all that a run said to anybody."""
    return "\n".join(run.lines) + run.log


def troubles(server: BitbucketServer) -> None:
    """Order what makes a tap talk: failures of each kind."""
    server.faults.add(Fault("/refs/tags", status=503))
    server.faults.add(Fault("/refs/tags", action="reset"))
    server.faults.add(Fault("/refs/branches", status=429, headers={"Retry-After": "0"}))
    server.faults.add(Fault("/projects", status=403, times=None))
    server.faults.add(
        Fault("/environments", action="redirect", to="http://127.0.0.1:9/x", times=None)
    )


def test_the_api_token_is_not_shown(server: BitbucketServer, tmp_path: Path) -> None:
    """Neither token nor header appear in messages, state or log, at DEBUG and with failures."""
    troubles(server)
    settings = api_token_config(server, repositories=[ONE], max_retries=3)
    run = run_tap(settings, tmp_path, environment=DEBUG)
    assert run.code == 0, run.log
    assert "| DEBUG" in run.log
    assert "Skipped projects" in run.log
    token = settings["api_token"]
    header = base64.b64encode(f"{settings['email']}:{token}".encode()).decode()
    for secret in (token, header, header[:40]):
        assert secret not in text_of(run)


def test_oauth_tokens_are_not_shown(server: BitbucketServer, tmp_path: Path) -> None:
    """No access token, refresh token (old or new), client secret or header appears anywhere."""
    troubles(server)
    keys = server.world.credentials
    assert keys is not None
    server.faults.add(Fault("/site/oauth2/access_token", status=503))
    server.faults.add(
        Fault("/pullrequests", action="callback", callback=server.world.oauth.revoke_access_tokens)
    )
    settings = api_token_config(server, repositories=[ONE], max_retries=3)
    del settings["email"], settings["api_token"]
    settings |= {
        "client_id": keys.client_id,
        "client_secret": keys.client_secret,
        "refresh_token": keys.refresh_token,
        "token_file": str(tmp_path / "token.json"),
    }
    run = run_tap(settings, tmp_path, environment=DEBUG)
    assert run.code == 0, run.log
    oauth = server.world.oauth
    issued = [*oauth.access_tokens, *oauth.refresh_tokens]
    assert len(issued) >= 4
    basic = base64.b64encode(f"{keys.client_id}:{keys.client_secret}".encode()).decode()
    said = text_of(run)
    for secret in (*issued, keys.refresh_token, keys.client_secret, basic):
        assert secret not in said
        assert secret[:60] not in said
        assert json.dumps(secret)[1:-1] not in said


def test_an_access_token_is_not_shown(server: BitbucketServer, tmp_path: Path) -> None:
    """An access token stays out of the log, also when it is refused."""
    keys = server.world.credentials
    assert keys is not None
    settings = api_token_config(server, repositories=[ONE], access_token=keys.access_token)
    del settings["email"], settings["api_token"]
    server.faults.add(Fault("/members", status=429, headers={"Retry-After": "0"}))
    server.faults.add(Fault("/pipelines", status=401, times=None))
    run = run_tap(settings, tmp_path, environment=DEBUG)
    assert run.code == 1
    assert "Traceback" not in run.log
    assert "Rate limit of access token" in run.log
    assert keys.access_token not in text_of(run)


@pytest.mark.parametrize("status", [400, 401])
def test_a_token_endpoint_that_repeats_them(
    server: BitbucketServer, tmp_path: Path, status: int
) -> None:
    """A sign-in that is refused is explained without what the answer repeats of it."""
    keys = server.world.credentials
    assert keys is not None
    secrets = (keys.refresh_token, keys.client_secret)
    body = {"error": "invalid_grant", "error_description": "Unknown: " + ", ".join(secrets)}
    server.faults.add(Fault("/access_token", status=status, body=json.dumps(body), times=None))
    settings = api_token_config(server, repositories=[ONE])
    del settings["email"], settings["api_token"]
    settings |= {
        "client_id": keys.client_id,
        "client_secret": keys.client_secret,
        "refresh_token": keys.refresh_token,
        "token_file": str(tmp_path / "token.json"),
    }
    run = run_here(settings)
    assert run.code == 1
    assert run.log.splitlines()[-1]
    for secret in secrets:
        assert secret not in text_of(run)


@pytest.mark.parametrize("name", ["api_token", "client_secret", "refresh_token", "access_token"])
def test_a_secret_setting_is_marked(name: str, catalog: dict[str, Any]) -> None:
    """Meltano and others hide what the settings call secret; no SCHEMA mentions any of it."""
    assert SETTINGS["properties"][name]["secret"] is True
    published = json.dumps(catalog)
    assert '"password"' not in published
