"""OAuth client credentials: the consumer signs in as itself, and can always do so again."""

from __future__ import annotations

import logging

from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.oauth import Blame, Refused
from tap_bitbucket.auth.token_endpoint import OAuthClient
from tap_bitbucket.auth.tokens import PAUSES, AccessToken

logger = logging.getLogger("tap-bitbucket.auth")


class ClientCredentials:
    """Asks for an access token whenever one is needed; there is nothing to keep."""

    def __init__(self, client: OAuthClient, *, patient: bool = True) -> None:
        """Ask in the name of this consumer.

        Args:
            client: The OAuth consumer.
            patient: Whether to wait for the end of a lockout, which may take ten minutes.
        """
        self.identity = client.identity
        self.allowance = client.allowance
        self._client = client
        self._patient = patient
        self._proven = False

    def obtain(
        self,
        other_than: str | None,  # noqa: ARG002 - always a new one
        *,
        patient: bool = True,
    ) -> AccessToken:
        """Return a new token.

        Raises:
            AuthenticationError: Bitbucket refuses, or cannot be reached.
        """
        pauses = list(PAUSES) if patient and self._patient and self._proven else []
        while isinstance(reply := self._client.ask({"grant_type": "client_credentials"}), Refused):
            if not pauses or reply.blame is not Blame.UNCLEAR:
                message = f"No access token for {self.identity} ({reply.error}): {self._check()}"
                raise AuthenticationError(message)
            # It was good before: somebody has shown a dead refresh token of the same consumer.
            logger.warning(
                "Bitbucket refuses %s (%s), as it does for some minutes after it was shown a dead"
                " refresh token. Trying again in %.0f s",
                *(self.identity, reply.error, pauses[0]),
            )
            self._client.pause(pauses.pop(0))
        self._proven = True
        # What a refresh token would add can be had by asking again: if there is one, it is dropped.
        logger.info("access token obtained, valid for %.0f min", reply.lifetime / 60)
        return self._client.access_token(reply)

    def advice(self) -> str:
        """Say what to check."""
        return f"Bitbucket does not accept the access token of {self.identity}: {self._check()}"

    def _check(self) -> str:
        return (
            "check client_id and client_secret, and that the OAuth consumer is a private one which"
            " may use client credentials and has the scopes the streams need"
        )
