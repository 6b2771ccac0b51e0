"""Bitbucket's OAuth server: clients, and refresh tokens that rotate at every use."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tap_bitbucket.demo.model import User, Workspace

Json = dict[str, Any]
_TEN_MINUTES = 600.0
_THREE_MONTHS = 90 * 86400.0
# A later process still knows for so long that an access token is expired, not made up.
_REMEMBERED = 86400.0


@dataclass
class Client:
    """An OAuth consumer."""

    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    grants: tuple[str, ...]
    workspace: Workspace | None
    callback: str
    app_user: User | None
    locked_until: float = 0.0


@dataclass
class Grant:
    """An access token."""

    client_id: str
    user: User | None
    expires: float


@dataclass
class RefreshToken:
    """A refresh token: alive until `grace` seconds after its first use."""

    client_id: str
    user: str
    issued: float
    used: float | None = None
    successor: str | None = None


class OAuthError(Exception):
    """An OAuth error, with the body that RFC 6749 asks for."""

    def __init__(self, status: int, error: str, description: str) -> None:
        """Keep what is answered."""
        super().__init__(error)
        self.status = status
        self.body = {"error": error, "error_description": description}


@dataclass
class OAuth:
    """The state of the OAuth server."""

    users: dict[str, User]
    access_token_lifetime: float = 7200
    expires_in_reported: int | None = None
    grace: float = 600
    lockout: float = 60
    clock: Callable[[], float] = time.time
    state: Path | None = None
    dead_presented: int = 0
    refreshes: int = 0
    lockouts_hit: int = 0
    clients: dict[str, Client] = field(default_factory=dict)
    access_tokens: dict[str, Grant] = field(default_factory=dict)
    refresh_tokens: dict[str, RefreshToken] = field(default_factory=dict)
    codes: dict[str, Json] = field(default_factory=dict)
    _made: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def add_client(
        self,
        client_id: str,
        client_secret: str,
        scopes: tuple[str, ...],
        grants: tuple[str, ...],
        workspace: Workspace | None,
        callback: str,
        app_user: User | None,
    ) -> None:
        """Register a consumer."""
        self.clients[client_id] = Client(
            client_id, client_secret, scopes, grants, workspace, callback, app_user
        )

    # -- tokens ----------------------------------------------------------------------------

    def _token(self, kind: str, client_id: str, length: int) -> str:
        """Make up a token that looks like the JWTs Bitbucket gives out: very long."""
        self._made += 1
        head = base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT"}').decode().rstrip("=")
        claims = json.dumps({"kind": kind, "client": client_id, "n": self._made}).encode()
        body = base64.urlsafe_b64encode(claims).decode().rstrip("=")
        filler = ""
        block = hashlib.sha256(f"{kind}:{client_id}:{self._made}".encode()).digest()
        while len(filler) < length:
            block = hashlib.sha256(block).digest()
            filler += base64.urlsafe_b64encode(block).decode().rstrip("=")
        return f"{head}.{body}.{filler[:length]}"

    def issue_refresh_token(self, client_id: str, user: User) -> str:
        """Give out a refresh token as a user's consent would."""
        with self._lock:
            token = self._refresh_token(client_id, user)
            self.save()
            return token

    def _refresh_token(self, client_id: str, user: User) -> str:
        token = self._token("refresh", client_id, 1900)
        self.refresh_tokens[token] = RefreshToken(client_id, user.uuid, self.clock())
        return token

    def issue_code(self, client_id: str, user: User, redirect_uri: str | None) -> str:
        """Give out an authorization code: good once, for ten minutes."""
        with self._lock:
            self._made += 1
            code = hashlib.sha256(f"code:{client_id}:{self._made}".encode()).hexdigest()[:18]
            ends = self.clock() + _TEN_MINUTES
            self.codes[code] = {
                "client": client_id, "user": user, "ends": ends, "redirect_uri": redirect_uri,
            }  # fmt: skip
            # Codes end with the process, but a later one must not make the same code again.
            self.save()
            return code

    def find_access_token(self, token: str) -> Grant | None:
        """Find an access token, expired or not."""
        return self.access_tokens.get(token)

    def expired(self, grant: Grant) -> bool:
        """Tell whether an access token is past its time."""
        return self.clock() >= grant.expires

    def revoke_access_tokens(self) -> None:
        """Let all access tokens given out so far expire at once."""
        for grant in self.access_tokens.values():
            grant.expires = 0.0

    # -- the token endpoint ----------------------------------------------------------------

    def token_request(
        self, client_id: str | None, secret: str | None, form: dict[str, str]
    ) -> Json:
        """Answer a request to the token endpoint, or refuse it."""
        with self._lock:
            client = self.clients.get(client_id or "")
            if client is None or client.client_secret != secret:
                raise OAuthError(400, "unauthorized_client", "Invalid OAuth client credentials")
            kind = form.get("grant_type", "")
            if kind not in ("authorization_code", "refresh_token", "client_credentials"):
                raise OAuthError(400, "unsupported_grant_type", f"Unsupported grant type: {kind}")
            if kind not in client.grants:
                raise OAuthError(400, "unauthorized_client", "Grant type not allowed")
            try:
                return getattr(self, f"_by_{kind}")(client, form)  # type: ignore[no-any-return]
            finally:
                self.save()

    def _by_client_credentials(self, client: Client, _: dict[str, str]) -> Json:
        self._refuse_locked(client)
        return self._answer(client, None, None)

    def _by_authorization_code(self, client: Client, form: dict[str, str]) -> Json:
        self._refuse_locked(client)
        code = self.codes.pop(form.get("code", ""), None)
        if code is None or code["client"] != client.client_id or self.clock() > code["ends"]:
            raise OAuthError(400, "invalid_grant", "The specified code is not valid.")
        # What the consent was asked with is repeated here: also that it was asked without.
        if form.get("redirect_uri") != code["redirect_uri"]:
            raise OAuthError(400, "invalid_grant", "redirect_uri does not match")
        user = code["user"]
        return self._answer(client, user, self._refresh_token(client.client_id, user))

    def _by_refresh_token(self, client: Client, form: dict[str, str]) -> Json:
        text = form.get("refresh_token", "")
        token = self.refresh_tokens.get(text)
        now = self.clock()
        dead = token is not None and token.used is not None and now > token.used + self.grace
        if dead:
            # Seen live: no family revocation, but the client is locked out for a while.
            self.dead_presented += 1
            if now >= client.locked_until:
                client.locked_until = now + self.lockout
            raise OAuthError(400, "unauthorized_client", "Invalid OAuth client credentials")
        self._refuse_locked(client)
        if token is None or token.client_id != client.client_id:
            raise OAuthError(400, "invalid_grant", "Invalid refresh_token")
        if token.used is None and now > token.issued + _THREE_MONTHS:
            raise OAuthError(400, "invalid_grant", "Refresh token expired")
        self.refreshes += 1
        user = self.users[token.user]
        successor = self.refresh_tokens.get(token.successor or "")
        if successor is None or successor.used is not None:
            token.successor = self._refresh_token(client.client_id, user)
        if token.used is None:
            token.used = now
        return self._answer(client, user, token.successor)

    def _refuse_locked(self, client: Client) -> None:
        if self.clock() < client.locked_until:
            self.lockouts_hit += 1
            raise OAuthError(400, "unauthorized_client", "Invalid OAuth client credentials")

    def _answer(self, client: Client, user: User | None, refresh: str | None) -> Json:
        token = self._token("access", client.client_id, 2400)
        lifetime = self.access_token_lifetime
        self.access_tokens[token] = Grant(client.client_id, user, self.clock() + lifetime)
        told = self.expires_in_reported
        answer: Json = {
            "access_token": token,
            "expires_in": int(lifetime) if told is None else told,
            "token_type": "bearer",
            "scope": " ".join(client.scopes),
        }
        if refresh is not None:
            answer["refresh_token"] = refresh
        return answer

    # -- persistence -----------------------------------------------------------------------

    def save(self) -> None:
        """Write the tokens down, atomically, for a later process to go on with."""
        if self.state is None:
            return
        document = {
            "made": self._made,
            "refresh_tokens": {k: vars(v) for k, v in self.refresh_tokens.items()},
            "access_tokens": {
                token: [grant.client_id, grant.user.uuid if grant.user else None, grant.expires]
                for token, grant in self.access_tokens.items()
                if self.clock() < grant.expires + _REMEMBERED
            },
            "locked": {name: client.locked_until for name, client in self.clients.items()},
        }
        beside = self.state.with_name(f"{self.state.name}.{os.getpid()}.tmp")
        beside.write_text(json.dumps(document))
        beside.replace(self.state)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Go on with the tokens another process left in a file, and write there from now on."""
        with self._lock:
            self.state = Path(path)
            if self.state.exists():
                document = json.loads(self.state.read_text())
                self._made = max(self._made, document["made"])
                for token, values in document["refresh_tokens"].items():
                    self.refresh_tokens[token] = RefreshToken(**values)
                for token, (client_id, user, ends) in document["access_tokens"].items():
                    who = self.users.get(user) if user else None
                    self.access_tokens[token] = Grant(client_id, who, ends)
                for name, until in document["locked"].items():
                    if name in self.clients:
                        self.clients[name].locked_until = until
            self.save()
