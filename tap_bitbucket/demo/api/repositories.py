"""Repositories and what is set up in them."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.access import administers, sees
from tap_bitbucket.demo.bbql import table
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.paging import NUMBERED, UNSIZED, Paging
from tap_bitbucket.demo.routing import (
    PULL_REQUEST,
    REPOSITORY,
    REPOSITORY_ADMIN,
    WEBHOOK,
    R,
    route,
)

REPOSITORIES = table(
    "updated_on",
    "created_on",
    "name",
    "full_name",
    "slug",
    "uuid",
    "size",
    "language",
    "is_private",
    "description",
    project__key="project.key",
    project__name="project.name",
    project__uuid="project.uuid",
    mainbranch__name="mainbranch",
    parent__uuid="parent.uuid",
)
_ROLES = ("member", "contributor", "admin", "owner")


@route(
    "/repositories/{workspace}",
    REPOSITORY,
    paging=NUMBERED,
    params=("role",),
    filters=REPOSITORIES,
    etag=True,
)
def repositories(call: Call) -> Listing:
    """List the repositories of a workspace; some are listed though they cannot be read."""
    found = [one for one in call.workspace.repositories.values() if sees(call.identity, one)]
    role = call.param("role")
    if role is not None and role not in _ROLES:
        raise errors.core(400, f"Invalid role {role}")
    if role in ("admin", "owner"):
        found = [one for one in found if administers(call.identity, call.workspace, one)]
    return Listing(found, call.shapes.repository, key=(role,))


@route(R, REPOSITORY)
def repository(call: Call) -> Any:
    """Show a repository."""
    return call.shapes.repository(call.repo)


@route(f"{R}/forks", REPOSITORY, paging=NUMBERED, params=("role",), filters=REPOSITORIES)
def forks(call: Call) -> Listing:
    """List the forks of a repository."""
    found = [
        one
        for one in call.world.repositories()
        if one.parent is call.repo and sees(call.identity, one)
    ]
    return Listing(found, call.shapes.repository)


@route(f"{R}/watchers", REPOSITORY, paging=UNSIZED)
def watchers(call: Call) -> Listing:
    """List who watches a repository."""
    return Listing(call.repo.watchers, call.shapes.account)


@route(f"{R}/default-reviewers", PULL_REQUEST, paging=NUMBERED)
def default_reviewers(call: Call) -> Listing:
    """List who reviews by default, as set in the repository itself."""
    return Listing(call.repo.default_reviewers, call.shapes.account)


@route(f"{R}/effective-default-reviewers", PULL_REQUEST, paging=Paging(default=20))
def effective_default_reviewers(call: Call) -> Listing:
    """List who reviews by default, as set in the repository or in its project."""
    own = [(user, "repository") for user in call.repo.default_reviewers]
    known = {user.uuid for user, _ in own}
    above = [
        (user, "project") for user in call.repo.project.default_reviewers if user.uuid not in known
    ]

    def render(row: Any) -> dict[str, Any]:
        return {
            "type": "default_reviewer",
            "reviewer_type": row[1],
            "user": call.shapes.account(row[0]),
        }

    return Listing(own + above, render)


@route(f"{R}/hooks", WEBHOOK, paging=NUMBERED, admin="repository")
def hooks(call: Call) -> Listing:
    """List the webhooks of a repository."""
    return Listing(call.repo.hooks, lambda one: call.shapes.hook(one, call.repo))


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
