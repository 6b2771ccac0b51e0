"""What an answer that holds no rows means to the one who asked."""

from __future__ import annotations

import base64
import contextlib

from tap_bitbucket.http.errors import Action, MissingScope, SkipPartition, Transient, lacks_scope

_SHORTEST = 6
"""No credential is shorter: a typing error of two letters must not blot out half a message."""


class NotFound(SkipPartition):
    """A 404 whose body the caller may understand better."""

    def __init__(self, reason: str, body: bytes) -> None:
        super().__init__(reason, 404)
        self.body = body


class Refused(SkipPartition):
    """A 400: the caller may ask in a simpler way."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, 400)


class Nothing(Exception):  # noqa: N818 - no error
    """There is nothing to read there, and that is fine."""


def refusal(action: Action, status: int, body: bytes, reason: str) -> Exception:
    """Return the exception that says what to do."""
    if action is Action.RETRY:
        return Transient(reason, status)
    if action is Action.EMPTY:
        return Nothing(reason)
    if status == 404:  # noqa: PLR2004
        return NotFound(reason, body)
    if status == 400:  # noqa: PLR2004
        return Refused(reason)
    return MissingScope(reason, status) if lacks_scope(body) else SkipPartition(reason, status)


def without_credential(text: str, authorization: str) -> str:
    """Return what an answer says without the credential, which a proxy's may repeat."""
    scheme, _, credential = authorization.partition(" ")
    parts = [authorization, credential]
    if scheme == "Basic":
        with contextlib.suppress(ValueError):
            parts.append(base64.b64decode(credential).decode().partition(":")[2])
    for part in parts:
        if len(part) >= _SHORTEST:
            text = text.replace(part, "…")
    return text
