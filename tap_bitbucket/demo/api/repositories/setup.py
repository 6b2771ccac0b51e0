"""What is set up in a repository: reviewers, webhooks, restrictions, keys."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.model import Hook
from tap_bitbucket.demo.paging import NUMBERED, Paging
from tap_bitbucket.demo.routing import (
    PULL_REQUEST,
    REPOSITORY_ADMIN,
    WEBHOOK,
    R,
    Scopes,
    route,
)
from tap_bitbucket.demo.views import effective_reviewers

DEPLOY_KEYS = Scopes(("repository", "repository:admin"), ("admin:repository",))


@route(f"{R}/default-reviewers", PULL_REQUEST, paging=NUMBERED)
def default_reviewers(call: Call) -> Listing:
    """List who reviews by default, as set in the repository itself."""
    return Listing(call.repo.default_reviewers, call.shapes.account)


@route(f"{R}/default-reviewers/{{target_username}}", PULL_REQUEST)
def default_reviewer(call: Call) -> Any:
    """Show a default reviewer, or answer 404."""
    found = call.pick(call.repo.default_reviewers, "target_username", "uuid", "account_id")
    return call.shapes.account(found)


@route(f"{R}/effective-default-reviewers", PULL_REQUEST, paging=Paging(default=20))
def effective_default_reviewers(call: Call) -> Listing:
    """List who reviews by default, as set in the repository or in its project."""
    rows = effective_reviewers(call.repo)
    return Listing(rows, lambda row: call.shapes.default_reviewer(*row))


def _hook(call: Call, hook: Hook) -> Any:
    row = call.shapes.hook(hook, call.repo)
    if call.settings.show_secrets and hook.secret is not None:
        row["secret"] = hook.secret
    return row


@route(f"{R}/hooks", WEBHOOK, paging=NUMBERED, admin="repository")
def hooks(call: Call) -> Listing:
    """List the webhooks of a repository."""
    return Listing(call.repo.hooks, lambda one: _hook(call, one))


@route(f"{R}/hooks/{{uid}}", WEBHOOK, admin="repository")
def hook(call: Call) -> Any:
    """Show a webhook."""
    return _hook(call, call.pick(call.repo.hooks, "uid", "uuid"))


@route(
    f"{R}/branch-restrictions",
    REPOSITORY_ADMIN,
    paging=NUMBERED,
    params=("kind", "pattern"),
    admin="repository",
)
def branch_restrictions(call: Call) -> Listing:
    """List branch restrictions."""
    kind, pattern = call.param("kind"), call.param("pattern")
    found = [
        one
        for one in call.repo.restrictions
        if kind in (None, one.kind) and pattern in (None, one.pattern)
    ]
    return Listing(found, lambda one: call.shapes.restriction(one, call.repo))


@route(f"{R}/branch-restrictions/{{id}}", REPOSITORY_ADMIN, admin="repository")
def branch_restriction(call: Call) -> Any:
    """Show a branch restriction."""
    return call.shapes.restriction(call.pick(call.repo.restrictions, "id", "id"), call.repo)


@route(f"{R}/deploy-keys", DEPLOY_KEYS, paging=NUMBERED, admin="repository")
def deploy_keys(call: Call) -> Listing:
    """List the keys of machines that read the repository."""
    date = call.settings.deploy_key_date
    return Listing(call.repo.deploy_keys, lambda key: call.shapes.deploy_key(key, date))


@route(f"{R}/deploy-keys/{{key_id}}", DEPLOY_KEYS, admin="repository")
def deploy_key(call: Call) -> Any:
    """Show a machine's key."""
    found = call.pick(call.repo.deploy_keys, "key_id", "id")
    return call.shapes.deploy_key(found, call.settings.deploy_key_date)


@route(f"{R}/override-settings", REPOSITORY_ADMIN, admin="repository")
def override_settings(call: Call) -> Any:
    """Show which settings are the repository's own."""
    return call.shapes.override_settings(call.repo)
