"""Signing in through Meltano: `meltano invoke tap-bitbucket:login` and the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from scripts import documents
from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer
from tap_bitbucket.login.commands import auth
from tests.support import PROJECT

MELTANO = [sys.executable, "-m", "meltano.cli", "invoke"]


class MeltanoProject:
    """A project with the tap as plugin.yml describes it, its settings in meltano.yml and .env."""

    def __init__(self, folder: Path, server: BitbucketServer) -> None:
        keys = server.world.credentials
        assert keys is not None
        self.folder = folder
        plugin = yaml.safe_load((PROJECT / "plugin.yml").read_text(encoding="utf-8"))
        plugin |= plugin.pop("variants")[0]
        del plugin["pip_url"]
        command = folder / "tap-bitbucket"
        run = f'PYTHONPATH="{PROJECT}" exec "{sys.executable}" -m tap_bitbucket "$@"'
        command.write_text(f"#!/bin/sh\n{run}\n")
        command.chmod(0o755)
        plugin["executable"] = str(command)
        plugin["config"] = {
            "api_url": server.api_url,
            "oauth_token_url": server.oauth_token_url,
            "oauth_authorize_url": server.oauth_authorize_url,
            "client_id": keys.client_id,
            "workspaces": [EXAMPLE_WORKSPACE],
        }
        project = {"version": 1, "send_anonymous_usage_stats": False, "project_id": "test"}
        project |= {"plugins": {"extractors": [plugin]}}
        (folder / "meltano.yml").write_text(yaml.safe_dump(project), encoding="utf-8")
        (folder / ".env").write_text(f"TAP_BITBUCKET_CLIENT_SECRET={keys.client_secret}\n")
        ours = ("TAP_BITBUCKET_", "MELTANO_")
        kept = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
        self.environment = {**kept, "PYTHONPATH": str(PROJECT), "NO_COLOR": "1"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a command of the tap."""
        return subprocess.Popen(
            [*MELTANO, f"tap-bitbucket:{arguments[0]}", *arguments[1:]],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def invoke(self, *arguments: str) -> str:
        """Run a command of the tap to its end, which must be good, and return what it printed."""
        with self.start(*arguments) as running:
            out, log = running.communicate(timeout=120)
        assert running.returncode == 0, log
        return out


@pytest.fixture
def project(server: BitbucketServer, tmp_path: Path) -> MeltanoProject:
    """Make a project in which nobody has signed in yet."""
    return MeltanoProject(tmp_path, server)


def consented(url: str) -> str:
    """Consent, as the button on Bitbucket's page does, and return where the browser is sent."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=10)
    connection.request("GET", f"{parts.path}?{parts.query}&approve=yes")
    with connection.getresponse() as response:
        place = response.headers["Location"]
    connection.close()
    return place


def test_sign_in_look_and_forget(project: MeltanoProject) -> None:
    """Somebody signs in without a browser, tests the connection, and forgets it again."""
    with project.start("login", "--no-browser") as running:
        assert running.stdin is not None
        assert running.stdout is not None
        lines = (line.strip() for line in running.stdout)
        url = next((line for line in lines if line.startswith("http")), None)
        assert url is not None, running.communicate()
        running.stdin.write(consented(url) + "\n")
        running.stdin.close()
        told = running.stdout.read()
        assert running.wait(60) == 0, told
    tokens = project.folder / ".tap-bitbucket" / "token.json"
    assert tokens.stat().st_mode & 0o777 == 0o600
    refresh_token = json.loads(tokens.read_text())["refresh_token"]
    assert refresh_token not in told
    assert "Maya Lindqvist" in told

    (report,) = json.loads(project.invoke("status", "--json"))
    assert report["works"]
    assert report["account"] == "Maya Lindqvist (maya)"
    assert report["workspaces"] == {EXAMPLE_WORKSPACE: None}
    assert report["tokens"] == str(tokens)
    assert report["missing"] == {}

    project.invoke("logout")
    assert not tokens.exists()


def test_every_command_is_described() -> None:
    """Each command of `tap-bitbucket auth` is one of the plugin's, in both definitions."""
    for name in ("meltano.yml", "plugin.yml"):
        described: dict[str, Any] = yaml.safe_load((PROJECT / name).read_text(encoding="utf-8"))
        if "plugins" in described:
            (described,) = described["plugins"]["extractors"]
        else:
            (described,) = described["variants"]
        commands = described["commands"]
        assert {one for one in commands if commands[one]["args"].startswith("auth ")} == {
            *auth.commands
        }
        assert commands == documents.commands()
    assert set(auth.commands) == {
        *("login", "url", "exchange", "status", "refresh", "export", "import", "key", "logout")
    }
