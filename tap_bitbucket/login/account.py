"""Who signed in, what was granted and until when: asked once, and said in plain lines."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import requests
from requests.auth import AuthBase

from tap_bitbucket.auth.sign_in import SignIn, Tokens
from tap_bitbucket.auth.tokens import AccessToken
from tap_bitbucket.http.environment import NoWay, session_to

_PATIENCE = 15.0
"""Seconds to wait for the account's name: people look on."""
_OK, _UNAUTHORIZED, _FORBIDDEN = 200, 401, 403


@dataclass(frozen=True)
class Account:
    """Who a token belongs to.

    Attributes:
        name: For people; None if the API did not tell.
        why: Why it did not.
    """

    name: str | None
    why: str = ""


class _Bearer(AuthBase):
    """Signs by a token; said so, requests takes nothing from .netrc instead."""

    def __init__(self, access: AccessToken) -> None:
        self._access = access

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._access.header
        return request


def account_of(access: AccessToken, config: Mapping[str, Any]) -> Account:
    """Ask the API once who a token belongs to; that it does not tell is no error."""
    url = f"{config['api_url'].rstrip('/')}/user"
    # What requests raises holds the request, header and all: nothing of it leaves this block.
    try:
        with session_to(url) as session:
            answer = session.get(
                url,
                auth=_Bearer(access),
                headers={
                    "Accept": "application/json",
                    "User-Agent": config.get("user_agent") or "tap-bitbucket",
                },
                timeout=min(float(config["request_timeout"]), _PATIENCE),
                allow_redirects=False,
            )
            status, body = answer.status_code, answer.content
    except NoWay as error:
        return Account(None, str(error))
    except (requests.RequestException, OSError, ValueError) as error:
        return Account(None, f"no answer, {type(error).__name__}")
    if status == _UNAUTHORIZED:
        return Account(None, "HTTP 401: api_url does not take the token")
    if status == _FORBIDDEN:
        return Account(None, "HTTP 403: the consumer lacks the scope account")
    if status != _OK:
        return Account(None, f"HTTP {status}")
    return _read(body)


def lines(
    sign_in: SignIn, tokens: Tokens, config: Mapping[str, Any], account: Account
) -> Iterator[str]:
    """Yield what a sign-in came to, in lines for people."""
    if account.name is None:
        yield (
            f"Signed in by {consumer(sign_in)}; the account could not be asked at"
            f" {config['api_url']} ({account.why})"
        )
    else:
        yield f"Signed in as {account.name} by {consumer(sign_in)}"
    scopes = scopes_of(tokens.access)
    told = "Bitbucket did not name them: they are those of the consumer"
    yield f"Scopes: {told if scopes is None else ', '.join(scopes) or 'none'}"
    yield kept(tokens)
    if sign_in.seed_remains:
        yield (
            "refresh_token in the settings is an old one now and is not used any more: you may"
            " remove it"
        )


def kept(tokens: Tokens) -> str:
    """Say where tokens are, and until when they hold."""
    place = tokens.place
    private = ", readable by you alone" if os.name != "nt" and Path(place).is_file() else ""
    ends = f"the access token ends at {until(tokens.access)}"
    if tokens.refresh_token is None:
        return (
            f"Tokens: kept in {place}{private}; {ends}, and Bitbucket gave no refresh token to"
            " renew it with: sign in again then"
        )
    return f"Tokens: kept in {place}{private}; {ends}, and is renewed by itself"


def consumer(sign_in: SignIn) -> str:
    """Return what to call the consumer, and its name in the settings if it has one."""
    identity = sign_in.authenticator().identity
    return identity if sign_in.name == identity else f"{identity}, named {sign_in.name!r}"


def scopes_of(access: AccessToken) -> list[str] | None:
    """Return the granted scopes in order; None if Bitbucket did not name any."""
    return None if access.scopes is None else sorted(access.scopes)


def until(access: AccessToken) -> str:
    """Return when an access token ends, by this machine's clock and from now."""
    end = access.obtained_at + access.lifetime
    at = datetime.fromtimestamp(end, timezone.utc).astimezone()
    return f"{at:%H:%M} ({_from_now(end - time.time())})"


def secrets_as_json(tokens: Tokens) -> str:
    """Return the tokens themselves as one JSON object."""
    access = tokens.access
    end = datetime.fromtimestamp(int(access.obtained_at + access.lifetime), timezone.utc)
    return json.dumps(
        {
            "access_token": access.value,
            "refresh_token": tokens.refresh_token,
            "expires_at": end.isoformat().replace("+00:00", "Z"),
            "scopes": scopes_of(access),
        }
    )


def _from_now(seconds: float) -> str:
    if seconds <= 0:
        return "past"
    if seconds < 90:  # noqa: PLR2004 - below, minutes say too little
        return f"in {seconds:.0f} s"
    if seconds < 5400:  # noqa: PLR2004 - an hour and a half
        return f"in {seconds / 60:.0f} min"
    return f"in {round(seconds / 3600, 1):g} h"


def _read(body: bytes) -> Account:
    try:
        fields = json.loads(body)
        told = [fields.get("display_name"), fields.get("nickname") or fields.get("username")]
    except (ValueError, AttributeError):
        return Account(None, "the answer is not Bitbucket's")
    # What people call themselves is shown in a terminal: no control characters.
    name, nickname = (
        "".join(char for char in str(one or "") if char.isprintable())[:100] for one in told
    )
    if not name and not nickname:
        return Account(None, "the answer holds no name")
    return Account(f"{name} ({nickname})" if name and nickname else name or nickname)
