"""What a place for tokens must be able to do, whatever it is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.token_endpoint import OAuthClient
from tap_bitbucket.auth.tokens import StoredTokens

LOCK_PATIENCE = 420.0
"""Seconds to wait for another process: longer than the longest refresh."""

ROOM = 16_384
"""Bytes made room for beyond what is stored: two tokens, each often more than 2,500 long."""


class TokenStore(Protocol):
    """Keeps tokens between runs, for one process at a time."""

    @property
    def place(self) -> str:
        """Where that is, for messages."""

    def load(self) -> StoredTokens | None:
        """Read what is kept; needs no lock."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep all others out, in this process and in any other."""

    def reserve(self, size: int) -> None:
        """Fail now, while nothing is at stake, rather than at `save`; within the lock."""

    def save(self, tokens: StoredTokens) -> None:
        """Keep these; on return they outlive a power cut. Within the lock."""

    def forget(self) -> None:
        """Keep nothing any more, if anything was kept; within the lock."""


def load_own(store: TokenStore, client: OAuthClient, way_out: str) -> StoredTokens:
    """Return what is kept for a consumer; tokens without any token if nothing is.

    Args:
        store: Where.
        client: The consumer.
        way_out: What to do if it is another one's.

    Raises:
        AuthenticationError: It cannot be read, or is another consumer's.
    """
    stored = store.load() or StoredTokens(client=client.fingerprint)
    check_owner(stored, client, f"The tokens in {store.place}", way_out)
    return stored


def check_owner(tokens: StoredTokens, client: OAuthClient, what: str, way_out: str) -> None:
    """See that tokens are a consumer's.

    Raises:
        AuthenticationError: They are another one's.
    """
    if tokens.client != client.fingerprint:
        message = (
            f"{what} belong to another OAuth consumer than client_id {client.client_id[:4]}…:"
            f" {way_out}"
        )
        raise AuthenticationError(message)


def make_room(store: TokenStore, tokens: StoredTokens) -> None:
    """Fail now, rather than when what comes after these tokens is to be saved; within the lock.

    Raises:
        AuthenticationError: It could not be saved.
    """
    store.reserve(len(tokens.to_json()) + ROOM)
