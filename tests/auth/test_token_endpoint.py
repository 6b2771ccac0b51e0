"""The token endpoint may be slow, unwell, cut off or somewhere else."""

from __future__ import annotations

from email.utils import formatdate
from urllib.parse import parse_qs

import pytest
import requests

from tap_bitbucket.auth import AuthenticationError
from tap_bitbucket.auth.oauth import (
    Answer,
    Blame,
    Granted,
    NoTokenEndpoint,
    Refused,
    Transient,
    answer,
)
from tap_bitbucket.demo import BitbucketServer, Fault
from tests.auth.conftest import TOKEN_REQUEST, Consumer


@pytest.mark.parametrize("action", ["reset_after_handling", "reset_after_headers", "truncate"])
def test_a_lost_reply(consumer: Consumer, action: str) -> None:
    """A reply that got lost is asked for again with the same token, and its answer kept."""
    consumer.server.faults.add(Fault(TOKEN_REQUEST, action=action, times=2))
    seed = consumer.fresh_seed
    assert consumer.accepts(consumer.sign(refresh_token=seed).authorization())
    bodies = consumer.token_requests()
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    kept = consumer.kept()["refresh_token"]
    assert consumer.oauth.refresh_tokens[kept].used is None
    assert consumer.oauth.dead_presented == 0


def test_a_reply_lost_in_the_next_run_too(consumer: Consumer) -> None:
    """When no reply comes through, the run ends with the old token, and the next one may use it."""
    consumer.server.faults.add(Fault(TOKEN_REQUEST, action="reset_after_handling", times=6))
    seed = consumer.fresh_seed
    began = consumer.clock.now
    with pytest.raises(AuthenticationError, match="6 attempts"):
        consumer.sign(refresh_token=seed).authorization()
    assert consumer.clock.now - began < consumer.oauth.grace / 2
    assert consumer.accepts(consumer.sign(refresh_token=seed).authorization())


def test_a_slow_reply(consumer: Consumer) -> None:
    """A reply that takes longer than `request_timeout` is asked for again."""
    consumer.server.faults.add(Fault(TOKEN_REQUEST, action="hang", seconds=1.0))
    made = consumer.sign(refresh_token=consumer.fresh_seed, request_timeout=0.2)
    assert consumer.accepts(made.authorization())
    assert len(consumer.clock.slept) > 0


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 555])
def test_unwell(consumer: Consumer, status: int) -> None:
    """What passes by itself is tried again, with pauses that grow at random and end."""
    consumer.server.faults.add(Fault(TOKEN_REQUEST, status=status, times=5))
    assert consumer.accepts(consumer.sign(refresh_token=consumer.fresh_seed).authorization())
    assert 0 < sum(consumer.clock.slept) <= 2 + 4 + 8 + 16 + 32 + 5


def test_unwell_for_long(consumer: Consumer) -> None:
    """An endpoint that stays unwell ends the run in one line, with the token unspent."""
    consumer.server.faults.add(Fault(TOKEN_REQUEST, status=503, times=None))
    seed = consumer.fresh_seed
    made = consumer.sign(refresh_token=seed)
    with pytest.raises(AuthenticationError, match=r"HTTP 503, 6 attempts\): run again") as caught:
        made.authorization()
    assert "\n" not in str(caught.value)
    assert len(consumer.token_requests()) == 6
    with pytest.raises(AuthenticationError):  # the other threads of the run do not try it again
        made.authorization()
    assert len(consumer.token_requests()) == 6
    consumer.server.faults.clear()
    assert consumer.accepts(consumer.sign(refresh_token=seed).authorization())


def test_retry_after(consumer: Consumer) -> None:
    """`Retry-After` is waited for, in seconds or as a date."""
    later = formatdate(consumer.clock.now + 150, usegmt=True)
    consumer.server.faults.add(Fault(TOKEN_REQUEST, status=429, headers={"Retry-After": "100"}))
    consumer.server.faults.add(Fault(TOKEN_REQUEST, status=503, headers={"Retry-After": later}))
    began = consumer.clock.now
    assert consumer.accepts(consumer.sign(refresh_token=consumer.fresh_seed).authorization())
    assert 150 <= consumer.clock.now - began < 160


