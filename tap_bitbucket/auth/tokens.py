"""Tokens as values: how long they live, what is remembered about them. No I/O."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any

REFRESH_AHEAD = 300.0
"""Seconds before its end at which an access token is replaced (a tenth of a shorter life)."""

LOCKOUT = 600.0
"""Seconds to leave a client alone after an unclear refusal of a token that was never good.

Bitbucket refuses even good tokens of a client for some minutes after it was shown a dead one.
"""

PAUSES = (60.0, 540.0)
"""Seconds to wait after each unclear refusal of a token that must be good, unless it was used
elsewhere: a lockout may end soon, and lasts ten minutes at the most. No third try after that."""

REMEMBERED_SPENT = 200
REMEMBERED_REFUSED = 20
CLOCK_SKEW = 60.0
FORMAT = 1


def fingerprint(*parts: str) -> str:
    """Return a short name for a secret that says nothing about it."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def is_sendable(token: object) -> bool:
    """Tell whether a value can stand in an Authorization header (RFC 6750, section 2.1)."""
    return isinstance(token, str) and re.fullmatch(r"[\x21-\x7e]+", token) is not None


@dataclass(frozen=True)
class AccessToken:
    """A bearer token and what the token endpoint said about it."""

    value: str = field(repr=False)
    obtained_at: float
    lifetime: float
    scope: str | None = None

    @property
    def header(self) -> str:
        """The value of the Authorization header."""
        return f"Bearer {self.value}"

    @property
    def scopes(self) -> frozenset[str] | None:
        """The granted scopes, None when the token endpoint did not name any."""
        return None if self.scope is None else frozenset(self.scope.replace(",", " ").split())

    def is_due(self, age: float) -> bool:
        """Tell whether a token of this age (in seconds) is to be replaced.

        An age below zero is a clock that was set back: nothing is known, so the token is due.
        """
        ahead = min(REFRESH_AHEAD, self.lifetime / 10)
        return not -CLOCK_SKEW <= age < self.lifetime - ahead


@dataclass(frozen=True)
class Refusal:
    """What Bitbucket answered when a refresh token was presented in vain.

    An unclear answer may have been the wrong secret or a lockout, so the token gets another
    chance when that may be over, and one more if it came from Bitbucket by the same secret.

    Attributes:
        error: The OAuth error.
        at: When, in seconds since 1970.
        final: Whether the token is dead for certain, or has had its chances.
        count: How often it was refused.
        proven: Whether the client secret had been good before.
    """

    error: str
    at: float
    final: bool
    count: int = 1
    proven: bool = False

    def again(self, later: Refusal) -> Refusal:
        """Return what is known after this and a later refusal of the same token."""
        count = self.count + 1
        chances = len(PAUSES) if later.proven else 1
        return replace(later, final=later.final or count > chances, count=count)

    def rest(self, now: float) -> float:
        """Return the seconds until the token may be presented once more, 0 if it may be."""
        since = now - self.at
        pause = PAUSES[min(self.count, len(PAUSES)) - 1] if self.proven else LOCKOUT
        return pause - since if 0 <= since < pause else 0.0

    def lockout(self, now: float) -> float:
        """Return the seconds in which other tokens of the client are to be spared, too."""
        since = now - self.at
        clear = self.final and self.count == 1
        return PAUSES[0] - since if 0 <= since < PAUSES[0] and not clear else 0.0

    def is_over(self, now: float) -> bool:
        """Tell whether the token may be presented once more."""
        return not self.final and not self.rest(now)


