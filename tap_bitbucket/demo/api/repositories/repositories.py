"""Repositories and what is set up in them."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.access import administers, sees
from tap_bitbucket.demo.bbql import table
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.paging import NUMBERED, UNSIZED
from tap_bitbucket.demo.routing import REPOSITORY, R, route
from tap_bitbucket.demo.views import forks_of

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
    found = [one for one in forks_of(call.world, call.repo) if sees(call.identity, one)]
    return Listing(found, call.shapes.repository)


@route(f"{R}/watchers", REPOSITORY, paging=UNSIZED)
def watchers(call: Call) -> Listing:
    """List who watches a repository."""
    return Listing(call.repo.watchers, call.shapes.account)
