"""TLS is verified: a server that cannot show who it is gets nothing, and a line says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.auth import authenticators_from
from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.tokens import AccessToken
from tap_bitbucket.login.account import account_of
from tests.catalogs import only
from tests.security.conftest import STREAMS, Bitbucket, assert_whole
from tests.security.places import TLS, Answers
from tests.support import run_here

# A server's hello that offers TLS 1.1 and nothing newer, and one that offers TLS 1.0.
OLD = {
    version: bytes.fromhex(f"160{version}002a0200002603{version[1:]}")
    + bytes(32)
    + bytes.fromhex("00c01300")
    for version in ("302", "301")
}


def refused(bitbucket: Bitbucket, catalog: dict[str, Any], url: str) -> list[str]:
    """Return what is said at the API, at the token endpoint, and of who signed in."""
    settings = bitbucket.settings("api_token", url, concurrency=1)
    run = run_here(settings, catalog=only(catalog, *STREAMS))
    assert run.code == 1
    assert run.rows("workspaces") == []
    (line,) = [one for one in run.log.splitlines() if "No token goes to" in one]
    assert "Asking again" not in run.log
    (made,) = authenticators_from(bitbucket.settings("oauth", url))
    with pytest.raises(AuthenticationError) as caught:
        made.authorization()
    settings = {**bitbucket.settings("oauth", url), "request_timeout": 5}
    account = account_of(AccessToken("a-token", 0.0, 60.0), settings)
    assert account.name is None
    assert bitbucket.found_in(run.log, str(caught.value), account.why) == []
    return [line, str(caught.value)]


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"signed": False}, "self-signed certificate"),
        ({"address": "127.0.0.2"}, "mismatch"),
        ({"days": (-9, -1)}, "expired"),
        ({"days": (1, 9)}, "not yet valid"),
    ],
)
def test_certificates_that_are_refused(
    bitbucket: Bitbucket,
    secured: Callable[..., TLS],
    trusted: Path,
    catalog: dict[str, Any],
    about: dict[str, Any],
    words: str,
) -> None:
    """A certificate of nobody, of another host, of another time: one line with the reason."""
    assert trusted.exists()
    place = secured(**about)
    for line in refused(bitbucket, catalog, place.url):
        assert "certificate is not trusted" in line
        assert words in line
    assert len(place.began) == 3  # none was tried twice
    assert place.all_heard == b""
    assert bitbucket.server.requests == []


def test_an_authority_that_nobody_told(
    bitbucket: Bitbucket, secured: Callable[..., TLS], catalog: dict[str, Any]
) -> None:
    """An authority of which the environment says nothing is not trusted; the way out is named."""
    place = secured()
    for line in refused(bitbucket, catalog, place.url):
        assert "certificate is not trusted" in line
    assert place.all_heard == b""


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_an_authority_that_is_told(
    bitbucket: Bitbucket,
    secured: Callable[..., TLS],
    trusted: Path,
    catalog: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """With its file named in the environment, sign-in and run go over TLS."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setenv(name, str(trusted))
    place = secured()
    run = run_here(bitbucket.settings("oauth", place.url), catalog=only(catalog, *STREAMS))
    assert_whole(run)
    assert bitbucket.found_in(place.all_heard) != []


@pytest.mark.parametrize(
    "answer", [*OLD.values(), b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["1.1", "1.0", "no TLS"]
)
def test_no_tls_or_an_old_one(bitbucket: Bitbucket, catalog: dict[str, Any], answer: bytes) -> None:
    """TLS 1.1 and older, and what speaks no TLS at all, is no connection to send a token over."""
    with Answers(answer) as place:
        for line in refused(bitbucket, catalog, place.url):
            assert "does not speak TLS 1.2" in line
        assert {one[:2] for one in place.heard} == {b"\x16\x03"}
        assert bitbucket.found_in(place.all_heard) == []


def test_a_handshake_that_is_cut_off(
    bitbucket: Bitbucket, secured: Callable[..., TLS], trusted: Path, catalog: dict[str, Any]
) -> None:
    """A connection that ends before there is TLS is a lost one, and is tried again."""
    assert trusted.exists()
    place = secured()
    place.drops = {0, 2}  # the first at the token endpoint, and the first at the API
    run = run_here(
        bitbucket.settings("oauth", place.url, concurrency=1), catalog=only(catalog, *STREAMS)
    )
    assert_whole(run)
    assert len(place.began) >= 4
    assert "token endpoint: connection cut off" in run.log
    assert "no connection. Asking again" in run.log
