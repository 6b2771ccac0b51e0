"""OAuth with a refresh token that is replaced at every use.

Since May 2026 a refresh token of Bitbucket's is good for one refresh: its answer brings the next
one, and the old one dies about ten minutes later.
https://developer.atlassian.com/cloud/bitbucket/oauth-2/ ("Refresh tokens").
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.oauth import Blame, Granted, Refused
from tap_bitbucket.auth.token_endpoint import OAuthClient
from tap_bitbucket.auth.token_store import TokenStore, load_own, make_room
from tap_bitbucket.auth.tokens import AccessToken, Refusal, StoredTokens, fingerprint
from tap_bitbucket.auth.uninterrupted import crucial

_NOT_OURS = "set token_file to another place, or run `tap-bitbucket auth logout` to forget them"

SIGN_IN = 'sign in again with `tap-bitbucket auth login` (README, "Sign in")'

WriteBack = Callable[[str, Callable[[str], bool]], None]

logger = logging.getLogger("tap-bitbucket.auth")


@dataclass(frozen=True)
class Reuse:
    """Somebody has refreshed already."""

    access: AccessToken


@dataclass(frozen=True)
class Present:
    """Exchange this refresh token; `begins_family` when it is a new one from the settings."""

    refresh_token: str = field(repr=False)
    begins_family: bool = False


@dataclass(frozen=True)
class GiveUp:
    """Nothing may be presented: all there is was refused, or there is nothing.

    Attributes:
        refusal: Why.
        wait: Seconds after which a token may be presented that must be good, unless it was used
            elsewhere; None if there is no such token.
    """

    refusal: Refusal | None
    wait: float | None = None


Outcome = AccessToken | GiveUp


def next_step(
    stored: StoredTokens, seed: str | None, secret: str, now: float, other_than: str | None
) -> Reuse | Present | GiveUp:
    """Decide how to come by an access token.

    A configured token that the stored family did not come from was put there by somebody who
    signed in again: it goes first, unless it was already refused. Then the family goes on.

    Args:
        stored: What is kept.
        seed: The configured refresh token.
        secret: The client secret; with another one, a refused token deserves another chance.
        now: The time.
        other_than: The access token that will not do.
    """
    refusal = None
    if seed is not None and not stored.knows(seed):
        refusal = stored.refusal_of(seed, secret)
        if refusal is None or refusal.is_over(now):
            return Present(seed, begins_family=True)
    access = stored.access
    if access and access.value != other_than and not access.is_due(now - access.obtained_at):
        return Reuse(access)
    locked_out = 0.0 if refusal is None else refusal.lockout(now)
    if stored.refresh_token is None:
        return GiveUp(refusal)
    own = stored.refusal_of(stored.refresh_token, secret)
    if not locked_out and (own is None or own.is_over(now)):
        return Present(stored.refresh_token)
    hopeless = not stored.is_proven(secret) or (own is not None and own.final)
    wait = max(locked_out, 0.0 if own is None else own.rest(now))
    return GiveUp(own or refusal, None if hopeless else wait)


class RefreshToken:
    """Exchanges refresh tokens so that the next one is never lost and none is used twice."""

    def __init__(
        self,
        client: OAuthClient,
        store: TokenStore,
        seed: str | None,
        write_back: WriteBack | None = None,
        *,
        patient: bool = True,
    ) -> None:
        """Exchange in the name of `client`.

        Args:
            client: The OAuth consumer the tokens belong to.
            store: Where the tokens live.
            seed: The configured refresh token, which begins the family.
            write_back: Told each new refresh token, and how to recognise an earlier one.
            patient: Whether to wait for the end of a lockout, which may take ten minutes.
        """
        self.identity = client.identity
        self.allowance = client.allowance
        self._client = client
        self._store = store
        self._seed = seed
        self._write_back = write_back
        self._patient = patient
        self._told = False

    def obtain(self, other_than: str | None, *, patient: bool = True) -> AccessToken:
        """Return an access token: another process's if there is one, else a new one.

        Raises:
            AuthenticationError: The store cannot be written, there is nothing to present, or
                Bitbucket refuses it or cannot be reached.
        """
        while True:
            outcome = self._obtain(other_than)
            if isinstance(outcome, AccessToken):
                return outcome
            if outcome.wait == 0.0:
                continue  # with what is stored
            if outcome.wait is None or not (patient and self._patient):
                raise AuthenticationError(self._why(outcome.refusal))
            logger.warning(
                "Bitbucket refuses the refresh token of %s; it does so with good ones, too, for"
                " some minutes after it was shown a dead one. Trying again in %.0f s",
                *(self.identity, outcome.wait),
            )
            self._client.pause(outcome.wait)

    def _obtain(self, other_than: str | None) -> Outcome:
        step = self._next_step(self._load(), other_than)
        if isinstance(step, Reuse):
            return step.access
        if isinstance(step, GiveUp):
            return step
        # One process at a time, and each reads again what the one before it wrote: two that
        # present the same refresh token get two families, of which only one is remembered.
        with self._store.locked():
            stored = self._load()
            while True:
                step = self._next_step(stored, other_than)
                if isinstance(step, Reuse):
                    return step.access
                if isinstance(step, GiveUp):
                    return step
                with crucial():
                    reply = self._exchange(stored, step)
                    if isinstance(reply, Granted):
                        return self._keep(stored, step, reply)
                earlier, stored = stored, self._load()
                if stored.refresh_token == earlier.refresh_token:
                    return self._refused(stored, step, reply, other_than)
                # A writer the lock could not keep out: go by what it wrote.

    def advice(self) -> str:
        """Say what to check."""
        return (
            f"Bitbucket does not accept the access token of {self.identity}, though it was just"
            " refreshed: check that the OAuth consumer still exists and that the user who signed"
            f" in still has access, else {SIGN_IN}"
        )

    def _load(self) -> StoredTokens:
        return load_own(self._store, self._client, _NOT_OURS)

    def _next_step(self, stored: StoredTokens, other_than: str | None) -> Reuse | Present | GiveUp:
        secret, now = self._client.client_secret, self._client.clock()
        step = next_step(stored, self._seed, secret, now, other_than)
        new_seed = self._seed is not None and not stored.knows(self._seed)
        begins = isinstance(step, Present) and step.begins_family
        if new_seed and not begins and not isinstance(step, GiveUp) and not self._told:
            self._told = True
            refusal = stored.refusal_of(self._seed or "", secret)
            logger.warning(
                "refresh_token in the settings was refused (%s): going on with the one in %s",
                *(refusal.error if refusal else "unknown", self._store.place),
            )
        return step

    def _exchange(self, stored: StoredTokens, step: Present) -> Granted | Refused:
        make_room(self._store, stored)
        form = {"grant_type": "refresh_token", "refresh_token": step.refresh_token}
        return self._client.ask(form)

    def _keep(self, stored: StoredTokens, step: Present, reply: Granted) -> AccessToken:
        """Save first, use afterwards."""
        access = self._client.access_token(reply)
        rotated = stored.rotated(
            step.refresh_token,
            reply.refresh_token,
            access,
            secret=self._client.client_secret,
            seed=step.refresh_token if step.begins_family else None,
        )
        self._store.save(rotated)
        logger.info(
            "access token refreshed, valid for %.0f min; next refresh token stored in %s",
            *(reply.lifetime / 60, self._store.place),
        )
        if self._write_back is not None and rotated.refresh_token is not None:
            self._write_back(rotated.refresh_token, rotated.knows)
        return access

    def _refused(
        self, stored: StoredTokens, step: Present, reply: Refused, other_than: str | None
    ) -> Outcome:
        """Remember that a refresh token was refused, and return what is left to do.

        Raises:
            AuthenticationError: It was not about the token.
        """
        if reply.blame is Blame.CLIENT:
            message = (
                f"Bitbucket does not accept client_id and client_secret of {self.identity}"
                f" ({reply.error}): copy both again from the OAuth consumer's page"
            )
            raise AuthenticationError(message)
        secret = self._client.client_secret
        refusal = Refusal(
            reply.error,
            self._client.clock(),
            final=reply.blame is Blame.REFRESH_TOKEN,
            proven=step.refresh_token == stored.refresh_token and stored.is_proven(secret),
        )
        stored = stored.with_refusal(step.refresh_token, secret, refusal)
        self._store.save(stored)
        left = self._next_step(stored, other_than)
        refusal = stored.refused[fingerprint(step.refresh_token, secret)]
        return GiveUp(refusal, left.wait if isinstance(left, GiveUp) else 0.0)

    def _why(self, refusal: Refusal | None) -> str:
        if refusal is None:
            return f"There is no refresh token for {self.identity}: {SIGN_IN}"
        refused = f"Bitbucket refused the refresh token of {self.identity} ({refusal.error}):"
        if refusal.final:
            return f"{refused} it was used elsewhere, revoked or idle for three months; {SIGN_IN}"
        return (
            f"{refused} it is dead, or client_secret is wrong, or Bitbucket has locked the consumer"
            " out for some minutes; check client_id and client_secret, run again in ten minutes,"
            f" and if that fails {SIGN_IN}"
        )
