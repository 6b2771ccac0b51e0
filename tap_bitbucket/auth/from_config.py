"""From settings to credentials: which kind is meant, and is it whole?"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tap_bitbucket.auth.authenticators import ApiToken, Authenticator, OAuthToken, StaticToken
from tap_bitbucket.auth.client_credentials import ClientCredentials
from tap_bitbucket.auth.config_file import ConfigFile
from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.rotation import RefreshToken
from tap_bitbucket.auth.token_endpoint import OAuthClient
from tap_bitbucket.auth.token_file import TokenFile
from tap_bitbucket.auth.tokens import is_sendable

TOKEN_URL = "https://bitbucket.org/site/oauth2/access_token"  # noqa: S105 - an address
LONGEST_TIMEOUT = 60.0
"""Seconds for one answer of the token endpoint: several attempts must fit in its grace."""

KINDS = {
    "OAuth consumer": ("client_id", "client_secret", "refresh_token"),
    "API token": ("email", "api_token"),
    "access token": ("access_token",),
}
WAYS_TO_SIGN_IN = (
    "access_token (of a workspace, project or repository), email and api_token (Atlassian API"
    " token), or client_id and client_secret with refresh_token (OAuth; without it when"
    " oauth_grant is client_credentials)"
)
GRANTS = ("refresh_token", "client_credentials")


def authenticators_from(
    config: Mapping[str, Any],
    *,
    config_file: Path | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Authenticator]:
    """Return the identities the settings name, without asking or spending anything yet.

    Args:
        config: The settings.
        config_file: The file given with --config, which keeps the rotated refresh token too.
        clock: The time in seconds since 1970.
        sleep: How to wait between attempts.

    Raises:
        AuthenticationError: There is no credential, half a one, or more than one kind.
    """
    given = {name: _text(config, name) for names in KINDS.values() for name in names}
    kinds = {
        kind: present
        for kind, names in KINDS.items()
        if (present := [name for name in names if given[name] is not None])
    }
    if not kinds:
        message = f"No credential is set: set {WAYS_TO_SIGN_IN}"
        raise AuthenticationError(message)
    if len(kinds) > 1:
        listed = " and ".join(f"{kind} ({', '.join(names)})" for kind, names in kinds.items())
        message = f"More than one kind of credential is set, {listed}: keep one of them"
        raise AuthenticationError(message)
    if given["access_token"] is not None:
        return [StaticToken(_sendable(given, "access_token"))]
    if "API token" in kinds:
        email = _needed(given, "email", "the Atlassian account's address, to go with api_token")
        _needed(given, "api_token", "an Atlassian API token with Bitbucket scopes")
        if ":" in email:
            message = "email has a colon in it: set the Atlassian account's address alone"
            raise AuthenticationError(message)
        return [ApiToken(email, _sendable(given, "api_token"))]
    return [_oauth(config, given, config_file, clock, sleep)]


def _oauth(
    config: Mapping[str, Any],
    given: Mapping[str, str | None],
    config_file: Path | None,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Authenticator:
    client = OAuthClient(
        client_id=_needed(given, "client_id", "the key of the OAuth consumer"),
        client_secret=_needed(given, "client_secret", "the secret of the OAuth consumer"),
        token_url=_token_url(config),
        timeout=min(float(config.get("request_timeout") or LONGEST_TIMEOUT), LONGEST_TIMEOUT),
        user_agent=_text(config, "user_agent") or "tap-bitbucket",
        clock=clock,
        sleep=sleep,
    )
    grant = _text(config, "oauth_grant") or GRANTS[0]
    if grant not in GRANTS:
        message = f"oauth_grant is {grant!r}: set it to {' or '.join(GRANTS)}"
        raise AuthenticationError(message)
    if grant == "client_credentials":
        return OAuthToken(ClientCredentials(client), clock=clock)

    file = None if config_file is None else ConfigFile(config_file)
    if file is not None and (file.is_throwaway or not file.carries_refresh_token()):
        file = None
    named = _text(config, "token_file")
    path = Path(named).expanduser() if named else _token_path(client, file)
    if config_file is not None and os.path.realpath(path) == os.path.realpath(config_file):
        message = "token_file is the --config file itself, which it would overwrite: name another"
        raise AuthenticationError(message)
    seed = None if given["refresh_token"] is None else _sendable(given, "refresh_token")
    if seed is None and not os.path.exists(path):  # noqa: PTH110 - never raises
        message = (
            "client_id and client_secret are set, but refresh_token is not, and there is no"
            f' {path} of an earlier run: sign in (README, "Sign in") and set refresh_token,'
            " or set oauth_grant to client_credentials"
        )
        raise AuthenticationError(message)
    write_back = None if file is None or named else file.write_back
    return OAuthToken(RefreshToken(client, TokenFile(path), seed, write_back), clock=clock)


def _token_path(client: OAuthClient, config_file: ConfigFile | None) -> Path:
    """Return where the tokens live when nobody said so.

    Beside the configuration the first of them came from, else in the user's state directory
    (https://specifications.freedesktop.org/basedir-spec/latest/, and its likes elsewhere).
    """
    if config_file is not None:
        return config_file.path.with_suffix(".token.json")
    try:
        return _state_directory() / "tap-bitbucket" / f"{client.fingerprint}.json"
    except RuntimeError:
        message = "There is no home directory to keep the refresh token in: set token_file"
        raise AuthenticationError(message) from None


def _state_directory() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    named = os.environ.get("XDG_STATE_HOME", "")
    return Path(named) if Path(named).is_absolute() else Path.home() / ".local" / "state"


def _token_url(config: Mapping[str, Any]) -> str:
    url = _text(config, "oauth_token_url") or TOKEN_URL
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        message = f"oauth_token_url must be a plain http(s) address like {TOKEN_URL}"
        raise AuthenticationError(message)
    return url


def _text(config: Mapping[str, Any], name: str) -> str | None:
    """Return a setting without the blanks of copying; None for one that is empty."""
    value = config.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        message = f"{name} must be a string"
        raise AuthenticationError(message)
    return value.strip() or None


def _needed(given: Mapping[str, str | None], name: str, what: str) -> str:
    value = given[name]
    if value is None:
        others = " and ".join(other for other, text in given.items() if text is not None)
        message = f"{others} set, but {name} is not: set it to {what}"
        raise AuthenticationError(message)
    return value


def _sendable(given: Mapping[str, str | None], name: str) -> str:
    value = given[name]
    if value is None or not is_sendable(value):
        message = f"{name} has blanks or other characters in it that no token has: copy it again"
        raise AuthenticationError(message)
    return value
