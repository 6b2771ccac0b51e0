"""One request, whatever it takes: an identity, its budget, redirects, retries."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

import backoff

from tap_bitbucket.auth import AuthenticationError
from tap_bitbucket.http.answers import Received
from tap_bitbucket.http.errors import (
    TOO_LONG,
    Action,
    Fatal,
    MissingScope,
    Rule,
    SkipPartition,
    Transient,
    Unavailable,
    decide,
    explain,
)
from tap_bitbucket.http.identities import (
    ANYBODY,
    Asker,
    Identities,
    Identity,
    scopes_in,
)
from tap_bitbucket.http.refusals import Nothing, refusal, without_credential
from tap_bitbucket.http.request import Request
from tap_bitbucket.http.subject import is_personal
from tap_bitbucket.http.transport import Transport

logger = logging.getLogger("tap-bitbucket.http")

T = TypeVar("T")

_PATIENCE = 3
"""How often to ask for what takes Bitbucket too long: it rarely gets faster."""

_TOKENS = 5
"""How many tokens a request may be refused with. More than one is rare, and takes tokens that end
sooner than they say; a request that is always refused must not ask for ever."""

_OUTAGE = 5
"""Lists in a row that fail after all retries, until Bitbucket as a whole counts as down."""

_OUTAGE_OF_ONE = 60
"""The same, where all of them are of one repository: it has fewer lists than that."""


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
        identities: Sign the requests, and count them.
        timeout: Seconds to wait for a connection, and between two bytes.
        max_retries: How often to repeat what may pass.
        connections: Kept open at the same time.
        user_agent: The User-Agent header.

    Attributes:
        retries: How often a request was repeated.
    """

    def __init__(
        self,
        api_url: str,
        identities: Identities,
        *,
        timeout: float,
        max_retries: int,
        connections: int,
        user_agent: str,
    ) -> None:
        self.identities = identities
        self.retries = 0
        self.transport = Transport(
            api_url, timeout=timeout, connections=connections, user_agent=user_agent
        )
        self._ahead = 0.0
        self._outages: list[str] = []
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

    @property
    def api_url(self) -> str:
        """Return the root of the API."""
        return self.transport.api_url

    def now(self) -> float:
        """Return the time on Bitbucket's clock, by its last answer (epoch seconds)."""
        return time.time() + self._ahead

    def read(self, request: Request, parse: Callable[[Answer], T], asker: Asker = ANYBODY) -> T:
        """Send a request until it is answered, and return what ``parse`` makes of the answer.

        Args:
            request: What to ask for.
            parse: Raises Transient if the answer is unusable; it is then asked for again.
            asker: Who is to ask.

        Raises:
            SkipPartition: If this cannot be read (NotFound, Refused and Unavailable are such).
            Nothing: If it holds nothing.
            StopReading: If a budget is spent (Postponed: if others are not).
            Fatal: If nothing else can be read either.
            AuthenticationError: If the credential is refused.
        """
        too_long = 0

        def attempt() -> T:
            nonlocal too_long
            try:
                return parse(self._answer(request, asker))
            except Transient as error:
                too_long += error.status == TOO_LONG
                if too_long < _PATIENCE:
                    raise
                message = f"{error}, also when asked {_PATIENCE} times"
                raise Unavailable(message, TOO_LONG) from None

        try:
            result = self._retrying(attempt)()
        except Transient as error:
            raise self._unavailable(request, error) from None
        except (SkipPartition, Nothing):
            self._answered()
            raise
        self._answered()
        return result

    def _answered(self) -> None:
        """Note that Bitbucket is there."""
        with self._lock:
            self._outages.clear()

    def _unavailable(self, request: Request, error: Transient) -> Exception:
        """A list that fails costs only its partition; several in a row mean an outage.

        The lists of a repository follow each other: where only one is broken, it takes more.
        """
        message = f"{error}, also after all retries"
        if error.status == TOO_LONG:
            return Unavailable(message, TOO_LONG)
        with self._lock:
            self._outages.append("/".join(request.path.split("/")[:4]))
            outages, places = len(self._outages), len(set(self._outages))
        if outages >= (_OUTAGE if places > 1 else _OUTAGE_OF_ONE):
            return Fatal(
                f"{message}. Bitbucket or the way to it is down: {outages} lists in a row failed. "
                "Start again later; the bookmarks hold what was read."
            )
        return Unavailable(message, error.status)

    def _answer(self, request: Request, asker: Asker) -> Answer:
        """Send once, and again while only a token, a permission or the rate limit is missing."""
        tokens = 0
        tried: list[Identity] = []
        refusals: list[Exception] = []
        while True:
            identity, authorization, response, rule = self._sent(request, asker, tried)
            status, body = response.status_code, response.content
            if status != 401:  # noqa: PLR2004
                identity.authenticator.accepted(authorization)
                self.identities.learned(identity, scopes_in(response.headers))
            if rule is None:
                at = _server_time(response.headers)
                self._ahead = at - time.time()
                identity.accepted = True
                return Answer(status, body, at)
            if rule.action is Action.WAIT:
                continue
            said = without_credential(explain(body), authorization)
            reason = f"{request.method} {request.path}: HTTP {status}, {rule.sentence}"
            reason += f" ({said})" if said else ""
            if rule.action is Action.REFRESH:
                tokens += 1
                if tokens >= _TOKENS or not identity.authenticator.rejected(authorization):
                    self._refused(request, asker, identity, reason)
            else:
                error = refusal(rule.action, status, body, reason)
                tried.append(identity)
                if isinstance(error, MissingScope) and asker.purpose:
                    identity.cannot.add(asker.purpose)
                refusals.append(error)
                if status != 403 or not self.identities.others(request.path, asker, tried):  # noqa: PLR2004
                    # Who has the scope and may not read this one may read others.
                    raise next((e for e in refusals if not isinstance(e, MissingScope)), error)

    def _sent(
        self, request: Request, asker: Asker, tried: Sequence[Identity]
    ) -> tuple[Identity, str, Received, Rule | None]:
        """Send once; return who asked by which header, the answer, and what to do if it is none."""
        signed: list[Identity] = []
        try:
            identity, authorization, response = self.transport.send(
                request, lambda: self._sign(request, asker, tried, signed)
            )
        except BaseException:
            _forget(signed)
            raise
        _forget(signed[:-1])  # those were redirected, or got no header
        rule = None
        if response.status_code >= 400:  # noqa: PLR2004
            rule = decide(response.status_code, response.content)
        if rule is not None and rule.action is Action.WAIT:
            identity.budget.exhausted(response.headers)
        else:
            identity.budget.heard(response.headers)
        return identity, authorization, response, rule

    def _refused(self, request: Request, asker: Asker, identity: Identity, reason: str) -> None:
        """Go on without an identity, unless only this request is refused or nobody is left."""
        message = f"{reason}. {identity.authenticator.explain_rejection()}"
        if identity.accepted and is_personal(request.path) and asker.only is None:
            # What belongs to a person is refused to a token that is good for all else.
            raise AuthenticationError(message)
        self.identities.refuse(identity, message)

    def sign_in(self) -> None:
        """Get an access token for everybody who needs one: it tells their scopes.

        Raises:
            AuthenticationError: If nobody is left.
            Exception: What the one who is told the scopes raises.
        """
        for identity in self.identities.needed:
            self._authorize(identity)

    def _sign(
        self, request: Request, asker: Asker, tried: Sequence[Identity], signed: list[Identity]
    ) -> tuple[Identity, str]:
        """Return whose turn it is, and the header that says so; add them to those who signed."""
        while True:
            identity = self.identities.take(request.path, asker, tried)
            signed.append(identity)
            authorization = self._authorize(identity)
            if authorization is not None:
                return identity, authorization

    def _authorize(self, identity: Identity) -> str | None:
        """Return an identity's header; None if it has none, and others are left."""
        try:
            authorization = identity.authenticator.authorization()
        except AuthenticationError as error:
            self.identities.refuse(identity, str(error))
            return None
        self.identities.learned(identity, identity.authenticator.scopes)
        return authorization

    def _on_backoff(self, details: Mapping[str, object]) -> None:
        with self._lock:
            self.retries += 1
        logger.warning("%s. Asking again in %.1f s.", details["exception"], details["wait"])


def _forget(signed: Sequence[Identity]) -> None:
    """Take note of requests that have no answer of their own."""
    for identity in signed:
        identity.budget.unanswered()


def _server_time(headers: Mapping[str, str]) -> float:
    """Bitbucket's clock counts, not ours: it stamps ``updated_on``. Whole seconds, rounded down."""
    try:
        return parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return time.time()