def test_retry_after_too_long(consumer: Consumer) -> None:
    """A wait longer than a repetition is safe ends the run, and is told."""
    consumer.server.faults.add(Fault(TOKEN_REQUEST, status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(AuthenticationError, match="run again in 3600 s"):
        consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    assert consumer.clock.slept == []


def test_nobody_there(consumer: Consumer) -> None:
    """An endpoint that cannot be reached is a line that names it."""
    consumer.server.stop()
    with pytest.raises(AuthenticationError, match="connection refused") as caught:
        consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    assert consumer.server.oauth_token_url in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(consumer: Consumer, status: int) -> None:
    """Client secret and refresh token go to `oauth_token_url` and not where it points."""
    with BitbucketServer(consumer.world) as elsewhere:
        to = elsewhere.oauth_token_url
        fault = Fault(TOKEN_REQUEST, status=status, action="redirect", to=to, times=None)
        consumer.server.faults.add(fault)
        with pytest.raises(AuthenticationError, match=r"oauth_token_url .* redirects"):
            consumer.sign(refresh_token=consumer.fresh_seed).authorization()
        assert elsewhere.requests == []


def test_the_wrong_address(consumer: Consumer) -> None:
    """An address that is no token endpoint is named as the mistake; no token is blamed."""
    seed = consumer.fresh_seed
    wrong = consumer.server.api_url + "/user"
    with pytest.raises(AuthenticationError, match=r"oauth_token_url .* without an OAuth error"):
        consumer.sign(refresh_token=seed, oauth_token_url=wrong).authorization()
    consumer.token_file.unlink(missing_ok=True)
    assert consumer.accepts(consumer.sign(refresh_token=seed).authorization())


def test_what_is_sent(consumer: Consumer) -> None:
    """The client signs by Basic; the form holds the grant and the refresh token, no more."""
    seed = consumer.fresh_seed
    consumer.sign(refresh_token=seed, user_agent="tap-bitbucket/9").authorization()
    (request,) = consumer.server.requests
    assert parse_qs(request.body) == {"grant_type": ["refresh_token"], "refresh_token": [seed]}
    assert request.headers["authorization"].startswith("Basic ")
    assert request.headers["user-agent"] == "tap-bitbucket/9"


def test_credentials_of_a_netrc_are_not_sent(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """Only the given client speaks, whatever else this machine knows of the host."""
    path = f"{tmp_path}/netrc"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", path)
    assert requests.utils.get_netrc_auth("http://127.0.0.1/")
    assert consumer.accepts(consumer.sign(refresh_token=consumer.fresh_seed).authorization())


GRANTED = b'{"access_token": "a.b-c_", "refresh_token": "r", "expires_in": 7200, "scope": "x y"}'


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, GRANTED, Granted("a.b-c_", "r", 7200.0, "x y")),
        (200, b'{"access_token": "a", "scopes": "x"}', Granted("a", None, 3600.0, "x")),
        (200, b'{"access_token": "a", "scope": ["x", "y"]}', Granted("a", None, 3600.0, "x y")),
        (200, b'{"access_token": "a", "expires_in": "7200"}', Granted("a", None, 7200.0, None)),
        (200, b'{"access_token": "a b"}', Transient("HTTP 200 without a token")),
        (200, b'{"access_token": "a\\r\\nX: y"}', Transient("HTTP 200 without a token")),
        (200, b'{"access_token": 1}', Transient("HTTP 200 without a token")),
        (200, b"<html>", Transient("HTTP 200 without a token")),
        (200, b"[]", Transient("HTTP 200 without a token")),
        (429, b"slow down", Transient("HTTP 429")),
        (503, b"", Transient("HTTP 503")),
        (400, b'{"error": "invalid_grant"}', Refused("invalid_grant", Blame.REFRESH_TOKEN)),
        (
            400,
            b'{"error": "invalid_request", "error_description": "Invalid refresh_token"}',
            Refused("invalid_request", Blame.REFRESH_TOKEN),
        ),
        (400, b'{"error": "invalid_request"}', Refused("invalid_request", Blame.UNCLEAR)),
        (400, b'{"error": "invalid_client"}', Refused("invalid_client", Blame.CLIENT)),
        (401, b'{"error": "invalid_client"}', Refused("invalid_client", Blame.CLIENT)),
        (400, b'{"error": "unauthorized_client"}', Refused("unauthorized_client", Blame.UNCLEAR)),
        (400, b'{"error": "brand_new"}', Refused("brand_new", Blame.UNCLEAR)),
    ],
)
def test_answers(status: int, body: bytes, expected: Answer) -> None:
    """What each answer of the token endpoint means."""
    assert answer(status, {}, body, 0.0) == expected


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"<html>"),
        (401, b""),
        (400, b"<html>"),
        (403, b"{}"),
        (400, b'{"error": {"message": "x"}}'),
    ],
)
def test_no_token_endpoint(status: int, body: bytes) -> None:
    """An error that is no OAuth error comes from something else."""
    assert isinstance(answer(status, {}, body, 0.0), NoTokenEndpoint)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("12", 12.0), ("Thu, 01 Jan 1970 00:01:00 GMT", 60.0), ("soon", None), ("-1", 0.0)],
)
def test_retry_after_forms(value: str, seconds: float | None) -> None:
    """`Retry-After` as a number, as a date, and as nonsense."""
    assert answer(503, {"Retry-After": value}, b"", 0.0) == Transient("HTTP 503", seconds)
