"""An OAuth consumer as the settings describe it: how to ask in its name, where its tokens live."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tap_bitbucket.auth.authenticators import OAuthToken
from tap_bitbucket.auth.client_credentials import ClientCredentials
from tap_bitbucket.auth.config_file import ConfigFile
from tap_bitbucket.auth.encryption import TokenCipher
from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.given import Given
from tap_bitbucket.auth.rotation import RefreshToken
from tap_bitbucket.auth.state_directory import state_directory
from tap_bitbucket.auth.token_database import TokenDatabase
from tap_bitbucket.auth.token_endpoint import OAuthClient
from tap_bitbucket.auth.token_file import TokenFile
from tap_bitbucket.auth.token_store import TokenStore
from tap_bitbucket.auth.tokens import fingerprint

TOKEN_URL = "https://bitbucket.org/site/oauth2/access_token"  # noqa: S105 - an address
AUTHORIZE_URL = "https://bitbucket.org/site/oauth2/authorize"
LONGEST_TIMEOUT = 60.0
"""Seconds for one answer of the token endpoint: several attempts must fit in its grace."""

SETTINGS = ("client_id", "client_secret", "refresh_token")
GRANTS = ("refresh_token", "client_credentials")
FILE = "file"


@dataclass(frozen=True)
class Surroundings:
    """What the settings of a credential stand in.

    Attributes:
        config_file: The file given with --config, which keeps the rotated refresh token too.
        position: Where in that file the credential's settings are: nothing, or
            ``("credentials", 1)``.
        name: What tells several credentials apart; empty if there is but one.
        patient: Whether to wait for the end of a lockout.
        clock: The time in seconds since 1970.
        sleep: How to wait between attempts.
    """

    config_file: Path | None
    position: tuple[str | int, ...]
    name: str
    patient: bool
    clock: Callable[[], float]
    sleep: Callable[[float], None]


@dataclass(frozen=True)
class Consumer:
    """An OAuth consumer and where its tokens are.

    Attributes:
        client: Asks the token endpoint.
        store: Where the tokens live; None for client credentials, which keep nothing.
        seed: The configured refresh token.
        config_file: The configuration that the seed came from, if it is to be kept up to date.
        authorize_url: Where people give their consent.
        patient: Whether to wait for the end of a lockout.
    """

    client: OAuthClient
    store: TokenStore | None
    seed: str | None
    config_file: ConfigFile | None
    authorize_url: str
    patient: bool = True

    def authenticator(self) -> OAuthToken:
        """Return who signs requests."""
        if self.store is None:
            source: ClientCredentials | RefreshToken = ClientCredentials(
                self.client, patient=self.patient
            )
        else:
            write_back = None if self.config_file is None else self.config_file.write_back
            source = RefreshToken(
                self.client, self.store, self.seed, write_back, patient=self.patient
            )
        return OAuthToken(source, clock=self.client.clock)


def consumer_from(given: Given, around: Surroundings) -> Consumer:
    """Return the consumer that the settings name; nothing is read, asked or written.

    Raises:
        AuthenticationError: Half of it is missing, or it cannot be used.
    """
    needed = {
        "client_id": "the key of the OAuth consumer",
        "client_secret": "the secret of the OAuth consumer",
    }
    client_id, secret = (given.needed(name, what, SETTINGS) for name, what in needed.items())
    client = OAuthClient(
        client_id=client_id,
        client_secret=secret,
        token_url=given.url("oauth_token_url", TOKEN_URL),
        timeout=min(float(given.raw("request_timeout") or LONGEST_TIMEOUT), LONGEST_TIMEOUT),
        user_agent=given.text("user_agent") or "tap-bitbucket",
        clock=around.clock,
        sleep=around.sleep,
    )
    authorize_url = given.url("oauth_authorize_url", AUTHORIZE_URL)
    grant = given.text("oauth_grant") or GRANTS[0]
    if grant not in GRANTS:
        message = f"{given.place}oauth_grant is {grant!r}: set it to {' or '.join(GRANTS)}"
        raise AuthenticationError(message)
    if grant == "client_credentials":
        return Consumer(client, None, None, None, authorize_url, around.patient)
    file = None
    if around.config_file is not None:
        file = ConfigFile(around.config_file, (*around.position, "refresh_token"))
        if file.is_throwaway or not file.carries_refresh_token():
            file = None
    store = _store(given, around, client, file)
    seed = None if given.text("refresh_token") is None else given.token("refresh_token")
    if given.text("token_file"):
        file = None
    return Consumer(client, store, seed, file, authorize_url, around.patient)


def _store(
    given: Given, around: Surroundings, client: OAuthClient, config_file: ConfigFile | None
) -> TokenStore:
    key = given.text("token_encryption_key")
    cipher = None if key is None else TokenCipher(key)
    where = given.text("token_store") or FILE
    if where != FILE:
        row = client.fingerprint + (f" {around.name}" if around.name else "")
        return TokenDatabase(where, row, cipher, clock=client.clock)
    path = _token_path(given, around, client, config_file)
    own = around.config_file
    if own is not None and os.path.realpath(path) == os.path.realpath(own):
        message = (
            f"{given.place}token_file is the --config file itself, which it would overwrite: name"
            " another"
        )
        raise AuthenticationError(message)
    return TokenFile(path, cipher)


def _token_path(
    given: Given, around: Surroundings, client: OAuthClient, config_file: ConfigFile | None
) -> Path:
    """Return where the tokens live.

    Where nobody said so: beside the configuration the first of them came from, else in the user's
    state directory (https://specifications.freedesktop.org/basedir-spec/latest/, and its likes
    elsewhere). Several credentials have a file each.
    """
    named = given.text("token_file")
    alone = not around.position
    label = f"{client.fingerprint}{_suffix(around.name)}"
    if named:
        path = Path(named).expanduser()
        own = alone or bool(given.own("token_file"))
        return path if own else path.with_suffix(f".{label}{path.suffix}")
    if config_file is not None:
        return config_file.path.with_suffix(".token.json" if alone else f".{label}.token.json")
    try:
        return state_directory() / "tap-bitbucket" / f"{label}.json"
    except RuntimeError:
        message = "There is no home directory to keep the refresh token in: set token_file"
        raise AuthenticationError(message) from None


def _suffix(name: str) -> str:
    """Return what tells two credentials of one consumer apart in the name of a file."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    return f"-{plain}-{fingerprint(name)[:6]}" if name else ""
