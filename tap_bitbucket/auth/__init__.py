"""Signing in to Bitbucket Cloud: who asks, with which token, and how a token lives on."""

from __future__ import annotations

from tap_bitbucket.auth.authenticators import Authenticator
from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.from_config import authenticators_from

__all__ = ["AuthenticationError", "Authenticator", "authenticators_from"]
