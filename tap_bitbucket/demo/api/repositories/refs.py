"""Branches and tags."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.bbql import table
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.model import Ref
from tap_bitbucket.demo.paging import NUMBERED, UNSIZED
from tap_bitbucket.demo.routing import REPOSITORY, R, route
from tap_bitbucket.demo.views import branches_of

REFS = table(
    "name",
    target__date="target.date",
    target__hash="target.hash",
    target__author__raw="target.author",
)


def _listing(call: Call, found: list[Ref]) -> Listing:
    return Listing(found, lambda ref: call.shapes.ref(ref, call.repo))


@route(f"{R}/refs", REPOSITORY, paging=NUMBERED, filters=REFS)
def refs(call: Call) -> Listing:
    """List branches and tags."""
    return _listing(call, branches_of(call.repo) + list(call.repo.tags.values()))


@route(f"{R}/refs/branches", REPOSITORY, paging=NUMBERED, filters=REFS)
def branches(call: Call) -> Listing:
    """List branches."""
    return _listing(call, branches_of(call.repo))


@route(f"{R}/refs/tags", REPOSITORY, paging=UNSIZED, filters=REFS)
def tags(call: Call) -> Listing:
    """List tags; the page has no `size`."""
    return _listing(call, list(call.repo.tags.values()))


@route(f"{R}/refs/branches/{{name...}}", REPOSITORY)
def branch(call: Call) -> Any:
    """Show a branch; its name may hold slashes."""
    return _one(call, branches_of(call.repo), "Branch")


@route(f"{R}/refs/tags/{{name...}}", REPOSITORY)
def tag(call: Call) -> Any:
    """Show a tag."""
    return _one(call, list(call.repo.tags.values()), "Tag")


def _one(call: Call, found: list[Ref], kind: str) -> Any:
    name = call.args["name"]
    for ref in found:
        if ref.name == name:
            return call.shapes.ref(ref, call.repo)
    raise errors.core(404, f'{kind} "{name}" does not exist.')
