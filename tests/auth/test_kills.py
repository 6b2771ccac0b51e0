"""Killed at every step, in a process of its own: what is kept stays whole, the next run goes on."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, product
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tap_bitbucket.auth.encryption import new_key
from tap_bitbucket.auth.sign_in import SignIn
from tap_bitbucket.auth.token_database import shifted
from tap_bitbucket.auth.tokens import StoredTokens
from tap_bitbucket.demo import Fault
from tests.auth.conftest import HOUR, ROOT, TOKEN_REQUEST, Consumer, Processes
from tests.support import Run, lines_of, refusal, select

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and fork")

KINDS = ("file", "encrypted file", "configuration", "database")
FIRST_REQUEST = r"^GET /2\.0/"
LOGIN = "tap-bitbucket auth login"
ENOUGH = 50
"""More steps than anything takes."""


@dataclass
class Place:
    """One place to keep tokens in, and runs that use it.

    Attributes:
        consumer: The OAuth consumer and Bitbucket.
        processes: Where runs are started.
        kind: One of `KINDS`.
        folder: For the files.
        database: A connection to a PostgreSQL.
        url: Its address.
        seed: The refresh token in the settings.
        ahead: How far Bitbucket's clock is ahead by now: so much time has passed.
    """

    consumer: Consumer
    processes: Processes
    kind: str
    folder: Path
    database: psycopg.Connection[Any]
    url: str
    seed: str | None
    ahead: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)
    config_file: Path | None = None

    def __post_init__(self) -> None:
        """Set up what the kind takes; nothing is kept yet."""
        self.folder.mkdir()
        self.consumer.oauth.clock = lambda: time.time() + self.ahead
        changes: dict[str, Any] = {"token_file": str(self.folder / "token.json")}
        if self.kind == "database":
            changes = {"token_file": None, "token_store": self.url}
            self.database.execute("DROP TABLE IF EXISTS tap_bitbucket_tokens")
        if self.kind == "encrypted file":
            changes["token_encryption_key"] = new_key()
        if self.kind == "configuration":
            changes = {"token_file": None}
            self.config_file = self.folder / "config.json"
        self.settings = self.consumer.settings(**changes, refresh_token=self.seed)
        if self.config_file:
            self.config_file.write_text(json.dumps(self.settings))
            self.config_file.chmod(0o600)

    @property
    def sign_in(self) -> SignIn:
        """The way in, in this process."""
        return SignIn.of(self.current_settings(), config_file=self.config_file)

    def current_settings(self) -> dict[str, Any]:
        """Return the settings as the next run finds them."""
        if self.config_file is None:
            return self.settings
        read: dict[str, Any] = json.loads(self.config_file.read_text())
        return read

    def run(self, *, kill_at: int | None = None, **order: Any) -> dict[str, Any]:
        """Run in a process of its own, that waits for nothing."""
        (told,) = self.processes.run(
            self.current_settings(),
            config_file=self.config_file,
            kill_at=kill_at,
            patient=False,
            **order,
        )
        if "error" in told:
            assert "\n" not in told["error"]
        return told

    def code(self) -> str:
        """Return a code, as consenting in the browser gives one."""
        user = next(iter(self.consumer.world.users.values()))
        return self.consumer.oauth.issue_code(self.consumer.client_id, user, None)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, for Bitbucket and for what is kept."""
        self.ahead += seconds
        kept = self.sign_in.kept()
        if kept is not None:
            self.sign_in.keep(shifted(kept, -seconds))

    def works(self, *, replace: bool = False) -> None:
        """Check that a run signs in."""
        told = self.run(replace=replace)
        assert self.consumer.accepts(told.get("authorization", "")), told

    def says_how(self, *, replace: bool = False) -> None:
        """Check that a run ends with one line that says how to sign in again."""
        told = self.run(replace=replace)
        assert LOGIN in told.get("error", ""), told

    def whole(self) -> StoredTokens | None:
        """Check that nothing is half-written and no lock is left; return what is kept."""
        if self.config_file:
            survived = json.loads(self.config_file.read_text())
            assert survived.keys() == self.settings.keys()
            assert survived | {"refresh_token": ""} == self.settings | {"refresh_token": ""}
            known = {"", *self.consumer.oauth.refresh_tokens}
            assert survived["refresh_token"] in known
        for path in self.folder.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        if self.kind == "database":
            self._row_is_free()
        kept = self.sign_in.kept()
        if kept is not None:
            assert kept.refresh_token in self.consumer.oauth.refresh_tokens
            assert kept.access is not None
            assert kept.access.value in self.consumer.oauth.access_tokens
        return kept

    def _row_is_free(self) -> None:
        """Check that nobody holds the row, and that there are tokens in it."""
        there = self.database.execute("SELECT to_regclass('tap_bitbucket_tokens')").fetchone()
        if there == (None,):
            return
        taken = "SELECT tokens FROM tap_bitbucket_tokens FOR UPDATE"
        rows = self.database.execute(taken).fetchall()  # within the timeout of `places`
        assert all(row[0] for row in rows), rows

    def next_one(self) -> str:
        """Return the refresh token that the next run presents."""
        kept = self.sign_in.kept()
        found = self.seed if kept is None else kept.refresh_token
        assert found
        return found

    def is_tidy(self) -> None:
        """Check that no file is left but those that belong there."""
        if self.kind == "database":
            assert list(self.folder.iterdir()) == []
            return
        name = "config.token.json" if self.config_file else "token.json"
        expected = {name, f"{name}.lock"} | ({"config.json"} if self.config_file else set())
        assert {path.name for path in self.folder.iterdir()} <= expected


