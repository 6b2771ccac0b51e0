"""Snippets; access tokens may not read them."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.model import Snippet
from tap_bitbucket.demo.paging import NUMBERED, TOKENS
from tap_bitbucket.demo.routing import Scopes, route

SNIPPET = Scopes(("snippet",), ("read:snippet",))
S = "/snippets/{workspace}"
ONE = f"{S}/{{encoded_id}}"
ROLES = ("owner", "contributor", "member")
FREE_PLAN = "Snippets are not part of the Free plan. Upgrade to read them."


@route(S, SNIPPET, paging=NUMBERED, params=("role",), no_tokens=True)
def snippets(call: Call) -> Listing:
    """List snippets; on the Free plan the page holds a sentence instead."""
    if call.settings.free_plan:
        return Listing([FREE_PLAN], lambda text: text)
    role, me = call.param("role"), call.identity.user
    if role is not None and role not in ROLES:
        raise errors.core(400, f"Invalid role {role}")
    found = list(call.workspace.snippets.values())
    if role == "owner":
        found = [one for one in found if one.creator is me]
    return Listing(found, call.shapes.snippet, key=(role,))


def _snippet(call: Call) -> Snippet:
    name = call.args["encoded_id"]
    if name in call.workspace.deleted_snippets:
        raise errors.core(410, "This snippet has been deleted")
    found: Snippet = call.pick(call.workspace.snippets.values(), "encoded_id", "id")
    return found


@route(ONE, SNIPPET, no_tokens=True)
def snippet(call: Call) -> Any:
    """Show a snippet with its files; a deleted one answers 410."""
    return call.shapes.snippet_in_full(_snippet(call))


@route(f"{ONE}/comments", SNIPPET, paging=NUMBERED, no_tokens=True)
def comments(call: Call) -> Listing:
    """List the comments on a snippet."""
    one = _snippet(call)
    return Listing(one.comments, lambda row: call.shapes.snippet_comment(row, one))


@route(f"{ONE}/comments/{{comment_id}}", SNIPPET, no_tokens=True)
def comment(call: Call) -> Any:
    """Show a comment on a snippet."""
    one = _snippet(call)
    return call.shapes.snippet_comment(call.pick(one.comments, "comment_id", "id"), one)


@route(f"{ONE}/commits", SNIPPET, paging=TOKENS, no_tokens=True)
def commits(call: Call) -> Listing:
    """List the commits of a snippet, newest first."""
    one = _snippet(call)
    return Listing(one.commits[::-1], lambda row: call.shapes.snippet_commit(row, one))


@route(f"{ONE}/commits/{{revision}}", SNIPPET, no_tokens=True)
def commit(call: Call) -> Any:
    """Show a commit of a snippet."""
    one = _snippet(call)
    return call.shapes.snippet_commit(call.pick(one.commits, "revision", "hash"), one)
