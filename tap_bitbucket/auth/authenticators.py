"""The kinds of credentials, as the HTTP session sees them."""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.tokens import AccessToken, fingerprint
from tap_bitbucket.auth.uninterrupted import uninterrupted

CHANCES = 3
"""How many tokens in a row may be refused that were never accepted and are not past their end:
some refusals have nothing to do with the token's age, and a consumer's refreshes are few."""

REST_AFTER_FAILURE = 30.0
"""Seconds in which a failed refresh is not tried again: every thread would, one after another."""

logger = logging.getLogger("tap-bitbucket.auth")


class Authenticator(Protocol):
    """Signs requests in the name of one identity."""

    identity: str
    """A stable label without secrets, for logs."""

    allowance: str
    """Whose requests Bitbucket counts together with these; without secrets."""

    @property
    def scopes(self) -> frozenset[str] | None:
        """What the credential may do, as far as its issuer said so."""

    def authorization(self) -> str:
        """Return the Authorization header's value, refreshed ahead of its end when it must be.

        Raises:
            AuthenticationError: There is no usable token and none can be had.
        """

    def accepted(self, authorization: str) -> None:
        """Take note that a request with this header was answered, and not 401."""

    def rejected(self, authorization: str) -> bool:
        """Take note that a request with this header was answered 401.

        Returns:
            True when `authorization()` now has something else to try, False when this is final.
        """

    def explain_rejection(self) -> str:
        """Say in one sentence what to check, or how to mend it."""


class _OneHeader:
    """A credential that stays the same until somebody makes another."""

    scopes: frozenset[str] | None = None
    _header: str

    def authorization(self) -> str:
        """Return the one header there is."""
        return self._header

    def accepted(self, authorization: str) -> None:
        """Do nothing: there is nothing to learn."""

    def rejected(self, authorization: str) -> bool:  # noqa: ARG002 - there is only one
        """Return False: there is nothing else to try."""
        return False


class ApiToken(_OneHeader):
    """A user's Atlassian API token: Basic, with the account's email address.

    https://support.atlassian.com/bitbucket-cloud/docs/using-api-tokens/
    """

    def __init__(self, email: str, api_token: str) -> None:
        """Sign as the user with this email address."""
        self.identity = f"API token of {email}"
        self.allowance = f"user {email.casefold()}"  # all tokens of a user count together
        self._email = email
        credentials = base64.b64encode(f"{email}:{api_token}".encode()).decode()
        self._header = f"Basic {credentials}"

    def explain_rejection(self) -> str:
        """Say what to check."""
        return (
            f"Bitbucket does not accept the API token of {self._email}: check that email is the"
            " Atlassian account's address and that api_token has not expired (after a year at the"
            " latest) or been revoked; app passwords no longer work, create an API token with"
            " Bitbucket scopes at https://id.atlassian.com/manage-profile/security/api-tokens"
        )


class StaticToken(_OneHeader):
    """A repository, project or workspace access token: Bearer.

    https://support.atlassian.com/bitbucket-cloud/docs/access-tokens/
    """

    def __init__(self, access_token: str) -> None:
        """Sign with this token."""
        self.identity = f"access token ({fingerprint(access_token)[:8]})"
        self.allowance = f"token {fingerprint(access_token)}"
        self._header = f"Bearer {access_token}"

    def explain_rejection(self) -> str:
        """Say what to check."""
        return (
            "Bitbucket does not accept access_token: it has expired or been revoked (create one in"
            " the settings of the repository, project or workspace, under Access tokens), or it is"
            " a user's API token, which goes into api_token, with email"
        )


class TokenSource(Protocol):
    """Where an OAuth access token comes from."""

    identity: str
    allowance: str

    def obtain(self, other_than: str | None, *, patient: bool = True) -> AccessToken:
        """Return a token that is not due and not the one named.

        Args:
            other_than: The one that will not do.
            patient: Whether to wait for the end of a lockout, which may take ten minutes.

        Raises:
            AuthenticationError: There is none to be had.
        """

    def advice(self) -> str:
        """Say in one sentence what to check when its tokens are refused."""


