"""What a place for tokens must be able to do, whatever it is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from tap_bitbucket.auth.tokens import StoredTokens

LOCK_PATIENCE = 420.0
"""Seconds to wait for another process: longer than the longest refresh."""


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
