"""Rate limits, and everything that can go wrong on order."""

from __future__ import annotations

import contextlib
import http.client
import time
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer, Fault, RateLimit, World
from tests.standin.client import Client, basic

PATH = "/repositories/acme"


def test_limit(server: BitbucketServer, api: Client) -> None:
    """Beyond the limit answers 429, without any header by default."""
    server.rate_limit = RateLimit(limit=2)
    answers = [api.get(PATH) for _ in range(3)]
    assert [one.status for one in answers] == [200, 200, 429]
    assert answers[2].message == "Rate limit for this resource has been exceeded"
    assert not [name for name in answers[2].headers if "ratelimit" in name or "retry" in name]


def test_remaining_headers(server: BitbucketServer, api: Client) -> None:
    """The reset header counts seconds that remain; the limit header has two forms in one."""
    server.rate_limit = RateLimit(limit=3, window=3600, headers="remaining")
    headers = [api.get(PATH).headers for _ in range(4)]
    assert [one["x-ratelimit-remaining"] for one in headers] == ["2", "1", "0", "0"]
    assert headers[0]["x-ratelimit-limit"] == "3, 3;w=3600"
    assert 3590 < int(headers[3]["x-ratelimit-reset"]) <= 3600


def test_near_limit_headers(server: BitbucketServer, api: Client) -> None:
    """The other form tells only when less than a fifth is left."""
    server.rate_limit = RateLimit(limit=10, headers="nearlimit")
    told = [api.get(PATH).headers["x-ratelimit-nearlimit"] for _ in range(10)]
    assert told == ["false"] * 8 + ["true"] * 2


def test_retry_after(server: BitbucketServer, api: Client) -> None:
    """Retry-After comes in seconds or as a date, and the body may be plain text."""
    server.rate_limit = RateLimit(limit=0, window=60, retry_after="seconds")
    assert 0 < int(api.get(PATH).headers["retry-after"]) <= 60
    server.rate_limit = RateLimit(limit=0, window=60, retry_after="date", plain_text=True)
    answer = api.get(PATH)
    parsedate_to_datetime(answer.headers["retry-after"])
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.body == b"Rate limit for this resource has been exceeded"


def test_rolling_window(server: BitbucketServer, api: Client) -> None:
    """The window rolls: each request is forgotten on its own."""
    now = [0.0]
    server.rate_limit = RateLimit(limit=2, window=100, clock=lambda: now[0])
    seen = []
    for moment in (0, 60, 70, 101, 102, 161):
        now[0] = moment
        seen.append(api.get(PATH).status)
    assert seen == [200, 200, 429, 200, 429, 200]


def test_counted_per_identity(server: BitbucketServer, world: World, api: Client) -> None:
    """OAuth is counted per consumer whatever its user, each access token on its own."""
    bob = world.add_user("Bob")
    world.add_member("acme", bob)
    workspace = world.workspace("acme")
    world.identities.add_access_token("t1", "workspace", bound_to=workspace)
    world.identities.add_access_token("t2", "workspace", bound_to=workspace)
    tokens = []
    for user in (world.user("Ann"), bob):
        seed = world.oauth.issue_refresh_token("client", user=user)
        form = [("grant_type", "refresh_token"), ("refresh_token", seed)]
        client = Client(server, basic("client", "secret"))
        tokens.append(client.ask("POST", server.oauth_token_url, form=form).json["access_token"])
    server.rate_limit = RateLimit(limit=1)
    keys = [tokens[0], tokens[1], "t1", "t2"]
    statuses = [Client(server, f"Bearer {key}").get(PATH).status for key in keys]
    assert statuses == [200, 429, 200, 200]
    assert api.get(PATH).status == 200


def test_respond(server: BitbucketServer, api: Client) -> None:
    """A fault is served as often as ordered, after as many as ordered, and is remembered."""
    server.faults.add(Fault("GET /2.0/repositories", 502, {"X-A": "b"}, "oops", times=2, after=1))
    answers = [api.get(PATH) for _ in range(4)]
    assert [one.status for one in answers] == [200, 502, 502, 200]
    assert (answers[1].body, answers[1].headers["x-a"]) == (b"oops", "b")
    assert len(server.faults.served) == 2
    server.faults.add(Fault("acme", 500, times=None))
    assert [api.get(PATH).status for _ in range(3)] == [500] * 3
    server.faults.clear()
    assert api.get(PATH).status == 200


@pytest.mark.parametrize("action", ["reset", "reset_after_headers", "reset_after_handling"])
def test_reset(server: BitbucketServer, api: Client, action: str) -> None:
    """A reset breaks the connection; the next request works."""
    server.faults.add(Fault("acme", action=action))
    with pytest.raises((ConnectionResetError, http.client.HTTPException)):
        api.get(PATH)
    assert api.get(PATH).status == 200