class OAuthToken:
    """An access token that ends and is replaced, by one thread for all."""

    def __init__(
        self,
        source: TokenSource,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take tokens from `source`; nothing is read or asked for yet."""
        self.identity = source.identity
        self.allowance = source.allowance
        self._source = source
        self._clock = clock
        self._monotonic = monotonic
        # Without it every thread that meets the end of the token would refresh, and a refresh
        # token is good for one refresh.
        self._lock = threading.Lock()
        self._current: AccessToken | None = None
        self._age_when_taken = 0.0
        self._taken_at = 0.0
        self._accepted = False
        self._refused_in_a_row = 0
        self._failure: str | None = None
        self._failed_patiently = False
        self._rest_until = float("-inf")

    @property
    def current(self) -> AccessToken | None:
        """The token in use; None before the first."""
        return self._current

    @property
    def scopes(self) -> frozenset[str] | None:
        """The scopes of the token in use; None before the first."""
        current = self._current
        return None if current is None else current.scopes

    def authorization(self) -> str:
        """Return the header, with a new token when the present one is about to end.

        Raises:
            AuthenticationError: There is no usable token and none can be had.
        """
        with self._lock:
            current = self._current
            if current is not None and not current.is_due(self._age(current)):
                return current.header
            if current is None or self._age(current) >= current.lifetime:
                return self._replace(current).header
            try:
                return self._replace(current, patient=False).header
            except AuthenticationError as error:
                # Refreshing ahead leaves minutes in which this may pass.
                logger.debug("%s; the access token in use is still good", error)
                return current.header

    def renew(self, other_than: str | None) -> None:
        """Get a token other than the one named, now.

        Raises:
            AuthenticationError: None can be had.
        """
        with self._lock:
            token = uninterrupted(lambda: self._source.obtain(other_than))
            self._take(token)

    def accepted(self, authorization: str) -> None:
        """Take note that the token is good."""
        current = self._current
        if current is not None and not self._accepted and authorization == current.header:
            with self._lock:
                self._accepted = current is self._current
                self._refused_in_a_row = 0

    def rejected(self, authorization: str) -> bool:
        """Replace a refused token, unless another thread has already done so.

        A token that was good before, or is past its end, has just died. One that was never good
        may be another process's that has died meanwhile, but not again and again.

        Returns:
            False when too many in a row were refused, or when none can be had;
            `explain_rejection` then says why.
        """
        with self._lock:
            current = self._current
            if current is None or authorization != current.header:
                return True
            if not self._accepted and self._age(current) < current.lifetime:
                self._refused_in_a_row += 1
                if self._refused_in_a_row > CHANCES:
                    return False
            try:
                self._replace(current)
            except AuthenticationError:
                return False
            return True

    def explain_rejection(self) -> str:
        """Say what to check: what went wrong with the last refresh, if it did."""
        return self._failure or self._source.advice()

    def _replace(self, current: AccessToken | None, *, patient: bool = True) -> AccessToken:
        resting = self._failed_patiently or not patient
        if self._failure is not None and resting and self._clock() < self._rest_until:
            raise AuthenticationError(self._failure)
        refused = None if current is None else current.value
        try:
            token = uninterrupted(lambda: self._source.obtain(refused, patient=patient))
        except AuthenticationError as error:
            self._failure, self._failed_patiently = str(error), patient
            self._rest_until = self._clock() + REST_AFTER_FAILURE
            raise
        self._take(token)
        return token

    def _take(self, token: AccessToken) -> None:
        self._failure = None
        self._accepted = False
        self._current = token
        self._taken_at = self._monotonic()
        self._age_when_taken = self._clock() - token.obtained_at

    def _age(self, token: AccessToken) -> float:
        """Return the older of what two clocks say: the wall's may be set back, the other sleeps."""
        by_wall = self._clock() - token.obtained_at
        return max(by_wall, self._age_when_taken + self._monotonic() - self._taken_at)