Places = Callable[..., Place]


@pytest.fixture
def places(
    consumer: Consumer,
    processes: Processes,
    tmp_path: Path,
    postgres: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Places]:
    """Return a function that makes places, one for each kill."""
    numbers = count()
    database = psycopg.connect(postgres, autocommit=True)
    database.execute("SET lock_timeout = '10s'")
    # Where tokens are looked for once the configuration names none.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def make(kind: str, *, seed: bool = True, kept: bool = False) -> Place:
        folder = tmp_path / str(next(numbers))
        # As if time had not passed for the one before.
        consumer.oauth.clients[consumer.client_id].locked_until = 0.0
        consumer.oauth.clock = time.time
        configured = consumer.fresh_seed if seed or kind == "configuration" else None
        place = Place(consumer, processes, kind, folder, database, postgres, configured)
        if kept and configured:
            place.works()
        elif kept:
            assert "error" not in place.run(do="exchange", code=place.code())
        return place

    with database:
        yield make


def steps_of(place: Place, **order: Any) -> list[str]:
    """Return the steps that something takes when nobody is killed."""
    steps: list[str] = place.run(**order)["steps"]
    assert len(steps) < ENOUGH
    return steps


# -- a refresh -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "later"), [*product(KINDS, [True]), *product(["configuration", "database"], [False])]
)
def test_refresh(places: Places, kind: str, *, later: bool) -> None:
    """After a kill at any step of a refresh the next run signs in, and one long afterwards.

    If nobody comes for ten minutes after a kill between Bitbucket's answer and the saved tokens,
    what is kept is dead, which nobody can know: it is presented once, then it is said how to sign
    in again.
    """
    steps = steps_of(places(kind, kept=later), replace=later)
    lost = []
    for step, name in enumerate(steps, 1):
        place = places(kind, kept=later)
        oauth = place.consumer.oauth
        next_one = place.next_one()
        assert place.run(kill_at=step, replace=later)["killed"], name
        place.whole()
        if oauth.refresh_tokens[place.next_one()].used is not None:
            assert place.next_one() == next_one
            lost.append(name)
        place.works(replace=later)
        assert oauth.refresh_tokens[place.next_one()].used is None
        # Long afterwards, when nothing that was used before is any good.
        place.ahead = HOUR
        place.works(replace=True)
        place.whole()
        place.is_tidy()
    assert oauth.dead_presented == 0
    # All is saved before anything is used.
    first = steps.index("test.step answered")
    assert lost == steps[first : first + len(lost)]
    assert first + len(lost) < steps.index("test.step about to use")

    for number, name in enumerate(lost, 1):
        place = places(kind, kept=later)
        place.run(kill_at=first + number, replace=later)
        place.pass_time(HOUR)
        for _ in range(2):
            place.says_how(replace=later)
            assert oauth.dead_presented == number, name
        place.is_tidy()


