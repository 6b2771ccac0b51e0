"""What an answer of the token endpoint means. No I/O.

https://developer.atlassian.com/cloud/bitbucket/oauth-2/ and RFC 6749, section 5.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum, auto

from tap_bitbucket.auth.tokens import is_sendable
from tap_bitbucket.http.rate_limit import retry_after

USUAL_LIFETIME = 3600.0
SHORTEST_LIFETIME = 1.0
LONGEST_LIFETIME = 86400.0
RETRYABLE = frozenset({408, 425, 429})
SERVER_ERROR = 500
OK = 200


class Blame(Enum):
    """Whose fault a refusal is, as well as Bitbucket's answer allows to tell."""

    REFRESH_TOKEN = auto()
    CLIENT = auto()  # client_id or client_secret
    UNCLEAR = auto()  # either of them, or a lockout


@dataclass(frozen=True)
class Granted:
    """A token response."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    lifetime: float
    scope: str | None


@dataclass(frozen=True)
class Refused:
    """An OAuth error: asking again changes nothing."""

    error: str
    blame: Blame


@dataclass(frozen=True)
class Transient:
    """No answer to build on; `wait` is what the server asked for, in seconds."""

    reason: str
    wait: float | None = None


@dataclass(frozen=True)
class NoTokenEndpoint:
    """Something else lives at this address."""

    reason: str


Answer = Granted | Refused | Transient | NoTokenEndpoint

_BLAME = {
    "invalid_grant": Blame.REFRESH_TOKEN,
    "invalid_client": Blame.CLIENT,
    "unsupported_grant_type": Blame.CLIENT,
    # "Invalid OAuth client credentials": said of a wrong secret, of a refresh token rotated away,
    # and of a good token while the client is locked out.
    "unauthorized_client": Blame.UNCLEAR,
}


def answer(status: int, headers: Mapping[str, str], body: bytes, now: float) -> Answer:
    """Decide what an answer of the token endpoint means.

    Args:
        status: The HTTP status.
        headers: The response headers.
        body: The response body.
        now: The time, in seconds since 1970, for a Retry-After given as a date.
    """
    if status in RETRYABLE or status >= SERVER_ERROR:
        return Transient(
            f"HTTP {status}", retry_after(headers, datetime.fromtimestamp(now, timezone.utc))
        )
    fields = _json_object(body)
    if status == OK:
        return _granted(fields) or Transient("HTTP 200 without a token")
    error = fields.get("error")
    if isinstance(error, str) and re.fullmatch(r"[a-z_]{1,40}", error):
        return Refused(error, _blame(error, str(fields.get("error_description", ""))))
    if 300 <= status < 400:  # noqa: PLR2004 - the status by its number, as everywhere
        return NoTokenEndpoint(f"it redirects (HTTP {status}), and secrets do not follow redirects")
    return NoTokenEndpoint(f"HTTP {status} without an OAuth error, as from another address")


def _blame(error: str, description: str) -> Blame:
    if error == "invalid_request" and "refresh_token" in description:
        return Blame.REFRESH_TOKEN  # "Invalid refresh_token", as Bitbucket said it before 2026
    return _BLAME.get(error, Blame.UNCLEAR)


def _json_object(body: bytes) -> dict[str, object]:
    try:
        fields = json.loads(body)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _granted(fields: Mapping[str, object]) -> Granted | None:
    access_token, refresh_token = fields.get("access_token"), fields.get("refresh_token")
    if not isinstance(access_token, str) or not is_sendable(access_token):
        return None
    # Bitbucket renamed `scopes` to `scope` in May 2026.
    scope = fields.get("scope", fields.get("scopes"))
    if isinstance(scope, list):
        scope = " ".join(str(name) for name in scope)
    return Granted(
        access_token=access_token,
        refresh_token=refresh_token if isinstance(refresh_token, str) and refresh_token else None,
        lifetime=_lifetime(fields.get("expires_in")),
        scope=scope if isinstance(scope, str) else None,
    )


def _lifetime(expires_in: object) -> float:
    """Return a sane life; one that lies is found out by a 401."""
    try:
        seconds = float(str(expires_in))
    except ValueError:
        return USUAL_LIFETIME
    return min(max(seconds, SHORTEST_LIFETIME), LONGEST_LIFETIME) if seconds > 0 else USUAL_LIFETIME
