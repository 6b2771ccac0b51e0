"""From credentials to the session: who asks, and on whose budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tap_bitbucket.auth import AuthenticationError, Credential
from tap_bitbucket.http.budget import Budget
from tap_bitbucket.http.identities import Group, Identities, Identity
from tap_bitbucket.http.limits import Limits
from tap_bitbucket.http.session import Session
from tap_bitbucket.http.sharing import shared_budget


def identities_of(
    credentials: Sequence[Credential], on_limit: str, config: Mapping[str, Any] | None = None
) -> list[Identity]:
    """Return an identity for each credential; those that Bitbucket counts together share a budget.

    Args:
        credentials: In the order of the settings.
        on_limit: ``wait`` or ``stop``, what a spent budget means.
        config: The settings, if the budgets are to be shared with other runs.
    """
    budgets: dict[str, Budget] = {}
    found = []
    for number, credential in enumerate(credentials):
        allowance = credential.authenticator.allowance
        if allowance not in budgets:
            shared = None if config is None else shared_budget(config, credential, number)
            budgets[allowance] = Budget(credential.name, on_limit=on_limit, shared=shared)
        budget = budgets[allowance]
        bound = frozenset(name.casefold() for name in credential.workspaces) or None
        found.append(Identity(credential.name, credential.authenticator, budget, bound))
    return found


def check_bindings(identities: Identities, workspaces: Sequence[str]) -> None:
    """See that there is a credential for each workspace that is to be read.

    Raises:
        AuthenticationError: There is none for one of them.
    """
    for workspace in workspaces:
        if not identities.of(workspace.casefold()):
            message = (
                f"None of the credentials is for the workspace {workspace!r}: add it to the"
                " `workspaces` of one of them, spelt the same way, or leave `workspaces` of one"
                " of them out"
            )
            raise AuthenticationError(message)


def session_for(
    config: Mapping[str, Any],
    credentials: Sequence[Credential],
    limits: Limits,
    on_scopes: Callable[[Group, Identity | None], None] | None = None,
) -> Session:
    """Return the way to the API.

    Args:
        config: The settings, complete with their defaults.
        credentials: Who may ask.
        limits: Of this run.
        on_scopes: See ``Identities``.

    Raises:
        AuthenticationError: A workspace has nobody who asks about it.
    """
    members = identities_of(credentials, config["on_rate_limit"], config)
    identities = Identities(members, limits, on_scopes, config.get("workspaces") or None)
    check_bindings(identities, config.get("workspaces") or ())
    return Session(
        config["api_url"],
        identities,
        timeout=config["request_timeout"],
        max_retries=config["max_retries"],
        connections=config["concurrency"],
        user_agent=config["user_agent"],
    )
