"""An OAuth consumer of the stand-in, a clock to turn, and processes to kill."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.auth import Authenticator, authenticators_from
from tap_bitbucket.demo import BitbucketServer, World
from tap_bitbucket.demo.oauth import OAuth

ROOT = Path(__file__).parents[2]
TOKEN_REQUEST = r"^POST /site/oauth2/access_token"
HOUR = 3600.0


class Clock:
    """A clock that moves only when told to, or while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let it pass at once."""
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Consumer:
    """An OAuth consumer, and somebody who signs in with it."""

    server: BitbucketServer
    clock: Clock
    token_file: Path
    client_id: str = "acme-tap"
    client_secret: str = "secret of acme"

    @property
    def world(self) -> World:
        """What the server serves."""
        return self.server.world

    @property
    def oauth(self) -> OAuth:
        """The OAuth server behind it."""
        return self.world.oauth

    @property
    def fresh_seed(self) -> str:
        """A refresh token, as consenting in the browser gives one."""
        user = next(iter(self.world.users.values()))
        return self.oauth.issue_refresh_token(self.client_id, user)

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return settings with a token file, and `changes`; None takes a setting out."""
        settings = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "oauth_token_url": self.server.oauth_token_url,
            "token_file": str(self.token_file),
            **changes,
        }
        return {name: value for name, value in settings.items() if value is not None}

    def sign(self, *, config_file: Path | None = None, **changes: Any) -> Authenticator:
        """Return what a new run signs its requests with."""
        (made,) = authenticators_from(
            self.settings(**changes),
            config_file=config_file,
            clock=self.clock,
            sleep=self.clock.sleep,
        )
        return made

    def kept(self, path: Path | None = None) -> dict[str, Any]:
        """Read the token file."""
        kept: dict[str, Any] = json.loads((path or self.token_file).read_text())
        return kept

    def token_requests(self) -> list[str]:
        """The bodies the token endpoint was sent."""
        return [one.body for one in self.server.requests if one.path.startswith("/site/oauth2")]

    def accepts(self, authorization: str) -> bool:
        """Ask the API who this is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request("GET", "/2.0/user", headers={"Authorization": authorization})
            with connection.getresponse() as response:
                response.read()
                return response.status == 200
        finally:
            connection.close()


@pytest.fixture
def clock() -> Clock:
    """A clock of the test's own."""
    return Clock()


@pytest.fixture
def consumer(clock: Clock, tmp_path: Path) -> Iterator[Consumer]:
    """A consumer of a running stand-in that goes by the test's clock."""
    world = World()
    workspace = world.add_workspace("acme", "Acme")
    world.add_member(workspace, world.add_user("Ann"), "owner")
    world.oauth.clock = clock
    with BitbucketServer(world) as server:
        made = Consumer(server, clock, tmp_path / "kept" / "token.json")
        world.identities.add_oauth_consumer(made.client_id, made.client_secret, workspace=workspace)
        yield made


class Processes:
    """Runs of the tap's authentication in processes of their own, see `processes.py`."""

    def __init__(self) -> None:
        self._host = subprocess.Popen(
            [sys.executable, "-W", "error", Path(__file__).with_name("processes.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def run(
        self,
        settings: dict[str, Any],
        *,
        config_file: Path | None = None,
        kill_at: int | Sequence[int | None] | None = None,
        at_once: int = 1,
        replace: bool = False,
        file_limit: int | None = None,
        **more: Any,
    ) -> list[dict[str, Any]]:
        """Sign in `at_once` processes; return what each came to.

        Args:
            settings: The tap's settings.
            config_file: The file they are from.
            kill_at: The step at which a process is killed, counted from 1; a list has one for each.
            at_once: How many processes.
            replace: Whether they report the token they get as refused.
            file_limit: The size from which on files cannot grow.
            more: What else they are to do: ``do`` is ``exchange`` (of a ``code``), ``forget`` or
                ``work`` (for ``seconds``), ``ahead`` their clocks' lead, ``patient`` as in
                `credentials_from`.
        """
        order = {
            "settings": settings,
            "config_file": str(config_file) if config_file else None,
            "kill_at": list(kill_at) if isinstance(kill_at, Sequence) else [kill_at],
            "at_once": at_once,
            "replace": replace,
            "file_limit": file_limit,
            **more,
        }
        assert self._host.stdin
        assert self._host.stdout
        self._host.stdin.write(json.dumps(order) + "\n")
        self._host.stdin.flush()
        results: list[dict[str, Any]] = json.loads(self._host.stdout.readline())
        return results

    def close(self) -> None:
        """Send everybody home."""
        self._host.communicate(timeout=10)


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    """A host that starts processes quickly."""
    host = Processes()
    yield host
    host.close()
