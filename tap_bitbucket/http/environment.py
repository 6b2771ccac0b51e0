"""The way to an address: proxies and certificates of the environment, and nothing else of it."""

from __future__ import annotations

import ssl
from http.cookiejar import DefaultCookiePolicy
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.utils import select_proxy
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

_SOCKS = frozenset({"socks4", "socks4a", "socks5", "socks5h"})
_SPEAKS_NO_TLS = frozenset(
    {
        "NO_PROTOCOLS_AVAILABLE",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "UNSUPPORTED_PROTOCOL",
        "WRONG_VERSION_NUMBER",
    }
)
"""What OpenSSL calls a server with which there is no TLS 1.2; asking again changes nothing."""

_DEEPEST = 8


class NoWay(Exception):  # noqa: N818 - it says what there is
    """The environment names a way that cannot be taken; the message says what to change."""


def session_to(url: str) -> requests.Session:
    """Return a session for an address.

    No .netrc: it would replace the Authorization header. No cookies. And no proxy for plain HTTP,
    since it would read what is sent; over TLS it passes on what it cannot read.

    Raises:
        NoWay: The environment names a proxy or certificates that cannot be used.
    """
    session = requests.Session()
    environment = session.merge_environment_settings(url, {}, False, None, None)
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    if urlsplit(url).scheme == "https":
        session.proxies = environment["proxies"]
        session.verify = environment["verify"]
        _check(select_proxy(url, session.proxies), session.verify)
    return session


def _check(proxy: str | None, verify: bool | str | None) -> None:
    """See that a way can be taken, for a failure on it looks like one of the network."""
    if isinstance(verify, str) and not Path(verify).exists():
        message = f"REQUESTS_CA_BUNDLE (or CURL_CA_BUNDLE) names {verify}, which is not there"
        raise NoWay(message)
    if proxy is None:
        return
    try:
        parts = parse_url(proxy if "://" in proxy else f"http://{proxy}")
    except LocationParseError:
        parts = parse_url("")
    if not parts.host or parts.scheme not in {"http", "https", *_SOCKS}:
        message = "HTTPS_PROXY (or ALL_PROXY) is no address of a proxy"
        raise NoWay(message)
    if parts.scheme in _SOCKS and find_spec("socks") is None:
        message = "HTTPS_PROXY (or ALL_PROXY) names a SOCKS proxy, which takes the package PySocks"
        raise NoWay(message)


def distrust(error: BaseException) -> str | None:
    """Return why a TLS connection must not or cannot be used; None if it was only lost.

    Args:
        error: As requests raises it, with the TLS library's own somewhere inside.
    """
    inside: object = error
    for _ in range(_DEEPEST):
        if isinstance(inside, ssl.SSLError):
            break
        inside = getattr(inside, "reason", None) or next(iter(getattr(inside, "args", ())), None)
    if isinstance(inside, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({inside.verify_message})"
    if isinstance(inside, ssl.SSLError) and inside.reason in _SPEAKS_NO_TLS:
        return f"it does not speak TLS 1.2 or newer ({inside.reason})"
    return None
