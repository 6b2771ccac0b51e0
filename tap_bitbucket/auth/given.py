"""Settings as they are given: blanks of copying taken off, and sentences about what is odd."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.tokens import is_sendable


class Given:
    """The settings of one credential.

    Args:
        config: The settings.
        place: What to call them in a message: nothing, or ``credentials[1].``.
        own: Names of the settings that are the credential's own; None for all.
    """

    def __init__(
        self, config: Mapping[str, Any], place: str = "", own: frozenset[str] | None = None
    ) -> None:
        self._config = config
        self.place = place
        self._own = own

    def own(self, name: str) -> bool:
        """Tell whether a setting is the credential's own, not one that all share."""
        return self._own is None or name in self._own

    def raw(self, name: str) -> Any:
        """Return a setting as it is."""
        return self._config.get(name)

    def text(self, name: str) -> str | None:
        """Return a setting without the blanks of copying; None for one that is empty.

        Raises:
            AuthenticationError: It is no text.
        """
        value = self._config.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            message = f"{self.place}{name} must be a string"
            raise AuthenticationError(message)
        return value.strip() or None

    def present(self, names: Iterable[str]) -> list[str]:
        """Return which of these settings hold something."""
        return [name for name in names if self.text(name) is not None]

    def needed(self, name: str, what: str, goes_with: Iterable[str]) -> str:
        """Return a setting.

        Raises:
            AuthenticationError: It is not set, though those that it goes with are.
        """
        value = self.text(name)
        if value is None:
            others = " and ".join(f"{self.place}{other}" for other in self.present(goes_with))
            message = f"{others} set, but {self.place}{name} is not: set it to {what}"
            raise AuthenticationError(message)
        return value

    def token(self, name: str) -> str:
        """Return a setting that goes into a header.

        Raises:
            AuthenticationError: It cannot.
        """
        value = self.text(name)
        if value is None or not is_sendable(value):
            message = (
                f"{self.place}{name} has blanks or other characters in it that no token has:"
                " copy it again"
            )
            raise AuthenticationError(message)
        return value

    def url(self, name: str, default: str) -> str:
        """Return a setting that is an address.

        Raises:
            AuthenticationError: It is none, or has a user in it.
        """
        url = self.text(name) or default
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            message = f"{self.place}{name} must be a plain http(s) address like {default}"
            raise AuthenticationError(message)
        return url