@pytest.mark.parametrize("kind", ["file", "database"])
def test_an_answer_lost_for_good(places: Places, kind: str) -> None:
    """A token that died with a killed run is presented three times at most, and login mends it."""
    place = places(kind, kept=True)
    oauth = place.consumer.oauth
    answered = steps_of(places(kind, kept=True), replace=True).index("test.step answered")
    place = places(kind, kept=True)
    place.run(kill_at=answered + 1, replace=True)
    place.pass_time(5 * HOUR)
    presented = []
    for seconds in (0, 30, 31, 300, 241, 1, HOUR, 1000 * HOUR):
        place.pass_time(seconds)
        place.says_how()
        place.says_how()
        presented.append(oauth.dead_presented)
    # A good token is refused, too, for up to ten minutes after somebody presented a dead one.
    assert presented == [1, 1, 2, 2, 3, 3, 3, 3]
    assert "error" not in place.run(do="exchange", code=place.code())
    place.works()
    place.pass_time(HOUR)
    place.works(replace=True)
    assert oauth.dead_presented == 3
    place.is_tidy()


@pytest.mark.parametrize("kind", ["file", "database"])
def test_a_refusal(places: Places, kind: str) -> None:
    """A kill while Bitbucket refuses a good token, having locked the consumer out, does no harm."""

    def locked_out() -> Place:
        place = places(kind, kept=True)
        place.pass_time(5 * HOUR)
        client = place.consumer.oauth.clients[place.consumer.client_id]
        client.locked_until = place.consumer.oauth.clock() + 50
        return place

    steps = steps_of(locked_out())
    asking = steps.index("test.step about to ask")
    for step, name in enumerate(steps[asking:], asking + 1):
        place = locked_out()
        assert place.run(kill_at=step)["killed"], name
        asked = len(place.consumer.token_requests())
        place.says_how()
        place.says_how()
        assert len(place.consumer.token_requests()) - asked <= 1, name
        place.pass_time(61)
        place.works()
        place.is_tidy()
    assert place.consumer.oauth.dead_presented == 0


@pytest.mark.parametrize("kind", ["file", "database"])
def test_one_of_eight(places: Places, kind: str) -> None:
    """When the one that refreshes for eight is killed, another one does it for the rest."""
    steps = steps_of(places(kind))
    for name in ("test.step about to ask", "test.step answered", "test.step about to use"):
        place = places(kind)
        before = place.consumer.oauth.refreshes
        told = place.processes.run(
            place.settings, at_once=8, kill_at=[steps.index(name) + 1, *[None] * 7]
        )
        survived = {one["authorization"] for one in told if not one["killed"]}
        assert len(survived) == 1, name
        assert place.consumer.accepts(*survived)
        assert place.consumer.oauth.refreshes - before <= 2
        place.whole()
        place.is_tidy()
    assert place.consumer.oauth.dead_presented == 0


# -- signing in and out ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "kept"), [*product(KINDS, [True]), *product(["file", "database"], [False])]
)
def test_login(places: Places, kind: str, *, kept: bool) -> None:
    """After a kill at any step of a login there are the tokens from before or the new ones.

    If there were none before, and the code is spent, it is said how to sign in again.
    """

    def ready() -> Place:
        return places(kind, seed=False, kept=kept)

    started = ready()
    steps = steps_of(started, do="exchange", code=started.code())
    assert len(steps) > 8
    outcomes = set()
    for step, name in enumerate(steps, 1):
        place = ready()
        oauth = place.consumer.oauth
        before, code = place.sign_in.kept(), place.code()
        assert place.run(do="exchange", code=code, kill_at=step)["killed"], name
        after = place.whole()
        assert (before is None) == (not kept)
        if after is None:
            place.says_how()
            outcomes.add("nothing")
        else:
            new = before is None or after.refresh_token != before.refresh_token
            outcomes.add("new" if new else "old")
            assert oauth.refresh_tokens[place.next_one()].used is None
            place.works()
        spent = code not in oauth.codes
        told = place.run(do="exchange", code=place.code() if spent else code)
        assert place.consumer.accepts(told.get("authorization", "")), told
        place.works()
        place.ahead = HOUR
        place.works(replace=True)
        place.is_tidy()
    assert outcomes == {"new", "old" if kept else "nothing"}
    assert place.consumer.oauth.dead_presented == 0


