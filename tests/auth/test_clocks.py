"""Clocks that are wrong, differ or jump, and an `expires_in` that lies: every request is answered.

How many refreshes are allowed: one to begin with, and one for each life of a token that has ended
since, be it the life that was told or the real one. What is allowed beyond that is said in place.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tap_bitbucket.access import identities_of
from tap_bitbucket.auth import credentials_from
from tap_bitbucket.demo import Fault
from tap_bitbucket.http.identities import Identities
from tap_bitbucket.http.request import Request
from tap_bitbucket.http.session import Session
from tests.auth.conftest import HOUR, TOKEN_REQUEST, Consumer, Processes

DAY = 24 * HOUR
LIFE = 0.3
SKEWS = (-HOUR, -30.0, 30.0, HOUR)
AHEAD = 0.9
"""The part of its life after which a short-lived token is replaced."""


class Runs:
    """Runs of the tap whose clock is wrong; Bitbucket's is right."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.ahead = 0.0
        self.seed = consumer.fresh_seed
        self.spent = 0.0
        self._sessions: list[Session] = []

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of all of them."""
        api_url = self.consumer.server.api_url
        return self.consumer.settings(refresh_token=self.seed, api_url=api_url)

    def begin(self) -> Session:
        """Begin a run."""
        found = credentials_from(self.settings, clock=lambda: time.time() + self.ahead)
        session = Session(
            self.consumer.server.api_url,
            Identities(identities_of(found, "wait")),
            timeout=20,
            max_retries=0,
            connections=1,
            user_agent="tests",
        )
        self._sessions.append(session)
        return session

    def read(self, session: Session, seconds: float = 0.0) -> None:
        """Ask again and again for so long, once at least; all is answered or this fails."""
        began = time.monotonic()
        while True:
            session.read(Request("/user"), lambda answer: answer.body)
            if time.monotonic() >= began + seconds:
                break
        self.spent += time.monotonic() - began

    @property
    def refreshes(self) -> int:
        """How often they refreshed; never with a dead token."""
        assert self.consumer.oauth.dead_presented == 0
        return self.consumer.oauth.refreshes

    def close(self) -> None:
        """End them all."""
        for session in self._sessions:
            session.transport.close()


@pytest.fixture
def runs(consumer: Consumer) -> Iterator[Runs]:
    """Runs on one token file, at a Bitbucket that takes a refresh token but once."""
    consumer.oauth.clock = time.time
    consumer.oauth.grace = 0
    made = Runs(consumer)
    yield made
    made.close()


def lives(seconds: float, life: float) -> int:
    """Return how many refreshes so many seconds take at most, the first one included."""
    return 1 + math.ceil(seconds / life)


# -- clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", SKEWS)
def test_wrong_clock(runs: Runs, ahead: float) -> None:
    """A run whose clock is wrong refreshes as often as others, and the next one uses its token."""
    runs.ahead = ahead
    first = runs.begin()
    runs.read(first)
    runs.read(runs.begin())
    assert runs.refreshes == 1
    runs.consumer.oauth.access_token_lifetime = LIFE
    runs.consumer.oauth.revoke_access_tokens()
    runs.spent = 0.0
    runs.read(first, 3 * LIFE)
    # One more, since the first token was revoked.
    assert 3 <= runs.refreshes <= 1 + lives(runs.spent, LIFE)


@pytest.mark.parametrize("jump", [-DAY, -30.0, 30.0, DAY])
@pytest.mark.parametrize("life", [LIFE, 2 * HOUR])
def test_a_jump(runs: Runs, jump: float, life: float) -> None:
    """A clock that jumps in the middle, and back again, costs each run one refresh per jump."""
    oauth = runs.consumer.oauth
    oauth.access_token_lifetime, oauth.expires_in_reported = life, math.ceil(life)
    session = runs.begin()
    for ahead in (0.0, jump, 0.0):
        runs.ahead = ahead
        runs.read(session, LIFE)
        # A run that begins now knows of the token only what the clock said before.
        runs.read(runs.begin())
    least = 3 if life == LIFE else 1
    # A jump may make a token look old, or from the future: to the old run and to the new one.
    assert least <= runs.refreshes <= lives(runs.spent, life) + 2 * 2


def test_set_back_for_good(runs: Runs) -> None:
    """A token from the future is replaced once; all runs after that use the new one."""
    runs.ahead = DAY
    runs.read(runs.begin())
    runs.ahead = 0.0
    for _ in range(5):
        runs.read(runs.begin())
    assert runs.refreshes == 2


def ordered_work(
    runs: Runs, processes: Processes, ahead: tuple[float, ...], seconds: float, **settings: Any
) -> int:
    """Let processes with clocks of their own work at once; return how often they refreshed."""
    began = time.monotonic()
    told = processes.run(
        runs.settings | settings, do="work", at_once=len(ahead), ahead=ahead, seconds=seconds
    )
    runs.spent = time.monotonic() - began
    assert {one.get("error") for one in told} == {None}
    assert min(one["read"] for one in told) > 3
    return runs.refreshes


@pytest.mark.skipif(os.name == "nt", reason="POSIX fork")
@pytest.mark.parametrize("lie", [None, 7200])
@pytest.mark.parametrize("apart", [30.0, HOUR])
def test_two_machines_share_a_file(
    runs: Runs, processes: Processes, apart: float, lie: int | None
) -> None:
    """Machines whose clocks differ do not trust each other's times, so each refreshes for itself.

    So a second of a token that lives a second takes two refreshes; and where a token looks younger
    than it is, the refusal that shows it takes another one.
    """
    oauth = runs.consumer.oauth
    oauth.access_token_lifetime, oauth.expires_in_reported = 1.0, lie
    refreshes = ordered_work(runs, processes, (0.0, apart), 2.0)
    assert 2 <= refreshes <= 2 * 2 * lives(runs.spent, AHEAD)


@pytest.mark.skipif(os.name == "nt", reason="POSIX fork")
def test_two_machines_share_a_database(runs: Runs, processes: Processes, postgres: str) -> None:
    """A database keeps times by its own clock: machines an hour apart refresh for each other."""
    with psycopg.connect(postgres) as connection:
        connection.execute("DROP TABLE IF EXISTS tap_bitbucket_tokens")
    runs.consumer.oauth.access_token_lifetime = 1.0
    ahead = (-HOUR, 0.0, HOUR)
    refreshes = ordered_work(runs, processes, ahead, 2.0, token_store=postgres)
    assert 2 <= refreshes <= lives(runs.spent, AHEAD)


# -- expires_in ------------------------------------------------------------------------------------


def told(edit: Callable[[dict[str, Any]], dict[str, Any]]) -> Fault:
    """Let all answers of the token endpoint be changed."""
    return Fault(TOKEN_REQUEST, action="edit", times=None, edit=edit)


def without(answer: dict[str, Any]) -> dict[str, Any]:
    """Take `expires_in` out."""
    return {name: value for name, value in answer.items() if name != "expires_in"}


@pytest.mark.parametrize("said", [7200, 0, -5, "missing", "soon", 1e400, "nan", True])
def test_dies_early(runs: Runs, said: object) -> None:
    """A token that dies earlier than it says is replaced when that is found out, once a life."""
    runs.consumer.oauth.access_token_lifetime = LIFE
    runs.consumer.server.faults.add(
        told(without if said == "missing" else lambda answer: answer | {"expires_in": said})
    )
    runs.read(runs.begin(), 3.5 * LIFE)
    # `true` counts as no number, else it would be a second.
    assert 3 <= runs.refreshes <= lives(runs.spent, LIFE)
    runs.read(runs.begin(), LIFE)
    assert runs.refreshes <= lives(runs.spent, LIFE) + 1


@pytest.mark.parametrize("said", ["1", 0.001])
def test_lives_longer(runs: Runs, said: float | str) -> None:
    """A token that lives longer than it says is replaced by what it says, once a second at most."""
    runs.consumer.server.faults.add(told(lambda answer: answer | {"expires_in": said}))
    runs.read(runs.begin(), 1.2)
    assert 2 <= runs.refreshes <= lives(runs.spent, AHEAD)


@pytest.mark.parametrize("said", [-5, 0, "soon", "missing"])
def test_lives_on(runs: Runs, said: object) -> None:
    """A token with a useless `expires_in` that lives is used on, by all runs."""
    runs.consumer.server.faults.add(
        told(without if said == "missing" else lambda answer: answer | {"expires_in": said})
    )
    for _ in range(3):
        runs.read(runs.begin())
    assert runs.refreshes == 1
