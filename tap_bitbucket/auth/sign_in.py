"""Signing in with a person's consent, in two halves: the address to open, and the code it yields.

https://developer.atlassian.com/cloud/bitbucket/oauth-2/ ("Authorization code grant").
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tap_bitbucket.auth.authenticators import OAuthToken
from tap_bitbucket.auth.consumer import Consumer
from tap_bitbucket.auth.credentials import credentials_from
from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.oauth import Refused
from tap_bitbucket.auth.token_store import TokenStore, check_owner, load_own, make_room
from tap_bitbucket.auth.tokens import AccessToken, StoredTokens, is_sendable
from tap_bitbucket.auth.uninterrupted import uninterrupted

CALLBACK_URL = "http://localhost:33333"
"""Where Bitbucket sends the browser back to, unless the settings of the consumer say otherwise."""

_NOT_OURS = "set client_id and oauth_token_url to theirs, or token_file to another place"


@dataclass(frozen=True)
class Tokens:
    """What signing in, or refreshing, came to.

    Attributes:
        place: Where they are kept.
        access: The access token.
        refresh_token: The next refresh token.
    """

    place: str
    access: AccessToken
    refresh_token: str | None = field(repr=False)


class SignIn:
    """One OAuth consumer's way in, and what is kept of it.

    >>> sign_in = SignIn.of({"client_id": "key", "client_secret": "…"})
    >>> sign_in.url(state="42")
    'https://bitbucket.org/site/oauth2/authorize?client_id=key&response_type=code&state=42'
    """

    def __init__(self, name: str, consumer: Consumer) -> None:
        """Sign in to this consumer; see `of` and `all_of`."""
        self.name = name
        self._consumer = consumer
        self._client = consumer.client

    @classmethod
    def of(cls, config: Mapping[str, Any], name: str | None = None, **around: Any) -> SignIn:
        """Return the sign-in of the consumer in the settings.

        Args:
            config: The tap's settings.
            name: Which one, where the settings have several credentials.
            around: As of `credentials_from`: ``config_file``, ``clock``, ``sleep``.

        Raises:
            AuthenticationError: There is none, or there are several and none is named.
        """
        found = cls.all_of(config, **around)
        chosen = [one for one in found if name in {None, one.name}]
        if len(chosen) == 1:
            return chosen[0]
        listed = ", ".join(repr(one.name) for one in found)
        message = f"There is no OAuth consumer {name!r} in credentials: there are {listed}"
        if not found:
            message = (
                "Signing in takes an OAuth consumer: set client_id and client_secret (README,"
                ' "Sign in"). API tokens and access tokens need no sign-in'
            )
        elif name is None:
            message = f"Several OAuth consumers are in credentials: choose one of {listed}"
        raise AuthenticationError(message)

    @classmethod
    def all_of(
        cls,
        config: Mapping[str, Any],
        *,
        config_file: Path | None = None,
        **timing: Callable[..., Any],
    ) -> list[SignIn]:
        """Return the sign-ins of all OAuth consumers in the settings.

        Raises:
            AuthenticationError: The settings cannot be used.
        """
        found = credentials_from(
            config, config_file=config_file, signing_in=True, patient=False, **timing
        )
        return [
            cls(credential.name, credential.consumer)
            for credential in found
            if credential.consumer is not None
        ]

    # -- the two halves ---------------------------------------------------------------------------

    def url(self, *, state: str | None = None, callback_url: str | None = None) -> str:
        """Return the address of Bitbucket's consent page.

        Args:
            state: Comes back with the code, and tells that it is the answer to this question.
            callback_url: Where the browser is sent back to: the consumer's callback, exactly.
                Without it Bitbucket takes the one it knows.
        """
        asked = {"client_id": self._client.client_id, "response_type": "code"}
        asked |= {"state": state} if state else {}
        asked |= {"redirect_uri": callback_url} if callback_url else {}
        base = self._consumer.authorize_url
        return f"{base}{'&' if urlsplit(base).query else '?'}{urlencode(asked)}"

    def exchange(self, code: str, *, callback_url: str | None = None) -> Tokens:
        """Exchange a code for tokens, and keep them instead of those that were there.

        Args:
            code: Good once, and for some minutes.
            callback_url: As it was for `url`.

        Raises:
            AuthenticationError: The tokens could not be kept (found out before the code is
                spent), or Bitbucket refuses the code or cannot be reached.
        """
        store = self._own_store()
        code = code.strip()
        if not is_sendable(code):
            message = (
                "The code has blanks or other characters in it that no code has: copy it again"
            )
            raise AuthenticationError(message)
        form = {"grant_type": "authorization_code", "code": code}
        form |= {"redirect_uri": callback_url} if callback_url else {}
        return uninterrupted(lambda: self._exchange(store, form))

    def _exchange(self, store: TokenStore, form: dict[str, str]) -> Tokens:
        client, secret = self._client, self._client.client_secret
        with store.locked():
            before = load_own(store, client, _NOT_OURS)
            make_room(store, before)
            reply = client.ask(form)
            if isinstance(reply, Refused):
                raise AuthenticationError(self._why(reply))
            access = client.access_token(reply)
            after = before.signed_in(
                reply.refresh_token, access, secret=secret, seed=self._consumer.seed
            )
            store.save(after)
            if self._consumer.config_file is not None and after.refresh_token is not None:
                self._consumer.config_file.write_back(after.refresh_token, after.knows)
        return Tokens(store.place, access, after.refresh_token)

    # -- what is kept -----------------------------------------------------------------------------

    @property
    def place(self) -> str:
        """Where the tokens are kept.

        Raises:
            AuthenticationError: Nowhere, by client credentials.
        """
        return self._own_store().place

    def kept(self) -> StoredTokens | None:
        """Return what is kept.

        Raises:
            AuthenticationError: It cannot be read.
        """
        return self._own_store().load()

    def keep(self, tokens: StoredTokens) -> None:
        """Keep tokens from elsewhere instead of those that were there.

        Raises:
            AuthenticationError: They are another consumer's, or cannot be written.
        """
        store = self._own_store()
        check_owner(tokens, self._client, "The tokens", _NOT_OURS)
        with store.locked():
            make_room(store, tokens)
            store.save(tokens)

    def move(self, write: Callable[[StoredTokens], None]) -> None:
        """Hand the tokens to somebody else, and forget them; no run can renew them in between.

        Args:
            write: Keeps them elsewhere; if it fails, they stay here.

        Raises:
            AuthenticationError: There are none, or they cannot be removed.
        """
        store = self._own_store()
        with store.locked():
            kept = store.load()
            if kept is None:
                message = f"No tokens are in {store.place}"
                raise AuthenticationError(message)
            write(kept)
            store.forget()
        self._forget_seed()

    def refresh(self) -> Tokens:
        """Exchange the refresh token now, whatever the age of the access token.

        Raises:
            AuthenticationError: There is none, it is refused, or its successor cannot be kept.
        """
        store = self._own_store()
        authenticator = self._consumer.authenticator()
        before = load_own(store, self._client, _NOT_OURS).access
        authenticator.renew(None if before is None else before.value)
        after = load_own(store, self._client, _NOT_OURS)
        access = authenticator.current or after.access
        assert access is not None  # noqa: S101 - it was renewed just now
        return Tokens(store.place, access, after.refresh_token)

    def forget(self) -> None:
        """Forget the tokens, here and in the configuration file that they were written back to.

        Raises:
            AuthenticationError: They could not be removed.
        """
        store = self._own_store()
        with store.locked():
            store.forget()
        self._forget_seed()

    def _forget_seed(self) -> None:
        file = self._consumer.config_file
        if file is None:
            return
        try:
            file.forget()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not readable as JSON"
            message = f"Take refresh_token out of {file.path} by hand: it cannot be done ({reason})"
            raise AuthenticationError(message) from None

    @property
    def seed_remains(self) -> bool:
        """Whether the settings hold a refresh token that `forget` does not reach."""
        return self._consumer.seed is not None and self._consumer.config_file is None

    def authenticator(self) -> OAuthToken:
        """Return who signs requests."""
        return self._consumer.authenticator()

    def _own_store(self) -> TokenStore:
        store = self._consumer.store
        if store is None:
            message = (
                f"{self._client.identity} signs in by client credentials (oauth_grant): there is"
                " nothing to sign in to, to refresh or to keep"
            )
            raise AuthenticationError(message)
        return store

    def _why(self, reply: Refused) -> str:
        refused = f"Bitbucket did not take the code ({reply.error}):"
        if reply.error == "invalid_grant":
            return (
                f"{refused} it is good once and for some minutes, and the callback must be the same"
                " as when it was asked for; begin again with `tap-bitbucket auth login`"
            )
        return (
            f"{refused} check client_id and client_secret, and that the consumer may use the"
            " authorization code grant; if they are right, Bitbucket may have locked the consumer"
            " out for some minutes; then begin again with `tap-bitbucket auth login`"
        )


def new_state() -> str:
    """Return a value that nobody can guess, to recognise the answer by."""
    return secrets.token_urlsafe(24)


def code_in(pasted: str, state: str | None = None) -> str:
    """Return the code in what somebody pasted: the code itself, or the address with it.

    Args:
        pasted: What was pasted.
        state: What the address must carry, if it is known.

    Raises:
        AuthenticationError: There is none in it, consent was denied, or it answers another
            question.
    """
    text = pasted.strip()
    if "code=" not in text and "error=" not in text:
        if is_sendable(text) and "/" not in text:
            return text
        message = (
            "There is no code in that: paste the whole address of the page that Bitbucket sent the"
            " browser to, or the value after code= in it"
        )
        raise AuthenticationError(message)
    return code_of(query_of(urlsplit(text).query or text), state)


def query_of(text: str) -> dict[str, str]:
    """Return the parameters of a callback; one that is given twice counts as empty (RFC 6749)."""
    given = parse_qs(text)
    return {name: values[0] if len(values) == 1 else "" for name, values in given.items()}


def code_of(query: Mapping[str, str], state: str | None) -> str:
    """Return the code that a callback brought.

    Raises:
        AuthenticationError: It brought none, consent was denied, or it answers another question.
    """
    # An answer to another question says nothing, be it a code or an error.
    if state is not None and not secrets.compare_digest(
        query.get("state", "").encode(), state.encode()
    ):
        message = (
            "The callback does not belong to this sign-in (its state differs), so it was not used:"
            " begin again with `tap-bitbucket auth login`, and use only the page that it opens"
        )
        raise AuthenticationError(message)
    if query.get("error") == "access_denied":
        message = (
            "Consent was denied at Bitbucket, so nothing has changed: run `tap-bitbucket auth"
            " login` again and choose to grant access"
        )
        raise AuthenticationError(message)
    if "error" in query or not query.get("code"):
        error = "".join(char for char in query.get("error", "no code") if char.isprintable())[:60]
        message = (
            f"Bitbucket sent no code ({error}): check the consumer's settings, then run"
            " `tap-bitbucket auth login` again"
        )
        raise AuthenticationError(message)
    return query["code"]
