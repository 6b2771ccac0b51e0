"""Signing in to Bitbucket Cloud: who asks, with which token, and how a token lives on."""

from __future__ import annotations

from tap_bitbucket.auth.authenticators import Authenticator
from tap_bitbucket.auth.credentials import Credential, authenticators_from, credentials_from
from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.sign_in import SignIn

__all__ = [
    "AuthenticationError",
    "Authenticator",
    "Credential",
    "SignIn",
    "authenticators_from",
    "credentials_from",
]