def test_lost_reply(server: BitbucketServer, world: World) -> None:
    """A reply can be lost after the work was done: the refresh token has rotated."""
    seed = world.oauth.issue_refresh_token("client", user=world.user("Ann"))
    server.faults.add(Fault("POST /site/oauth2/access_token", action="reset_after_handling"))
    form = [("grant_type", "refresh_token"), ("refresh_token", seed)]
    client = Client(server, basic("client", "secret"))
    with pytest.raises(ConnectionResetError):
        client.ask("POST", server.oauth_token_url, form=form)
    assert world.oauth.refresh_tokens[seed].used is not None
    assert client.ask("POST", server.oauth_token_url, form=form).status == 200


def test_truncate(server: BitbucketServer, api: Client) -> None:
    """A truncated body is shorter than its Content-Length."""
    server.faults.add(Fault("acme", action="truncate"))
    with pytest.raises(http.client.IncompleteRead):
        api.get(PATH)


@pytest.mark.parametrize("more", [-5, 5])
def test_miscount(server: BitbucketServer, api: Client, more: int) -> None:
    """A Content-Length can tell more or fewer bytes than there are, on an open connection."""
    whole = len(api.get(PATH).body)
    server.faults.add(Fault("acme", action="miscount", more=more))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=0.5)
    assert api.authorization is not None
    connection.request("GET", f"/2.0{PATH}", headers={"Authorization": api.authorization})
    with connection.getresponse() as response:
        assert int(response.headers["Content-Length"]) == whole + more
        if more < 0:
            assert len(response.read()) == whole + more
        else:
            with pytest.raises(TimeoutError):
                response.read()
    connection.close()
    assert api.get(PATH).status == 200


@pytest.mark.parametrize("action", ["drip", "flood"])
def test_an_answer_without_end(server: BitbucketServer, api: Client, action: str) -> None:
    """An answer can go on until the client has had enough, a byte at a time or many."""
    server.faults.add(Fault("acme", status=200, action=action, seconds=0.01))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    assert api.authorization is not None
    connection.request("GET", f"/2.0{PATH}", headers={"Authorization": api.authorization})
    with connection.getresponse() as response:
        assert response.status == 200
        assert response.headers["Content-Length"] is None
        length = 20 if action == "drip" else 2**22
        assert response.read(length) == b" " * length
    connection.close()
    assert api.get(PATH).status == 200


def test_refuse(server: BitbucketServer, api: Client) -> None:
    """A server can be gone for a while, and comes back at the same address."""
    kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    kept.request("GET", "/2.0/hook_events")
    kept.getresponse().read()
    server.faults.add(Fault("acme", action="refuse", seconds=0.3))
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        api.get(PATH)
    with pytest.raises(ConnectionRefusedError):
        api.get(PATH)
    assert kept.sock.recv(1) == b"", "an open connection outlived the server"
    kept.close()
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        with contextlib.suppress(ConnectionError):
            assert api.get(PATH).status == 200
            return
        time.sleep(0.02)
    pytest.fail("it did not come back")


def test_hang(server: BitbucketServer, api: Client) -> None:
    """A hanging request is answered late."""
    server.faults.add(Fault("acme", action="hang", seconds=0.2))
    began = time.monotonic()
    assert api.get(PATH).status == 200
    assert time.monotonic() - began >= 0.2


def test_redirect(server: BitbucketServer, api: Client) -> None:
    """A request can be sent elsewhere."""
    server.faults.add(Fault("acme", action="redirect", to="http://127.0.0.2:1/x"))
    answer = api.get(PATH)
    assert (answer.status, answer.headers["location"]) == (302, "http://127.0.0.2:1/x")


def test_edit(server: BitbucketServer, api: Client) -> None:
    """The true answer can be changed on its way."""

    def foreign(body: dict[str, Any]) -> dict[str, Any]:
        return body | {"next": "https://evil.example/2.0/next"}

    server.faults.add(Fault("acme", action="edit", edit=foreign))
    answer = api.get(PATH)
    assert answer.json["next"].startswith("https://evil.example")
    assert len(answer.values) == 1


def test_callback(server: BitbucketServer, world: World, api: Client) -> None:
    """The world can be changed just before an answer."""
    server.faults.add(
        Fault("page=2", action="callback", callback=lambda: world.add_repository("acme", "late"))
    )
    assert len(api.get(PATH).values) == 1
    assert len(api.get(PATH, page=2, pagelen=1).values) == 1


def test_latency(server: BitbucketServer, api: Client) -> None:
    """Every API request can be slow."""
    server.latency = 0.1
    began = time.monotonic()
    api.get(PATH)
    assert time.monotonic() - began >= 0.1


def test_unknown_action() -> None:
    """A fault with an unknown action is refused at once."""
    with pytest.raises(ValueError, match="unknown action"):
        Fault("x", action="explode")
