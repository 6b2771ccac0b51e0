"""Tokens at rest, unreadable for whoever has the file or the database but not the key."""

from __future__ import annotations

import json
import re

from tap_bitbucket.auth.errors import AuthenticationError

FORMAT = 1

KEY_FORM = (
    "32 bytes in URL-safe base64, as `tap-bitbucket auth key --show-secret` makes one, or several"
    " of them with commas between, the newest first"
)


class TokenCipher:
    """Encrypts with the first of its keys and decrypts with any, so that keys can be changed."""

    def __init__(self, keys: str) -> None:
        """Take one Fernet key, or several with commas between.

        Raises:
            AuthenticationError: One of them is no Fernet key.
        """
        # Imported here: most runs have no key, and this import is a tenth of a second.
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415

        each = [key.strip() for key in keys.split(",")]
        # Fernet's own look at it stops at the first `=`, whatever follows.
        if not all(re.fullmatch(r"[A-Za-z0-9_-]{43}=", key) for key in each):
            message = f"token_encryption_key is no key: set it to {KEY_FORM}"
            raise AuthenticationError(message)
        self._fernet = MultiFernet([Fernet(key) for key in each])

    def encrypt(self, text: str) -> str:
        """Return JSON text that holds `text` encrypted."""
        token = self._fernet.encrypt(text.encode()).decode()
        return json.dumps({"version": FORMAT, "encrypted": token}, indent=2) + "\n"

    def decrypt(self, text: str, place: str) -> str:
        """Return what `encrypt` was given.

        Args:
            text: What it returned.
            place: Where that was read, for the message.

        Raises:
            AuthenticationError: It was encrypted with another key, or was changed since.
        """
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - see above

        try:
            return self._fernet.decrypt(_token_in(text) or "").decode()
        except (InvalidToken, ValueError):
            message = (
                f"token_encryption_key is not the key that {place} was encrypted with: set the"
                " right one (the new one first and the old one after a comma while keys change),"
                " or run `tap-bitbucket auth logout` and sign in again"
            )
            raise AuthenticationError(message) from None


def new_key() -> str:
    """Return a new key for `TokenCipher`."""
    from cryptography.fernet import Fernet  # noqa: PLC0415 - see above

    return Fernet.generate_key().decode()


def encrypted(text: str, cipher: TokenCipher | None) -> str:
    """Return what to write: the text itself when there is no key."""
    return text if cipher is None else cipher.encrypt(text)


def decrypted(text: str, place: str, cipher: TokenCipher | None) -> str:
    """Return what was meant to be kept: a text that is not encrypted as it is.

    So a key may be set at any time; what is kept is encrypted when it is next written.

    Args:
        text: What was read.
        place: Where, for messages.
        cipher: The key, if one is set.

    Raises:
        AuthenticationError: It is encrypted, and the key is missing or another one.
    """
    if _token_in(text) is None:
        return text
    if cipher is None:
        message = f"{place} is encrypted: set token_encryption_key to the key it was encrypted with"
        raise AuthenticationError(message)
    return cipher.decrypt(text, place)


def _token_in(text: str) -> str | None:
    """Return the Fernet token in what `TokenCipher.encrypt` wrote; None for anything else."""
    try:
        fields = json.loads(text)
    except ValueError:
        return None
    if not isinstance(fields, dict) or fields.get("version") != FORMAT:
        return None
    token = fields.get("encrypted")
    return token if isinstance(token, str) else None