@dataclass(frozen=True)
class StoredTokens:
    """All that outlives a run: the tokens, and the fingerprints that tell old seeds from new ones.

    Attributes:
        client: Fingerprint of the OAuth consumer the tokens belong to.
        refresh_token: The one to present next.
        access: The access token in use, shared by all processes.
        seed: Fingerprint of the configured token this family began with.
        spent: Fingerprints of the refresh tokens already exchanged, the latest last.
        refused: Fingerprint of refresh token and client secret → the refusal.
        secret: Fingerprint of the client secret that was good for the last exchange.
    """

    client: str
    refresh_token: str | None = field(default=None, repr=False)
    access: AccessToken | None = None
    seed: str | None = None
    spent: tuple[str, ...] = ()
    refused: dict[str, Refusal] = field(default_factory=dict)
    secret: str | None = None

    def knows(self, refresh_token: str) -> bool:
        """Tell whether a configured refresh token is one this family has come from or is at."""
        if refresh_token == self.refresh_token:
            return True
        return fingerprint(refresh_token) in {self.seed, *self.spent}

    def is_proven(self, secret: str) -> bool:
        """Tell whether the stored refresh token came from Bitbucket by this client secret."""
        return self.refresh_token is not None and self.secret == fingerprint(secret)

    def rotated(
        self,
        presented: str,
        received: str | None,
        access: AccessToken,
        *,
        secret: str,
        seed: str | None = None,
    ) -> StoredTokens:
        """Return what to keep after `presented` was exchanged.

        Args:
            presented: The refresh token that was exchanged.
            received: Its successor; None when Bitbucket did not rotate it.
            access: The new access token.
            secret: The client secret.
            seed: The configured token, when this exchange began a new family with it.
        """
        earlier = [name for name in self.spent if name != fingerprint(presented)]
        return replace(
            self,
            refresh_token=received or presented,
            access=access,
            seed=fingerprint(seed) if seed else self.seed,
            spent=(*earlier, fingerprint(presented))[-REMEMBERED_SPENT:],
            secret=fingerprint(secret),
        )

    def signed_in(
        self, refresh_token: str | None, access: AccessToken, *, secret: str, seed: str | None
    ) -> StoredTokens:
        """Return what to keep after somebody has signed in: a family that goes before all others.

        Args:
            refresh_token: The first one of the family.
            access: The access token.
            secret: The client secret.
            seed: The refresh token in the settings, which is an old one from now on.
        """
        past = [fingerprint(token) for token in (self.refresh_token, seed) if token]
        earlier = [name for name in self.spent if name not in past]
        return replace(
            self,
            refresh_token=refresh_token,
            access=access,
            seed=None,
            spent=(*earlier, *(name for name in (self.seed,) if name), *past)[-REMEMBERED_SPENT:],
            secret=fingerprint(secret),
        )

    def refusal_of(self, refresh_token: str, secret: str) -> Refusal | None:
        """Return how this refresh token was refused with this client secret, if it was."""
        return self.refused.get(fingerprint(refresh_token, secret))

    def with_refusal(self, refresh_token: str, secret: str, refusal: Refusal) -> StoredTokens:
        """Return what to keep after a refresh token was refused."""
        name = fingerprint(refresh_token, secret)
        others = [item for item in self.refused.items() if item[0] != name]
        earlier = self.refused.get(name)
        latest = refusal if earlier is None else earlier.again(refusal)
        return replace(self, refused=dict([*others, (name, latest)][-REMEMBERED_REFUSED:]))

    def to_json(self) -> str:
        """Write everything as JSON text."""
        return json.dumps({"version": FORMAT, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> StoredTokens:
        """Read what `to_json` wrote.

        Raises:
            ValueError: The text is something else.
        """
        message = "not a token file of this version"
        try:
            fields: dict[str, Any] = json.loads(text)
            version = fields.pop("version")
            fields["spent"] = tuple(fields["spent"])
            fields["access"] = fields["access"] and AccessToken(**fields["access"])
            fields["refused"] = {name: Refusal(**kept) for name, kept in fields["refused"].items()}
            tokens = cls(**fields)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ValueError(message) from None  # the cause would quote the text, tokens and all
        if version != FORMAT:
            raise ValueError(message)
        return tokens
