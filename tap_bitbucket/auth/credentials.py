"""From settings to credentials: which kind is meant, and is it whole?"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tap_bitbucket.auth.authenticators import ApiToken, Authenticator, StaticToken
from tap_bitbucket.auth.consumer import SETTINGS as OAUTH
from tap_bitbucket.auth.consumer import Consumer, Surroundings, consumer_from
from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.given import Given
from tap_bitbucket.auth.token_file import TokenFile

KINDS = {
    "OAuth consumer": OAUTH,
    "API token": ("email", "api_token"),
    "access token": ("access_token",),
}
WAYS_TO_SIGN_IN = (
    "access_token (of a workspace, project or repository), email and api_token (Atlassian API"
    " token), or client_id and client_secret (OAuth: then run `tap-bitbucket auth login`, or set"
    " refresh_token, or set oauth_grant to client_credentials)"
)
SEVERAL = "credentials"
_LONGEST_EMAIL = 254


@dataclass(frozen=True)
class Credential:
    """One identity.

    Attributes:
        name: For people; no secret.
        authenticator: Signs requests.
        workspaces: The slugs or uuids that it is for; empty for any.
        consumer: The OAuth consumer behind it, if there is one.
    """

    name: str
    authenticator: Authenticator
    workspaces: tuple[str, ...] = ()
    consumer: Consumer | None = None


def authenticators_from(
    config: Mapping[str, Any],
    *,
    config_file: Path | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Authenticator]:
    """Return who signs requests; see `credentials_from`."""
    found = credentials_from(config, config_file=config_file, clock=clock, sleep=sleep)
    return [credential.authenticator for credential in found]


def credentials_from(
    config: Mapping[str, Any],
    *,
    config_file: Path | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
    patient: bool = True,
    signing_in: bool = False,
) -> list[Credential]:
    """Return the identities the settings name, without asking or spending anything yet.

    Args:
        config: The settings.
        config_file: The file given with --config, which keeps the rotated refresh token too.
        clock: The time in seconds since 1970.
        sleep: How to wait between attempts.
        patient: Whether to wait for the end of a lockout, which may take ten minutes.
        signing_in: Whether an OAuth consumer may be without a refresh token as yet.

    Raises:
        AuthenticationError: There is no credential, half a one, or more than one kind.
    """
    around = Surroundings(config_file, (), "", patient, clock, sleep)
    several = config.get(SEVERAL) or []
    if not several:
        return [_credential(Given(config), around, signing_in=signing_in)]
    top = Given(config).present(name for names in KINDS.values() for name in names)
    if top:
        message = f"{' and '.join(top)} set, and {SEVERAL} as well: put it into {SEVERAL}, too"
        raise AuthenticationError(message)
    names = _names(several)
    found = []
    for number, (own, name) in enumerate(zip(several, names, strict=True)):
        given = Given({**config, **own}, f"{SEVERAL}[{number}].", frozenset(own))
        here = replace(around, position=(SEVERAL, number), name=name)
        found.append(_credential(given, here, signing_in=signing_in))
    _check_places(found)
    count = Counter(one.name for one in found)
    return [
        one if count[one.name] == 1 else replace(one, name=f"{one.name}, {SEVERAL}[{number}]")
        for number, one in enumerate(found)
    ]


def _check_places(found: list[Credential]) -> None:
    """See that no two credentials keep their tokens in one file.

    Raises:
        AuthenticationError: Two do.
    """
    taken: dict[str, int] = {}
    for number, one in enumerate(found):
        store = None if one.consumer is None else one.consumer.store
        if not isinstance(store, TokenFile):
            continue
        first = taken.setdefault(store.place, number)
        if first != number:
            message = (
                f"{SEVERAL}[{first}] and {SEVERAL}[{number}] have the same token_file: give each"
                " its own"
            )
            raise AuthenticationError(message)


def _names(several: list[Mapping[str, Any]]) -> list[str]:
    """Return the names of several credentials, empty for those that need none.

    Raises:
        AuthenticationError: Two cannot be told apart.
    """
    names = [str(own.get("name") or "").strip() for own in several]
    twice = [name for name, count in Counter(filter(None, names)).items() if count > 1]
    if twice:
        message = f"Two of the {SEVERAL} have the name {twice[0]!r}: give each its own"
        raise AuthenticationError(message)
    keys = Counter(
        (str(own["client_id"]).strip(), name)
        for own, name in zip(several, names, strict=True)
        if own.get("client_id")
    )
    if any(count > 1 for count in keys.values()):
        message = (
            f"Two of the {SEVERAL} are of the same OAuth consumer (client_id): give each a name, so"
            " that their tokens are kept apart"
        )
        raise AuthenticationError(message)
    return names


def _credential(given: Given, around: Surroundings, *, signing_in: bool) -> Credential:
    kinds = {kind: present for kind, names in KINDS.items() if (present := given.present(names))}
    where = f" in {given.place.rstrip('.')}" if given.place else ""
    if not kinds:
        message = f"No credential is set{where}: set {WAYS_TO_SIGN_IN}"
        raise AuthenticationError(message)
    if len(kinds) > 1:
        listed = " and ".join(f"{kind} ({', '.join(names)})" for kind, names in kinds.items())
        message = (
            f"More than one kind of credential is set{where}, {listed}: keep one of them, or make"
            f" each an entry of {SEVERAL}"
        )
        raise AuthenticationError(message)
    consumer = None
    if "access token" in kinds:
        authenticator: Authenticator = StaticToken(given.token("access_token"))
    elif "API token" in kinds:
        authenticator = _api_token(given)
    else:
        consumer = consumer_from(given, around)
        if not signing_in:
            _check_signed_in(given, consumer)
        authenticator = consumer.authenticator()
    bound = tuple(given.raw("workspaces") or ()) if given.place and given.own("workspaces") else ()
    return Credential(around.name or authenticator.identity, authenticator, bound, consumer)


def _api_token(given: Given) -> ApiToken:
    needed = {
        "email": "the Atlassian account's address, to go with api_token",
        "api_token": "an Atlassian API token with Bitbucket scopes",
    }
    email, _ = (given.needed(name, what, needed) for name, what in needed.items())
    if ":" in email or len(email) > _LONGEST_EMAIL:
        what = "has a colon in it" if ":" in email else "is too long"
        message = f"{given.place}email {what}: set the Atlassian account's address alone"
        raise AuthenticationError(message)
    return ApiToken(email, given.token("api_token"))


def _check_signed_in(given: Given, consumer: Consumer) -> None:
    """Say early that nobody has signed in, where that can be seen without asking anybody."""
    store = consumer.store
    if consumer.seed is not None or not isinstance(store, TokenFile):
        return
    if not os.path.exists(store.place):  # noqa: PTH110 - never raises
        message = (
            f"{given.place}client_id and {given.place}client_secret are set, but refresh_token is"
            f" not, and there is no {store.place} of an earlier sign-in: run `tap-bitbucket auth"
            ' login` (README, "Sign in"), or set oauth_grant to client_credentials'
        )
        raise AuthenticationError(message)
