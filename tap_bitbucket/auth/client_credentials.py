"""OAuth client credentials: the consumer signs in as itself, and can always do so again."""

from __future__ import annotations

import logging

from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.oauth import Refused
from tap_bitbucket.auth.token_endpoint import OAuthClient
from tap_bitbucket.auth.tokens import AccessToken

logger = logging.getLogger("tap-bitbucket.auth")


class ClientCredentials:
    """Asks for an access token whenever one is needed; there is nothing to keep."""

    def __init__(self, client: OAuthClient) -> None:
        """Ask in the name of this consumer."""
        self.identity = client.identity
        self._client = client

    def obtain(self, other_than: str | None) -> AccessToken:  # noqa: ARG002 - always a new one
        """Return a new token.

        Raises:
            AuthenticationError: Bitbucket refuses, or cannot be reached.
        """
        reply = self._client.ask({"grant_type": "client_credentials"})
        if isinstance(reply, Refused):
            message = f"No access token for {self.identity} ({reply.error}): {self._check()}"
            raise AuthenticationError(message)
        # What a refresh token would add can be had by asking again: if there is one, it is dropped.
        logger.info("access token obtained, valid for %.0f min", reply.lifetime / 60)
        return AccessToken(reply.access_token, self._client.clock(), reply.lifetime, reply.scope)

    def advice(self) -> str:
        """Say what to check."""
        return f"Bitbucket does not accept the access token of {self.identity}: {self._check()}"

    def _check(self) -> str:
        return (
            "check client_id and client_secret, and that the OAuth consumer is a private one which"
            " may use client credentials and has the scopes the streams need"
        )
