"""One request, whatever it takes: authorization, budget, redirects, retries."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import backoff
import requests
from requests.adapters import HTTPAdapter

from tap_bitbucket.auth import AuthenticationError, Authenticator
from tap_bitbucket.http.budget import Budget
from tap_bitbucket.http.errors import (
    TOO_LONG,
    Action,
    Fatal,
    SkipPartition,
    Transient,
    Unavailable,
    decide,
    explain,
)
from tap_bitbucket.http.paging import origin
from tap_bitbucket.http.refusals import Nothing, refusal, without_credential
from tap_bitbucket.http.request import Request

logger = logging.getLogger("tap-bitbucket.http")

T = TypeVar("T")

_REDIRECTS = 5
_PATIENCE = 3
"""How often to ask for what takes Bitbucket too long: it rarely gets faster."""

_OUTAGE = 5
"""Lists in a row that fail after all retries, until Bitbucket as a whole counts as down."""


@dataclass
class Answer:
    """A final answer: 2xx, or an error that the caller decides about.

    Attributes:
        status: The HTTP status.
        body: The whole body, decompressed.
        at: When Bitbucket answered by its own clock, in epoch seconds.
    """

    status: int
    body: bytes
    at: float


class Session:
    """Sends requests to the API; shared by all threads.

    Args:
        api_url: E.g. ``https://api.bitbucket.org/2.0``. No other host ever gets the token.
        authenticator: Signs the requests.
        budget: Counts them.
        timeout: Seconds to wait for a connection, and between two bytes.
        max_retries: How often to repeat what may pass.
        connections: Kept open at the same time.
        user_agent: The User-Agent header.

    Attributes:
        accepted: Whether the credential was good for anything yet.
    """

    def __init__(
        self,
        api_url: str,
        authenticator: Authenticator,
        budget: Budget,
        *,
        timeout: float,
        max_retries: int,
        connections: int,
        user_agent: str,
    ) -> None:
        self.api_url = api_url.rstrip("/")
        self.authenticator = authenticator
        self.budget = budget
        self.retries = 0
        self._timeout = timeout
        self._http = requests.Session()
        # What the environment says about proxies and certificates holds, .netrc does not: it
        # would replace the Authorization header.
        environment = self._http.merge_environment_settings(self.api_url, {}, False, None, None)
        self._http.trust_env = False
        self._http.proxies = environment["proxies"]
        self._http.verify = environment["verify"]
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = HTTPAdapter(pool_maxsize=connections)
        self._http.mount("http://", adapter)
        self._http.mount("https://", adapter)
        self._http.headers.update({"Accept": "application/json", "User-Agent": user_agent})
        self.accepted = False
        self._ahead = 0.0
        self._outages = 0
        self._lock = threading.Lock()
        self._retrying = backoff.on_exception(
            backoff.expo,
            Transient,
            max_tries=max_retries + 1,
            max_value=60,
            jitter=backoff.full_jitter,
            on_backoff=self._on_backoff,
            logger=None,
        )

    def now(self) -> float:
        """Return the time on Bitbucket's clock, by its last answer (epoch seconds)."""
        return time.time() + self._ahead

    def read(self, request: Request, parse: Callable[[Answer], T]) -> T:
        """Send a request until it is answered, and return what ``parse`` makes of the answer.

        Args:
            request: What to ask for.
            parse: Raises Transient if the answer is unusable; it is then asked for again.

        Raises:
            SkipPartition: If this cannot be read (NotFound, Refused and Unavailable are such).
            Nothing: If it holds nothing.
            StopReading: If a budget is spent.
            Fatal: If nothing else can be read either.
            AuthenticationError: If the credential is refused.
        """
        too_long = 0

        def attempt() -> T:
            nonlocal too_long
            try:
                return parse(self._answer(request))
            except Transient as error:
                too_long += error.status == TOO_LONG
                if too_long < _PATIENCE:
                    raise
                message = f"{error}, also when asked {_PATIENCE} times"
                raise Unavailable(message, TOO_LONG) from None

        try:
            result = self._retrying(attempt)()
        except Transient as error:
            raise self._unavailable(error) from None
        except (SkipPartition, Nothing):
            self._answered()
            raise
        self._answered()
        return result

    def _answered(self) -> None:
        """Note that Bitbucket is there."""
        with self._lock:
            self._outages = 0

    def _unavailable(self, error: Transient) -> Exception:
        """A list that fails costs only its partition; five in a row mean an outage."""
        message = f"{error}, also after all retries"
        if error.status == TOO_LONG:
            return Unavailable(message, TOO_LONG)
        with self._lock:
            self._outages += 1
            outages = self._outages
        if outages >= _OUTAGE:
            return Fatal(
                f"{message}. Bitbucket or the way to it is down: {outages} lists in a row failed. "
                "Start again later; the bookmarks hold what was read."
            )
        return Unavailable(message, error.status)

    def _answer(self, request: Request) -> Answer:
        """Send once, and again for as long as only a new token or the rate limit stands between."""
        while True:
            response, authorization = self._send(request)
            status, body = response.status_code, response.content
            if status < 400:  # noqa: PLR2004
                self.budget.heard(response.headers)
                at = _server_time(response.headers)
                self._ahead = at - time.time()
                self.accepted = True
                return Answer(status, body, at)
            rule = decide(status, body)
            said = without_credential(explain(body), authorization)
            reason = f"{request.method} {request.path}: HTTP {status}, {rule.sentence}"
            reason += f" ({said})" if said else ""
            if rule.action is Action.WAIT:
                self.budget.exhausted(response.headers)
            elif rule.action is not Action.REFRESH:
                raise refusal(rule.action, status, body, reason)
            elif not self.authenticator.rejected(authorization):
                message = f"{reason}. {self.authenticator.explain_rejection()}"
                raise AuthenticationError(message)

    def _send(self, request: Request) -> tuple[requests.Response, str]:
        """Send and follow redirects, the token only to the API's own origin."""
        url = self.api_url + request.target
        for _ in range(_REDIRECTS):
            self.budget.spend()
            authorization = self.authenticator.authorization()
            try:
                response = self._http.request(
                    request.method,
                    url,
                    data=None if request.form is None else list(request.form),
                    headers={"Authorization": authorization},
                    timeout=self._timeout,
                    allow_redirects=False,
                )
            except requests.exceptions.SSLError:
                message = (
                    f"The certificate of {urlsplit(url).hostname} is not trusted. If a proxy "
                    "replaces it, name its CA file in REQUESTS_CA_BUNDLE."
                )
                raise Fatal(message) from None
            except (requests.RequestException, OSError) as error:
                # The exception holds the request and with it the token: only its kind goes on.
                message = f"{request.method} {request.path}: {_kind(error)}"
                raise Transient(message) from None
            except ValueError:
                # requests looks at a redirect's address even when it does not follow.
                raise _led_astray(request) from None
            if not response.is_redirect:
                return response, authorization
            url = self._redirected(request, url, response.headers["Location"])
        message = f"{request.method} {request.path}: more than {_REDIRECTS} redirects"
        raise SkipPartition(message)

    def _redirected(self, request: Request, url: str, location: str) -> str:
        """Return where a redirect leads, if that is the API."""
        try:
            target = urljoin(url, location)
            if origin(target) == origin(self.api_url):
                return target
        except ValueError:
            pass
        raise _led_astray(request)

    def _on_backoff(self, details: Mapping[str, object]) -> None:
        with self._lock:
            self.retries += 1
        logger.warning("%s. Asking again in %.1f s.", details["exception"], details["wait"])


def _led_astray(request: Request) -> SkipPartition:
    return SkipPartition(
        f"{request.method} {request.path}: Bitbucket redirects elsewhere than to the API, "
        "where no token goes"
    )


def _kind(error: Exception) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not answer"
    if isinstance(error, (requests.exceptions.ContentDecodingError,)):
        return "the answer cannot be decompressed"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the answer was cut short"
    return "no connection"


def _server_time(headers: Mapping[str, str]) -> float:
    """Bitbucket's clock counts, not ours: it stamps ``updated_on``. Whole seconds, rounded down."""
    try:
        return parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return time.time()
