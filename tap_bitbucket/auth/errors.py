"""What goes wrong with a credential, said in one line."""

from __future__ import annotations


class AuthenticationError(Exception):
    """A credential is missing, contradictory, refused, or cannot be kept safely.

    The message is one line for the person who runs the tap: what is wrong, which setting it is
    about and how to mend it. It never contains a secret.
    """


class EndpointUnavailable(AuthenticationError):  # noqa: N818 - reads as what it is
    """The token endpoint gave no usable answer; nothing is known about the credential."""
