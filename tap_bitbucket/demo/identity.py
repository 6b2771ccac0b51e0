"""Who calls: the credentials a world knows, and what each of them may be used for."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.model import Project, Repository, User, Workspace
from tap_bitbucket.demo.oauth import OAuth

OAUTH_SCOPES = (
    "account", "email", "project", "project:admin", "repository", "repository:admin",
    "pullrequest", "pipeline", "runner", "snippet", "webhook",
)  # fmt: skip
_READABLE = (
    "user", "workspace", "project", "repository", "pullrequest", "pipeline", "runner", "snippet",
    "webhook", "ssh-key", "gpg-key",
)  # fmt: skip
TOKEN_SCOPES = (
    *(f"read:{what}:bitbucket" for what in _READABLE),
    "admin:repository:bitbucket",
    "admin:project:bitbucket",
)
ACCESS_TOKEN_SCOPES = (
    "account", "project", "project:admin", "repository", "repository:admin", "pullrequest",
    "pipeline", "runner", "webhook",
)  # fmt: skip
# What an OAuth scope brings along. repository:admin and project:admin imply nothing.
_IMPLIED = {
    "project": ("repository",),
    "pullrequest": ("repository",),
    "repository:write": ("repository",),
    "pullrequest:write": ("pullrequest", "repository", "repository:write"),
    "account:write": ("account",),
    "pipeline:write": ("pipeline",),
    "pipeline:variable": ("pipeline", "pipeline:write"),
    "runner:write": ("runner",),
    "snippet:write": ("snippet",),
}
INVALID_TOKEN = "Token is invalid, expired, or not supported for this endpoint."
EXPIRED = "Access token expired. Use your refresh token to obtain a new access token."


@dataclass(frozen=True)
class Identity:
    """A caller: what it is, whose rate limit it spends, and which scopes it was given."""

    kind: str
    key: str
    scopes: tuple[str, ...] = ()
    user: User | None = None
    bound_to: Workspace | Project | Repository | None = None

    @property
    def credential_type(self) -> str:
        """Name the kind of credential as the `X-Credential-Type` header does."""
        names = {"api_token": "apitoken", "oauth": "oauth2", "app": "oauth2"}
        return names.get(self.kind, self.kind)

    @property
    def is_token(self) -> bool:
        """Tell access tokens apart: they belong to a place, not to a person."""
        return self.kind.endswith("_access_token")

    def has(self, scope: str) -> bool:
        """Tell whether a scope was given, or is implied by one that was (OAuth only)."""
        if scope in self.scopes:
            return True
        if self.kind == "api_token":
            return False
        return any(scope in _IMPLIED.get(given, ()) for given in self.scopes)


ANONYMOUS = Identity("anonymous", "anonymous")


class Identities:
    """All credentials that the stand-in accepts."""

    def __init__(self, oauth: OAuth) -> None:
        """Share the OAuth server, whose access tokens are credentials too."""
        self.oauth = oauth
        self._api_tokens: dict[tuple[str, str], Identity] = {}
        self._access_tokens: dict[str, Identity] = {}

    def add_oauth_consumer(
        self,
        client_id: str,
        client_secret: str,
        *,
        scopes: Iterable[str] = OAUTH_SCOPES,
        grants: Iterable[str] = ("authorization_code", "refresh_token", "client_credentials"),
        workspace: Workspace | None = None,
        callback: str = "http://localhost:33333",
        app_user: User | None = None,
    ) -> None:
        """Register an OAuth consumer; `workspace` owns it (matters for client credentials)."""
        self.oauth.add_client(
            client_id, client_secret, tuple(scopes), tuple(grants), workspace, callback, app_user
        )

    def add_api_token(
        self,
        email: str,
        token: str,
        *,
        scopes: Iterable[str] = TOKEN_SCOPES,
        user: User | None = None,
    ) -> None:
        """Register a personal API token, used by Basic authentication with the e-mail."""
        made = Identity("api_token", f"user:{user.uuid if user else email}", tuple(scopes), user)
        self._api_tokens[email, token] = made

    def add_access_token(
        self,
        token: str,
        kind: str = "workspace",
        *,
        bound_to: Workspace | Project | Repository,
        scopes: Iterable[str] = ACCESS_TOKEN_SCOPES,
    ) -> None:
        """Register a workspace, project or repository access token."""
        name = f"{kind}_access_token"
        made = Identity(name, f"token:{token}", tuple(scopes), None, bound_to)
        self._access_tokens[token] = made

    def authenticate(self, header: str | None) -> Identity:
        """Find out who calls, or answer 401."""
        if not header:
            return ANONYMOUS
        scheme, _, value = header.partition(" ")
        value = value.strip()
        if scheme.lower() == "basic":
            return self._basic(value)
        if scheme.lower() != "bearer":
            raise errors.not_authenticated("Unsupported authorization scheme.")
        if value in self._access_tokens:
            return self._access_tokens[value]
        grant = self.oauth.find_access_token(value)
        if grant is None:
            # An API token sent as Bearer ends here as well.
            raise errors.not_authenticated(INVALID_TOKEN)
        if self.oauth.expired(grant):
            raise errors.not_authenticated(EXPIRED)
        client = self.oauth.clients[grant.client_id]
        key = f"consumer:{client.client_id}"
        if grant.user is None:
            return Identity("app", key, client.scopes, client.app_user, client.workspace)
        return Identity("oauth", key, client.scopes, grant.user)

    def _basic(self, value: str) -> Identity:
        try:
            name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise errors.not_authenticated("Invalid credentials.") from None
        found = self._api_tokens.get((name, secret))
        if found is None:
            # App passwords end here: they were removed on 2026-07-28.
            raise errors.not_authenticated(INVALID_TOKEN)
        return found
