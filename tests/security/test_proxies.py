"""What the environment says of proxies and logins: a proxy passes on what it cannot read."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tap_bitbucket.auth import authenticators_from
from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.tokens import AccessToken
from tap_bitbucket.http import environment
from tap_bitbucket.http.environment import NoWay, session_to
from tap_bitbucket.login.account import account_of
from tests.catalogs import only
from tests.security.conftest import STREAMS, Bitbucket, assert_whole
from tests.security.places import TLS, Recorder, Tunnel
from tests.support import Run, run_here

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture
def tunnel() -> Iterator[Tunnel]:
    """Run a proxy."""
    with Tunnel() as place:
        assert isinstance(place, Tunnel)
        yield place


def run_all(bitbucket: Bitbucket, catalog: dict[str, Any], url: str | None = None) -> Run:
    """Sign in, ask who that is, and sync."""
    settings = bitbucket.settings(url=url)
    run = run_here(settings, catalog=only(catalog, *STREAMS))
    (one, *_) = bitbucket.world.oauth.access_tokens
    account = account_of(AccessToken(one, 0.0, 60.0), {**settings, "request_timeout": 5})
    assert account.name, account.why
    return run


def test_nothing_plain_goes_over_a_proxy(
    bitbucket: Bitbucket,
    elsewhere: Recorder,
    catalog: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An API on plain HTTP is asked directly: a proxy would read all that it is sent."""
    for name in NAMES:
        monkeypatch.setenv(name, elsewhere.url)
    assert_whole(run_all(bitbucket, catalog))
    assert elsewhere.heard == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_sees_no_secret(
    bitbucket: Bitbucket,
    tunnel: Tunnel,
    secured: Callable[..., TLS],
    catalog: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """Over TLS the proxy of the environment is used; it is told host and port, and no more."""
    place = secured()
    password = tunnel.url.replace("//", "//me:proxy-password@")
    monkeypatch.setenv(name, password)
    run = run_all(bitbucket, catalog, place.url)
    assert_whole(run)
    assert "proxy-password" not in run.log
    told = base64.b64encode(b"me:proxy-password")
    for heard in tunnel.heard:
        head, _, rest = heard.partition(b"\r\n\r\n")
        assert head.startswith(f"CONNECT 127.0.0.1:{place.port} ".encode())
        assert b"Proxy-Authorization: Basic " + told in head
        assert b"\nAuthorization" not in heard
        assert rest[:2] == b"\x16\x03"
    assert len(tunnel.heard) == len(place.began) >= 3
    assert bitbucket.found_in(place.all_heard) != []  # this is what a proxy could have read
    assert bitbucket.found_in(tunnel.all_heard) == []
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    count = len(tunnel.heard)
    assert run_all(bitbucket, catalog, place.url).code == 0
    assert len(tunnel.heard) == count


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("socks5://me:proxy-password@127.0.0.1:9", "PySocks"),
        ("nonsense://me:proxy-password@127.0.0.1:9", "no address of a proxy"),
        ("http://[proxy-password", "no address of a proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used(
    bitbucket: Bitbucket,
    catalog: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    proxy: str,
    words: str,
) -> None:
    """One line says so at once, at the API and at the token endpoint, without its password."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.setattr(environment, "find_spec", lambda _: None)  # as without the package
    run = run_here(
        bitbucket.settings("api_token", "https://127.0.0.1:9"), catalog=only(catalog, *STREAMS)
    )
    assert run.code == 1
    (made,) = authenticators_from(bitbucket.settings("oauth", "https://127.0.0.1:9"))
    with pytest.raises(AuthenticationError) as caught:
        made.authorization()
    account = account_of(
        AccessToken("x", 0.0, 1.0), {"api_url": "https://127.0.0.1:9", "request_timeout": 5}
    )
    for said in (run.log.splitlines()[-1], str(caught.value), account.why):
        assert words in said
        assert "proxy-password" not in said


@pytest.mark.parametrize("proxy", ["proxy.example:8080", "http://proxy.example", "HTTPS://p:1"])
def test_the_usual_forms_of_proxies(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """A proxy may be named with a scheme or without."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with session_to("https://api.bitbucket.org/2.0") as session:
        assert session.proxies["https"] == proxy
    with session_to("http://127.0.0.1/2.0") as session:
        assert session.proxies == {}


def test_certificates_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of certificates that does not exist is named, and nothing is asked without it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/not/there.pem")
    with pytest.raises(NoWay, match=r"/not/there\.pem, which is not there"):
        session_to("https://api.bitbucket.org/2.0")


def test_logins_of_this_machine(
    bitbucket: Bitbucket, catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry for the host in ~/.netrc, or in the file that NETRC names, signs no request."""
    login = "machine 127.0.0.1 login somebody password netrc-password\n"
    for name in (".netrc", "other"):
        (bitbucket.folder / name).write_text(login)
        (bitbucket.folder / name).chmod(0o600)
    used = base64.b64encode(b"somebody:netrc-password").decode()
    for named in ("", str(bitbucket.folder / "other")):
        if named:
            monkeypatch.setenv("NETRC", named)
        run = run_all(bitbucket, catalog)
        assert run.code == 0, run.log
    assert len(bitbucket.authorizations) >= 2  # of the consumer, and of a token
    assert not [one for one in bitbucket.authorizations if used in one]
