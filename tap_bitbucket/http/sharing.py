"""Which runs share a budget: those that would share a token, or a home."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tap_bitbucket.auth import AuthenticationError, Credential
from tap_bitbucket.auth.consumer import FILE
from tap_bitbucket.auth.credentials import SEVERAL
from tap_bitbucket.auth.state_directory import state_directory
from tap_bitbucket.auth.token_file import TokenFile
from tap_bitbucket.auth.tokens import fingerprint
from tap_bitbucket.http.budget_file import BudgetFile
from tap_bitbucket.http.budget_row import BudgetRow
from tap_bitbucket.http.shared_budget import Place, SharedBudget

logger = logging.getLogger("tap-bitbucket.budget")


def shared_budget(
    config: Mapping[str, Any], credential: Credential, position: int
) -> SharedBudget | None:
    """Return what a credential's budget shares with other runs; None if there is no place for it.

    Args:
        config: The settings, complete with their defaults.
        credential: Whose budget.
        position: Its number among ``credentials``.
    """
    try:
        return SharedBudget(_place(config, credential, position))
    except (AuthenticationError, RuntimeError) as error:
        logger.warning(
            "What runs with %s know of its rate limit cannot be shared (%s): each goes by its own.",
            *(credential.name, error),
        )
        return None


def _place(config: Mapping[str, Any], credential: Credential, position: int) -> Place:
    # Not in clear: an allowance may be named by an email address.
    key = fingerprint(config["api_url"].rstrip("/"), credential.authenticator.allowance)
    several = config.get(SEVERAL) or ()
    own = several[position] if position < len(several) else {}
    token_store = str(own.get("token_store") or config.get("token_store") or "").strip()
    if token_store and token_store != FILE:
        return BudgetRow(token_store, key)
    return BudgetFile(_folder(credential) / f"budget-{key}.json")


def _folder(credential: Credential) -> Path:
    store = None if credential.consumer is None else credential.consumer.store
    if isinstance(store, TokenFile):
        return Path(store.place).parent
    return state_directory() / "tap-bitbucket"
