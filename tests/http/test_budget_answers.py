"""Which answers count for the budget: over real HTTP, with threads that wait for each other."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tap_bitbucket.auth.authenticators import ApiToken
from tap_bitbucket.demo import BitbucketServer, Fault, RateLimit, World
from tap_bitbucket.http.budget import Budget
from tap_bitbucket.http.errors import ReadError
from tap_bitbucket.http.identities import Identities, Identity
from tap_bitbucket.http.limits import Limits
from tap_bitbucket.http.request import Request
from tap_bitbucket.http.session import Session

USER = Request("/user")


@pytest.fixture
def server() -> Iterator[BitbucketServer]:
    """Serve somebody with a token."""
    world = World("somebody")
    maya = world.add_user("Maya", email="maya@people.example")
    world.identities.add_api_token(maya.email, "planted-token", user=maya)
    with BitbucketServer(world) as server:
        yield server


def session_with(server: BitbucketServer, on_limit: str = "wait") -> Session:
    """Return a session with the stand-in."""
    budget = Budget("Maya", on_limit=on_limit)
    maya = Identity("Maya", ApiToken("maya@people.example", "planted-token"), budget)
    return Session(
        server.api_url,
        Identities([maya], Limits()),
        timeout=5,
        max_retries=0,
        connections=8,
        user_agent="test/1",
    )


def read(session: Session, request: Request = USER) -> None:
    """Ask once; whatever the answer."""
    with contextlib.suppress(ReadError):
        session.read(request, lambda answer: answer.body)


@pytest.mark.parametrize("kind", ["not found", "no answer", "redirected"])
def test_whatever_becomes_of_the_first_one_the_others_follow(
    server: BitbucketServer, kind: str
) -> None:
    """A 404, a lost connection or a redirect after a pause keeps nobody waiting for ever."""
    session = session_with(server)
    server.faults.add(Fault("/user", status=429, headers={"Retry-After": "0"}))
    faults: dict[str, dict[str, Any]] = {
        "not found": {"status": 404},
        "no answer": {"action": "reset"},
        "redirected": {"action": "redirect", "to": f"{server.api_url}/user"},
    }
    server.faults.add(Fault("/user", **faults[kind]))
    threads = [threading.Thread(target=read, args=(session,), daemon=True) for _ in range(3)]
    threads[0].start()
    while not server.requests:
        time.sleep(0.01)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive(), "it waits for an answer that will never come"
    assert [one.status for one in server.requests].count(200) >= 2
    assert session.identities.budgets[0].waits == 1


def test_an_error_tells_what_is_left_as_well(server: BitbucketServer) -> None:
    """Answers that hold no rows have the same headers, and cost the same."""
    server.rate_limit = RateLimit(limit=1000, headers="remaining")
    session = session_with(server)
    read(session, Request("/repositories/nobody/nothing"))
    assert server.requests[0].status == 404
    assert session.identities.budgets[0].last.remaining == 999


@pytest.mark.parametrize("on_limit", ["wait", "stop"])
def test_a_403_of_the_rate_limit_is_waited_for(server: BitbucketServer, on_limit: str) -> None:
    """A limit that comes as a 403 is no missing permission: asked again, or the end of the run."""
    body = "Rate limit for this resource has been exceeded"
    server.faults.add(Fault("/user", status=403, headers={"Retry-After": "1"}, body=body))
    session = session_with(server, on_limit)
    read(session)
    statuses = [one.status for one in server.requests]
    assert statuses == ([403, 200] if on_limit == "wait" else [403])
    assert session.identities.budgets[0].spent == (on_limit == "stop")


def test_with_stop_the_last_one_allowed_is_the_last_one_sent(server: BitbucketServer) -> None:
    """Where the headers tell, a run that stops meets no 429 at all, and wastes no request."""
    server.rate_limit = RateLimit(limit=20, headers="remaining")
    session = session_with(server, "stop")
    for _ in range(30):
        read(session)
    assert [one.status for one in server.requests] == [200] * 20
