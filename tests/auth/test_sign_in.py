"""Signing in as a library: for web applications and scripts."""

from __future__ import annotations

import signal
from http.client import HTTPConnection
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tap_bitbucket.auth import AuthenticationError, SignIn
from tap_bitbucket.auth.sign_in import code_in
from tap_bitbucket.login.status import check
from tests.auth.conftest import HOUR, Consumer

CALLBACK = "http://localhost:33333"


def sign_in_of(consumer: Consumer, **changes: Any) -> SignIn:
    """Return the way in."""
    settings = consumer.settings(oauth_authorize_url=consumer.server.oauth_authorize_url, **changes)
    return SignIn.of(settings, clock=consumer.clock, sleep=consumer.clock.sleep)


def code_for(consumer: Consumer, url: str) -> str:
    """Consent, and return the code that the application is sent."""
    parts = urlsplit(url)
    connection = HTTPConnection("127.0.0.1", consumer.server.port, timeout=10)
    connection.request("GET", f"{parts.path}?{parts.query}&approve=yes")
    with connection.getresponse() as response:
        place = response.headers["Location"]
    connection.close()
    assert parse_qs(urlsplit(place).query)["state"] == ["42"]
    return code_in(place, "42")


def test_the_whole_way(consumer: Consumer) -> None:
    """Url, code, tokens; they are kept, renewed by hand, used by runs, and forgotten."""
    sign_in = sign_in_of(consumer)
    assert sign_in.kept() is None
    code = code_for(consumer, sign_in.url(state="42", callback_url=CALLBACK))
    tokens = sign_in.exchange(code, callback_url=CALLBACK)
    assert tokens.refresh_token == consumer.kept()["refresh_token"]
    assert tokens.refresh_token
    assert tokens.refresh_token not in repr(tokens)
    assert tokens.access.value not in repr(tokens)
    assert consumer.accepts(consumer.sign().authorization())

    renewed = sign_in.refresh()
    assert renewed.access.value != tokens.access.value
    assert renewed.refresh_token == consumer.kept()["refresh_token"] != tokens.refresh_token
    assert consumer.sign().authorization() == renewed.access.header

    sign_in.forget()
    assert sign_in.kept() is None
    with pytest.raises(AuthenticationError, match="tap-bitbucket auth login"):
        consumer.sign()


def test_a_sign_in_goes_before_the_seed(consumer: Consumer) -> None:
    """After a new sign-in the refresh token in the settings is an old one, used or not."""
    seed = consumer.fresh_seed
    consumer.sign(refresh_token=seed).authorization()
    unused = consumer.fresh_seed
    sign_in = sign_in_of(consumer, refresh_token=unused)
    tokens = sign_in.exchange(code_for(consumer, sign_in.url(state="42")))
    for old in (seed, unused):
        consumer.clock.now += 5 * HOUR
        assert consumer.accepts(consumer.sign(refresh_token=old).authorization())
    assert consumer.oauth.refresh_tokens[unused].used is None
    assert tokens.refresh_token is not None
    assert consumer.oauth.refresh_tokens[tokens.refresh_token].used is not None


def test_a_code_is_good_once(consumer: Consumer) -> None:
    """A code that was used is refused in one line, and the tokens stay as they are."""
    sign_in = sign_in_of(consumer)
    code = code_for(consumer, sign_in.url(state="42"))
    sign_in.exchange(code)
    before = consumer.kept()
    with pytest.raises(AuthenticationError, match="good once") as caught:
        sign_in.exchange(code)
    assert code not in str(caught.value)
    assert consumer.kept() == before


def test_the_connection_is_tested(consumer: Consumer) -> None:
    """`check` tells a program what `auth status` tells a person, and leaves its signals alone."""
    sign_in = sign_in_of(consumer)
    sign_in.exchange(code_for(consumer, sign_in.url(state="42")))
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    settings = consumer.settings(api_url=consumer.server.api_url, workspaces=["acme"])
    (report,) = check(settings)
    assert report.works
    assert report.workspaces == {"acme": None}
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(AuthenticationError, match="'nobody'"):
        check(settings, credential="nobody")


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"client_id": None, "client_secret": None, "access_token": "t"}, "OAuth consumer"),
        ({"oauth_grant": "client_credentials"}, "client credentials"),
    ],
)
def test_nothing_to_sign_in_to(consumer: Consumer, settings: dict[str, Any], word: str) -> None:
    """Kinds of credentials that keep nothing say so."""
    with pytest.raises(AuthenticationError, match=word):
        sign_in_of(consumer, **settings).refresh()
