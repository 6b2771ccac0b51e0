"""One request over the wire, redirects included: the token goes to the API's own origin alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import exceptions as below

from tap_bitbucket.http.answers import Endless, Received, receive
from tap_bitbucket.http.environment import NoWay, distrust, session_to
from tap_bitbucket.http.errors import Fatal, SkipPartition, Transient
from tap_bitbucket.http.paging import origin
from tap_bitbucket.http.request import Request

_REDIRECTS = 5

Signer = TypeVar("Signer")


class Transport:
    """The connections to the API; shared by all threads.

    Args:
        api_url: E.g. ``https://api.bitbucket.org/2.0``. No other host ever gets the token.
        timeout: Seconds to wait for a connection, and between two bytes.
        connections: Kept open at the same time.
        user_agent: The User-Agent header.

    Raises:
        Fatal: The environment names a way that cannot be taken.
    """

    def __init__(self, api_url: str, *, timeout: float, connections: int, user_agent: str) -> None:
        self.api_url = api_url.rstrip("/")
        self._timeout = timeout
        try:
            self._http = session_to(self.api_url)
        except NoWay as error:
            message = f"There is no way to api_url {self.api_url}: {error}"
            raise Fatal(message) from None
        adapter = HTTPAdapter(pool_maxsize=connections)
        self._http.mount("http://", adapter)
        self._http.mount("https://", adapter)
        self._http.headers.update({"Accept": "application/json", "User-Agent": user_agent})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self, request: Request, sign: Callable[[], tuple[Signer, str]]
    ) -> tuple[Signer, str, Received]:
        """Send a request and follow redirects.

        Args:
            request: What to ask for.
            sign: Called before each request on the wire: returns who asks, and the header.

        Returns:
            Who asked at last, by which header, and the answer.

        Raises:
            Transient: There was no answer.
            SkipPartition: It leads elsewhere than to the API.
            Fatal: There is no TLS, or the certificate is not trusted.
        """
        url = self.api_url + request.target
        for _ in range(_REDIRECTS):
            signer, authorization = sign()
            try:
                response = self._http.request(
                    request.method,
                    url,
                    data=None if request.form is None else list(request.form),
                    headers={"Authorization": authorization},
                    timeout=self._timeout,
                    allow_redirects=False,
                    stream=True,
                )
                received = receive(response, self._timeout)
            except requests.exceptions.SSLError as error:
                raise self._unsafe(request, error) from None
            except (requests.RequestException, below.HTTPError, Endless, OSError) as error:
                # The exception holds the request and with it the token: only its kind goes on.
                message = f"{request.method} {request.path}: {_kind(error)}"
                raise Transient(message) from None
            except ValueError:
                # requests looks at a redirect's address even when it does not follow.
                raise _led_astray(request) from None
            if not response.is_redirect:
                return signer, authorization, received
            url = self._redirected(request, url, response.headers["Location"])
        message = f"{request.method} {request.path}: more than {_REDIRECTS} redirects"
        raise SkipPartition(message)

    def _redirected(self, request: Request, url: str, location: str) -> str:
        """Return where a redirect leads, if that is the API."""
        try:
            target = urljoin(url, location)
            if origin(target) == origin(self.api_url):
                # What stands before the path is our own: readers of addresses differ about some.
                api, there = urlsplit(self.api_url), urlsplit(target)
                return urlunsplit((api.scheme, api.netloc, there.path or "/", there.query, ""))
        except ValueError:
            pass
        raise _led_astray(request)

    def _unsafe(self, request: Request, error: Exception) -> Fatal | Transient:
        """Return what a failure of TLS means: for all requests the same, or for this one."""
        why = distrust(error)
        if why is None:
            return Transient(f"{request.method} {request.path}: {_kind(error)}")
        return Fatal(
            f"No token goes to {urlsplit(self.api_url).hostname}: {why}. If a proxy replaces the "
            "certificate, name its CA file in REQUESTS_CA_BUNDLE."
        )


def _led_astray(request: Request) -> SkipPartition:
    return SkipPartition(
        f"{request.method} {request.path}: Bitbucket redirects elsewhere than to the API, "
        "where no token goes"
    )


def _kind(error: Exception) -> str:
    if isinstance(error, Endless):
        return "the answer does not end"
    if isinstance(error, (requests.Timeout, below.TimeoutError)):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not answer"
    if isinstance(error, below.DecodeError):
        return "the answer cannot be decompressed"
    if isinstance(error, below.HTTPError):
        return "the answer was cut short"
    return "no connection"
