"""Commits: the walk through history, single commits, statuses and comments."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.bbql import table
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.model import Commit
from tap_bitbucket.demo.paging import NUMBERED, Paging
from tap_bitbucket.demo.routing import REPOSITORY, R, route

WALK = Paging("context", default=30, size=False)
# q and sort are taken and ignored (BCLOUD-22613).
_WALK_PARAMS = ("include", "exclude", "path", "q", "sort")
STATUSES = table("key", "state", "name", "refname", "created_on", "updated_on")
COMMENTS = table("id", "created_on", "updated_on", "deleted", user__uuid="user.uuid")


@route(f"{R}/commits", REPOSITORY, methods=("GET", "POST"), paging=WALK, params=_WALK_PARAMS)
def commits(call: Call) -> Listing:
    """List commits, newest first, from `include` (default: all refs) without `exclude`."""
    return _walk(call, None)


@route(
    f"{R}/commits/{{revision...}}",
    REPOSITORY,
    methods=("GET", "POST"),
    paging=WALK,
    params=_WALK_PARAMS,
)
def commits_from(call: Call) -> Listing:
    """List commits from one revision."""
    return _walk(call, call.args["revision"])


def _walk(call: Call, revision: str | None) -> Listing:
    repo = call.repo
    if not repo.objects and call.settings.empty_repository == "404":
        raise errors.core(404, "Repository has no commits")
    include = call.many("include")
    if revision is not None:
        include = [revision, *include]
    wanted, excluded = _resolve(call, include, call.many("exclude"))
    token, heads = _pin(call)
    wanted = wanted if include else heads
    paths = call.many("path")
    path = paths[-1] if paths else None
    walks: OrderedDict[Any, list[Commit]] = call.memory.setdefault("walks", OrderedDict())
    key = (repo.uuid, frozenset(wanted), frozenset(excluded), path)
    found = walks.get(key)
    if found is None:
        found = call.world.history(repo, wanted, excluded)
        if path:
            found = [one for one in found if any(f.path.startswith(path) for f in one.files)]
        walks[key] = found
        while len(walks) > 16:
            walks.popitem(last=False)
    return Listing(found, lambda one: call.shapes.commit(one, repo), token=token)


def _resolve(call: Call, include: list[str], exclude: list[str]) -> tuple[list[str], list[str]]:
    """Find all commits named; those unknown are named in one 404."""
    missing: list[str] = []
    found: list[list[str]] = []
    for names in (include, exclude):
        hashes = []
        for name in names:
            commit = call.world.find_commit(call.repo, name)
            if commit is None:
                missing.append(name)
            else:
                hashes.append(commit.hash)
        found.append(hashes)
    if missing:
        body = {
            "type": "error",
            "error": {"message": "Commit not found", "data": {"shas": missing}},
        }
        raise errors.ApiError(404, body)
    return found[0], found[1]


def _pin(call: Call) -> tuple[str, list[str]]:
    """Keep what all refs were when the first page was asked for: that is what `ctx` names.

    It holds no include or exclude: a POST must send its body again with every page.
    """
    pins: dict[str, list[str]] = call.memory.setdefault("pins", {})
    token = call.param("ctx")
    if token is not None:
        if token not in pins:
            raise errors.core(400, "Invalid ctx")
        return token, pins[token]
    heads = call.repo.heads()
    text = f"{call.repo.uuid}:{','.join(heads)}"
    token = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    pins[token] = heads
    return token, heads


@route(f"{R}/commit/{{commit}}", REPOSITORY)
def commit(call: Call) -> Any:
    """Show a commit."""
    return call.shapes.commit(call.commit(call.args["commit"]), call.repo)


@route(
    f"{R}/commit/{{commit}}/statuses",
    REPOSITORY,
    paging=NUMBERED,
    params=("refname",),
    filters=STATUSES,
)
def statuses(call: Call) -> Listing:
    """List the build statuses of a commit."""
    found = call.repo.statuses.get(call.commit(call.args["commit"]).hash, [])
    name = call.param("refname")
    if name is not None:
        found = [one for one in found if one.refname == name]
    return Listing(found, lambda one: call.shapes.status(one, call.repo), key=(name,))


@route(f"{R}/commit/{{commit}}/comments", REPOSITORY, paging=NUMBERED, filters=COMMENTS)
def comments(call: Call) -> Listing:
    """List the comments on a commit."""
    found = call.repo.commit_comments.get(call.commit(call.args["commit"]).hash, [])
    return Listing(found, lambda one: call.shapes.commit_comment(one, call.repo))


@route(f"{R}/commit/{{commit}}/statuses/build/{{key}}", REPOSITORY)
def status(call: Call) -> Any:
    """Show a build status."""
    found = call.repo.statuses.get(call.commit(call.args["commit"]).hash, [])
    return call.shapes.status(call.pick(found, "key", "key"), call.repo)


@route(f"{R}/commit/{{commit}}/comments/{{comment_id}}", REPOSITORY)
def comment(call: Call) -> Any:
    """Show a comment on a commit."""
    found = call.repo.commit_comments.get(call.commit(call.args["commit"]).hash, [])
    return call.shapes.commit_comment(call.pick(found, "comment_id", "id"), call.repo)
