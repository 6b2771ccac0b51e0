"""Credentials go to the configured host over the configured scheme, and nowhere else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from tap_bitbucket.auth import authenticators_from
from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.tokens import AccessToken
from tap_bitbucket.checks import problems
from tap_bitbucket.demo import EXAMPLE_WORKSPACE, Fault
from tap_bitbucket.http.errors import ReadError
from tap_bitbucket.http.request import Request
from tap_bitbucket.login.account import account_of
from tap_bitbucket.settings import SETTINGS
from tests.catalogs import only
from tests.furniture import furnish
from tests.http.test_session import rows, session_of
from tests.security.conftest import STREAMS, Bitbucket
from tests.security.places import TLS, Recorder
from tests.story import story_of
from tests.support import run_here, select_all
from tests.truth import ALL_STREAMS

STATUSES = (301, 302, 303, 307, 308)
BRANCHES = Request(f"/repositories/{EXAMPLE_WORKSPACE}/sky/refs/branches", (("pagelen", "10"),))
REFS = f"/2.0{BRANCHES.path}"

# {there} is the port of a server that must hear nothing, {own} the API's.
AWAY = [
    "http://127.0.0.1:{there}" + REFS,
    "//127.0.0.1:{there}" + REFS,
    "///127.0.0.1:{there}" + REFS,
    "http://localhost:{there}" + REFS,
    "http://localhost:{own}" + REFS,
    "http://[::1]:{own}" + REFS,
    "http://127.1:{own}" + REFS,
    "https://127.0.0.1:{own}" + REFS,
    "https://127.0.0.1:{there}" + REFS,
    "http://user:pass@127.0.0.1:{there}" + REFS,
    "http://127.0.0.1:{own}@127.0.0.1:{there}" + REFS,
    "http://127.0.0.1:{own}%2F@127.0.0.1:{there}" + REFS,
    "http://127.0.0.1:{own}\\@127.0.0.1:{there}" + REFS,
    "ftp://127.0.0.1:{own}" + REFS,
    "file:///etc/passwd",
    # Readers of addresses do not agree about these: one sees the API, one the other server.
    "http://127.0.0.1:{there}\\@127.0.0.1:{own}" + REFS,
    "http://127.0.0.1:{there}\\.x@127.0.0.1:{own}" + REFS,
    "http://127.0.0.1:{there}%5C@127.0.0.1:{own}" + REFS,
    "http:\\\\127.0.0.1:{there}" + REFS,
    "/\\127.0.0.1:{there}" + REFS,
    "http:127.0.0.1:{there}" + REFS,
    # This is the API, and what stands before it must not sign.
    "http://user:pass@127.0.0.1:{own}" + REFS,
]


def read(bitbucket: Bitbucket) -> None:
    """Read a list of two pages, whatever comes of it."""
    bitbucket.server.clear_requests()
    (authenticator,) = authenticators_from(bitbucket.settings("api_token"))
    session = session_of(bitbucket.server, authenticator, max_retries=0)
    with suppress(ReadError):
        rows(session, BRANCHES)
    session.transport.close()
    assert len(bitbucket.authorizations) == 1


@pytest.mark.parametrize("to", AWAY)
def test_redirects(bitbucket: Bitbucket, elsewhere: Recorder, to: str) -> None:
    """No redirect leads a request to another host, port or scheme, however it is written."""
    place = to.format(there=elsewhere.port, own=bitbucket.server.port)
    for status in STATUSES:
        match = r"/refs/branches\?pagelen=10$"
        fault = Fault(match, action="redirect", status=status, to=place)
        bitbucket.server.faults.add(fault)
        read(bitbucket)
        assert fault.times == 0
    assert elsewhere.heard == []


@pytest.mark.parametrize("to", AWAY)
def test_next_links(bitbucket: Bitbucket, elsewhere: Recorder, to: str) -> None:
    """No `next` link does either; where the page has a number, the list goes on by that."""
    place = to.format(there=elsewhere.port, own=bitbucket.server.port)
    left_out: set[str] = set()

    def edit(page: dict[str, Any]) -> dict[str, Any]:
        kept = {name: page[name] for name in page if name not in left_out}
        return {**kept, "next": f"{place}?page=2"} if "next" in page else page

    bitbucket.server.faults.add(Fault("/refs/branches", action="edit", edit=edit, times=None))
    read(bitbucket)
    left_out.add("page")
    read(bitbucket)
    assert len(bitbucket.server.faults.served) >= 2
    assert elsewhere.heard == []


def test_all_links_in_all_answers(
    catalog: dict[str, Any], elsewhere: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of all streams goes to none of the addresses in the rows, be they where they may."""
    led = [0]

    def astray(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: astray(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [astray(inner) for inner in value]
        if isinstance(value, str) and value.startswith(("http://", "https://")):
            led[0] += 1
            return f"{elsewhere.url}/2.0/{value.rpartition('/2.0/')[2]}"
        return value

    whole = select_all(catalog, *ALL_STREAMS)
    with story_of(whole, monkeypatch, max_retries=0) as story:
        furnish(story)
        story.clock.later(days=1)
        story.server.faults.add(Fault("GET|POST", action="edit", edit=astray, times=None))
        run = story.sync()
    assert led[0] > 1000
    assert sum(run.counts.values()) > 200
    assert elsewhere.heard == []


@pytest.mark.parametrize("kind", ["oauth", "client", "api_token", "access_token"])
def test_a_run_of_each_kind(
    bitbucket: Bitbucket,
    elsewhere: Recorder,
    catalog: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    """Where every answer leads away, a run ends with a line, and nobody else was asked."""
    caplog.set_level(logging.DEBUG)
    match = "/2.0/(workspaces|repositories)"
    bitbucket.server.faults.add(Fault(match, action="redirect", to=elsewhere.url, times=None))
    run = run_here(bitbucket.settings(kind), catalog=only(catalog, *STREAMS))
    assert run.code == 1
    assert "elsewhere" in run.log
    assert elsewhere.heard == []
    assert bitbucket.found_in(run.log, caplog.text, *run.lines) == []


@pytest.mark.parametrize("status", STATUSES)
def test_the_token_endpoint(bitbucket: Bitbucket, elsewhere: Recorder, status: int) -> None:
    """Client secret and refresh token follow no redirect, be it to the same server."""
    for to in (elsewhere.url, f"{bitbucket.server.url}/2.0/user", "/site/oauth2/other"):
        match = "POST /site/oauth2/access_token"
        bitbucket.server.faults.add(Fault(match, action="redirect", status=status, to=to))
        (made,) = authenticators_from(bitbucket.settings())
        bitbucket.server.clear_requests()
        with pytest.raises(AuthenticationError, match="secrets do not follow redirects"):
            made.authorization()
        assert len(bitbucket.server.requests) == 1
    assert elsewhere.heard == []


@pytest.mark.parametrize("status", STATUSES)
def test_who_signed_in(bitbucket: Bitbucket, elsewhere: Recorder, status: int) -> None:
    """Nor does the question who signed in."""
    bitbucket.server.faults.add(
        Fault("/2.0/user", action="redirect", status=status, to=f"{elsewhere.url}/2.0/user")
    )
    settings = {**bitbucket.settings(), "request_timeout": 5}
    found = account_of(AccessToken("a-token", 0.0, 60.0), settings)
    assert found.why == f"HTTP {status}"
    assert elsewhere.heard == []


@pytest.mark.usefixtures("trusted")
def test_never_from_tls_to_plain(bitbucket: Bitbucket, secured: Callable[..., TLS]) -> None:
    """From https:// no redirect and no `next` link leads to http://, not even on the same port."""
    place = secured()
    (authenticator,) = authenticators_from(bitbucket.settings("api_token"))
    for port in (place.port, bitbucket.server.port):
        to = f"http://127.0.0.1:{port}{REFS}"
        bitbucket.server.clear_requests()
        bitbucket.server.faults.add(Fault("/refs/branches", action="redirect", to=to))
        session = session_of(
            bitbucket.server, authenticator, api_url=f"{place.url}/2.0", max_retries=0
        )
        with pytest.raises(ReadError, match="elsewhere"):
            rows(session, BRANCHES)
        session.transport.close()
        assert len(bitbucket.server.requests) == 1
    assert place.began
    assert {one[:2] for one in place.began} == {b"\x16\x03"}


@pytest.mark.parametrize("name", ["api_url", "oauth_token_url"])
@pytest.mark.parametrize(
    "url",
    [
        "http://api.bitbucket.org/2.0",
        "http://bitbucket.org/site/oauth2/access_token",
        "https://me:secret-word@api.bitbucket.org/2.0",
        "https://:secret-word@api.bitbucket.org/2.0",
        "https://api.bitbucket.org/2.0?access_token=secret-word",
        "https://api.bitbucket.org/2.0#secret-word",
        "ftp://api.bitbucket.org/2.0",
        "https://",
        "https://[",
    ],
)
def test_addresses_in_the_settings(name: str, url: str) -> None:
    """Bitbucket's own hosts are asked over TLS alone, and no address brings its own sign-in."""
    (said,) = problems({name: url}, SETTINGS)
    assert name in said
    assert "https://" in said
    assert "secret-word" not in said.partition("#")[0]
    assert problems({name: "https://api.bitbucket.org/2.0"}, SETTINGS) == []
    assert problems({name: "http://127.0.0.1:8080/2.0"}, SETTINGS) == []
