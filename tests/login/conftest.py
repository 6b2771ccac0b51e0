"""A person who signs in: a terminal, a home directory, and a stand-in with an OAuth consumer."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from tap_bitbucket.cli import main
from tap_bitbucket.demo import BitbucketServer, World
from tap_bitbucket.demo.oauth import OAuth
from tests.login.support import free_port, get, until
from tests.support import PROJECT, Run, lines_of

CLIENT_ID, CLIENT_SECRET = "acme-tap", "hush-hush-secret"
SCOPES = ("account", "pullrequest", "repository")


@dataclass
class Person:
    """Somebody with a home directory, and what all commands have said to them."""

    server: BitbucketServer
    home: Path
    port: int
    monkeypatch: pytest.MonkeyPatch
    capfd: pytest.CaptureFixture[str]
    said: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    processes: list[Process] = field(default_factory=list)

    @property
    def world(self) -> World:
        """What the server serves."""
        return self.server.world

    @property
    def oauth(self) -> OAuth:
        """The OAuth server behind it."""
        return self.world.oauth

    @property
    def callback(self) -> str:
        """The callback registered with the consumer."""
        return f"http://localhost:{self.port}"

    @property
    def opened(self) -> Path:
        """Where the browser writes the address it is opened with."""
        return self.home / "opened"

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return settings, and `changes`; None takes a setting out."""
        settings = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "workspaces": ["acme"],
            "api_url": self.server.api_url,
            "oauth_token_url": self.server.oauth_token_url,
            "oauth_authorize_url": self.server.oauth_authorize_url,
            **changes,
        }
        return {name: value for name, value in settings.items() if value is not None}

    def environment(self, **changes: Any) -> dict[str, str]:
        """Return environment variables: settings, a home directory, and a browser that writes."""
        self.home.mkdir(parents=True, exist_ok=True)
        script = self.home / "browser.sh"
        beside = self.home / "opening"
        # What a browser says must not get into what the command says.
        script.write_text(
            f"#!/bin/sh\nps -o pgid= -p $$ > {self.home / 'group'}\n"
            "echo noise of a browser; echo more noise >&2\n"
            f'printf %s "$1" > {beside}\nmv {beside} {self.opened}\n'
        )
        script.chmod(0o700)
        settings = self.settings(**changes)
        return {
            **{
                f"TAP_BITBUCKET_{name.upper()}": value
                if isinstance(value, str)
                else json.dumps(value)
                for name, value in settings.items()
            },
            "XDG_STATE_HOME": str(self.home / "state"),
            "HOME": str(self.home),
            "BROWSER": str(script),
        }

    def config(self, name: str = "config.json", **changes: Any) -> Path:
        """Write a configuration file."""
        self.home.mkdir(parents=True, exist_ok=True)
        file = self.home / name
        file.write_text(json.dumps(self.settings(**changes), indent=4) + "\n")
        file.chmod(0o600)
        return file

    def auth(self, *arguments: str | Path, shows: bool = False, **changes: Any) -> Run:
        """Run `tap-bitbucket auth` in this process; by the environment, if no file is given.

        Args:
            arguments: What comes after it.
            shows: Whether it may show secrets.
            changes: As for `settings`.
        """
        given = [str(one) for one in arguments]
        environment = self.environment(**changes)
        if "--config" in given:
            environment = {n: v for n, v in environment.items() if not n.startswith("TAP_")}
        loggers = logging.root.handlers[:], logging.root.level
        self.capfd.readouterr()
        code: object = 0
        with self.monkeypatch.context() as patch:
            patch.chdir(self.home)
            for name, value in environment.items():
                patch.setenv(name, value)
            try:
                main(["auth", *given])
            except SystemExit as end:
                code = end.code
            finally:
                logging.root.handlers[:], logging.root.level = loggers
        out, log = self.capfd.readouterr()
        run = Run(code if isinstance(code, int) else int(code is not None), lines_of(out), log)
        if not shows:
            self.heard(out, log)
        return run

    def start(self, *arguments: str | Path, **changes: Any) -> Process:
        """Run `tap-bitbucket auth` in a process of its own, by the environment."""
        made = Process(self, [str(one) for one in arguments], self.environment(**changes))
        self.processes.append(made)
        return made

    def consent(self, url: str, approve: str = "yes") -> str:
        """Answer the consent page; return the address that the browser is sent to."""
        answer = get(f"{url}&{urlencode({'approve': approve})}")
        assert answer.status == 302, answer.text
        return answer.headers["location"]

    def sign_in(self, **changes: Any) -> Run:
        """Sign in by `auth url` and `auth exchange`."""
        url = self.auth("url", **changes).lines[0]
        return self.auth("exchange", "--code", self.consent(url), **changes)

    def kept(self, home: Path | None = None) -> dict[str, Any]:
        """Read the one token file in the state directory."""
        (file,) = self.token_files(home)
        kept: dict[str, Any] = json.loads(file.read_text())
        return kept

    def token_files(self, home: Path | None = None) -> list[Path]:
        """Return the token files in the state directory."""
        return list(((home or self.home) / "state" / "tap-bitbucket").glob("*.json"))

    def heard(self, *texts: str) -> None:
        """Take note of what was said."""
        self.said += texts

    def all_secrets(self) -> set[str]:
        """Return all that nobody is to be told."""
        codes: set[str] = set(self.oauth.codes)
        for one in self.server.requests:
            codes |= set(parse_qs(one.body).get("code", []))
        tokens = {*self.oauth.refresh_tokens, *self.oauth.access_tokens}
        return {CLIENT_SECRET, *self.secrets, *codes, *tokens}


class Process:
    """A command that runs."""

    def __init__(self, person: Person, arguments: list[str], environment: dict[str, str]) -> None:
        """Start it."""
        self.person = person
        person.opened.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tap_bitbucket", "auth", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=person.home,
            env={
                **os.environ,
                "PYTHONPATH": str(PROJECT),
                # As in pyproject.toml: the SDK says so of a version that still works.
                "PYTHONWARNINGS": "ignore:Python 3.10 reached its end of life",
                **environment,
            },
        )

    def url(self) -> str:
        """Wait until the browser is opened; return the address."""
        until(self.person.opened.exists)
        return self.person.opened.read_text()

    def stop(self, number: signal.Signals) -> None:
        """Send it a signal; SIGINT is Ctrl-C."""
        self._process.send_signal(number)

    def end(self, pasted: str | None = None, *, shows: bool = False) -> Run:
        """Paste something, if anything, and return what it came to."""
        out, log = self._process.communicate(pasted, timeout=60)
        if not shows:
            self.person.heard(out, log)
        return Run(self._process.returncode, lines_of(out), log)

    def kill(self) -> None:
        """End it in any case."""
        self._process.kill()
        self._process.communicate()

    def first_line(self) -> str:
        """Wait for the first line on standard output."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        self.person.heard(line)
        return line.rstrip("\n")


@pytest.fixture
def person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Person]:
    """Somebody whose commands, whatever they do, never tell a secret."""
    world = World()
    workspace = world.add_workspace("acme", "Acme")
    world.add_member(workspace, world.add_user("Maya Chen"), "owner")
    with BitbucketServer(world) as server:
        made = Person(server, tmp_path / "home", free_port(), monkeypatch, capfd)
        world.identities.add_oauth_consumer(
            CLIENT_ID, CLIENT_SECRET, workspace=workspace, callback=made.callback, scopes=SCOPES
        )
        yield made
        for one in made.processes:
            one.kill()
        secrets = made.all_secrets()
        said = "\n".join(made.said)
        assert said
        assert [one for one in secrets if one in said] == []