@pytest.mark.parametrize("kind", KINDS)
def test_logout(places: Places, kind: str) -> None:
    """After a kill at any step of a logout there are all tokens or none, and it can be repeated."""

    def ready() -> Place:
        return places(kind, seed=False, kept=True)

    steps = steps_of(ready(), do="forget")
    outcomes = set()
    for step, name in enumerate(steps, 1):
        place = ready()
        before = place.next_one()
        assert place.run(do="forget", kill_at=step)["killed"], name
        after = place.whole()
        outcomes.add(after is None)
        place.ahead = HOUR
        if after is not None:
            assert place.next_one() == before
            place.works(replace=True)
        elif place.current_settings().get("refresh_token"):
            assert place.current_settings()["refresh_token"] == before
            place.works()  # it is the latest one, and all that is left
        else:
            place.says_how()
        place.run(do="forget")
        assert place.whole() is None
        assert not place.current_settings().get("refresh_token")
        place.says_how()
        place.is_tidy()
    assert outcomes == {True, False}
    assert place.consumer.oauth.dead_presented == 0


# -- the real command ------------------------------------------------------------------------------


@dataclass
class Command:
    """The real command, over and over in one place."""

    place: Place
    folder: Path
    catalog: Path

    def start(self) -> subprocess.Popen[str]:
        """Start a run."""
        config = self.place.config_file or self.folder / "config.json"
        if self.place.config_file is None:
            config.write_text(json.dumps(self.place.settings))
            config.chmod(0o600)
        line = [sys.executable, "-m", "tap_bitbucket", "--config", str(config), "--catalog"]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*line, str(self.catalog)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=pipe,
            stderr=pipe,
            text=True,
        )

    def run(self) -> Run:
        """Run to the end."""
        with self.start() as process:
            out, log = process.communicate(timeout=60)
        return Run(process.returncode, lines_of(out), log)

    def run_killed(self, match: str, wait: float) -> None:
        """Run until a request comes in, and be killed then, or so many seconds later.

        Args:
            match: Which request, as of `Fault`.
            wait: Seconds.
        """
        started: list[subprocess.Popen[str]] = []

        def kill() -> None:
            if wait:
                threading.Timer(wait, started[0].kill).start()
            else:
                started[0].kill()

        faults = self.place.consumer.server.faults
        faults.add(Fault(match, action="callback", callback=kill))
        with self.start() as process:
            started.append(process)
            process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        assert faults.served
        faults.clear()


@pytest.fixture
def commands(places: Places, catalog: dict[str, Any], tmp_path: Path) -> Callable[[str], Command]:
    """Return a function that gives the command a place."""
    selected = tmp_path / "catalog.json"
    selected.write_text(json.dumps(select(catalog, "current_user")))

    def make(kind: str) -> Command:
        place = places(kind)
        place.settings |= {
            "api_url": place.consumer.server.api_url,
            "workspaces": ["acme"],
            "max_retries": 1,
        }
        if place.config_file:
            place.config_file.write_text(json.dumps(place.settings))
        return Command(place, tmp_path, selected)

    return make


@pytest.mark.parametrize(
    ("kind", "match", "wait"),
    [
        pytest.param("configuration", TOKEN_REQUEST, 0.0, id="answer lost"),
        pytest.param("configuration", TOKEN_REQUEST, 0.01, id="while it saves"),
        pytest.param("configuration", FIRST_REQUEST, 0.0, id="first use"),
        pytest.param("database", TOKEN_REQUEST, 0.015, id="while it commits"),
    ],
)
def test_the_command(
    commands: Callable[[str], Command], kind: str, match: str, wait: float
) -> None:
    """After a kill of the real command the next run works, and there are tokens for later ones."""
    command = commands(kind)
    command.run_killed(match, wait)
    command.place.whole()
    if match == TOKEN_REQUEST and not wait:
        run = command.run()
        assert run.code == 0, run.log
        assert len(run.rows("current_user")) == 1
    command.place.works()
    command.place.ahead = HOUR
    command.place.works(replace=True)
    command.place.is_tidy()
    assert command.place.consumer.oauth.dead_presented == 0


def test_the_command_long_afterwards(commands: Callable[[str], Command]) -> None:
    """A run that finds a dead token because of a kill says in one line how to sign in again."""
    answered = steps_of(commands("configuration").place).index("test.step answered")
    command = commands("configuration")
    assert command.place.run(kill_at=answered + 1)["killed"]
    command.place.ahead = HOUR
    assert LOGIN in refusal(command.run())
    command.place.says_how()
    assert command.place.consumer.oauth.dead_presented == 1
