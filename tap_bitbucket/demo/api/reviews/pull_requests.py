"""Pull requests, of a repository and of a person."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.access import sees
from tap_bitbucket.demo.bbql import table
from tap_bitbucket.demo.call import Call, Listing, Reply
from tap_bitbucket.demo.model import PullRequest
from tap_bitbucket.demo.paging import NUMBERED, TOKENS, Paging
from tap_bitbucket.demo.routing import PULL_REQUEST, R, W, route

FIFTY = Paging(maximum=50)
STATES = ("OPEN", "MERGED", "DECLINED", "SUPERSEDED")
# participants.* and summary.raw cannot be filtered by.
PULL_REQUESTS = table(
    "id", "title", "state", "draft", "queued", "created_on", "updated_on", "comment_count",
    "task_count", "description", "close_source_branch", "reason",
    source__branch__name="source_branch",
    source__repository__full_name="source_repository.full_name",
    source__repository__uuid="source_repository.uuid",
    destination__branch__name="destination_branch",
    author__uuid="known_author.uuid",
    author__account_id="known_author.account_id",
    author__nickname="known_author.nickname",
    reviewers__uuid="reviewers.uuid",
    reviewers__account_id="reviewers.account_id",
    reviewers__nickname="reviewers.nickname",
)  # fmt: skip


def _states(call: Call) -> tuple[str, ...]:
    states = tuple(call.many("state"))
    for state in states:
        if state not in STATES:
            raise errors.core(400, f"Invalid state: {state}", fields={"state": [state]})
    return states


def _in_states(call: Call, rows: list[PullRequest], states: tuple[str, ...]) -> list[PullRequest]:
    """Keep what is in these states (without any: OPEN), newest first, and remember it."""
    wanted = states or ("OPEN",)
    memory: dict[Any, Any] = call.memory.setdefault("states", {})
    key = (call.path, call.identity.key, wanted)
    version = call.world.version
    if key not in memory or memory[key][0] != version:
        if len(memory) > 64:
            memory.clear()
        memory[key] = (version, [one for one in reversed(rows) if one.state in wanted])
    found: list[PullRequest] = memory[key][1]
    return found


@route(f"{R}/pullrequests", PULL_REQUEST, paging=FIFTY, params=("state",), filters=PULL_REQUESTS)
def pull_requests(call: Call) -> Listing:
    """List pull requests, 50 at most on a page.

    With `q` the `state` parameters are ignored; with neither only the open ones are listed.
    All four states and a `sort` make Bitbucket fail on large repositories.
    """
    rows = list(call.repo.pull_requests.values())
    states = _states(call)
    query, sort = call.param("q"), call.param("sort")
    if query is None and sort and len(set(states)) == 4 and len(rows) > call.settings.large:
        raise errors.core(500, "Something went wrong", id="9f0c1d6fbf4e4b2c")
    if query is None:
        rows = _in_states(call, rows, states)
    else:
        rows.reverse()
    hidden = call.shapes.hidden_of_pull_requests()
    return Listing(rows, call.shapes.pull_request, hidden)


@route(f"{W}/pullrequests/{{selected_user}}", PULL_REQUEST, paging=FIFTY, params=("state",))
def of_a_person(call: Call) -> Listing:
    """List the pull requests that somebody opened anywhere in a workspace."""
    name = call.args["selected_user"]
    rows = [
        one
        for repo in call.workspace.repositories.values()
        if sees(call.identity, repo)
        for one in repo.pull_requests.values()
        if one.known_author and name in (one.known_author.uuid, one.known_author.account_id)
    ]
    hidden = call.shapes.hidden_of_pull_requests()
    return Listing(_in_states(call, rows, _states(call)), call.shapes.pull_request, hidden)


@route(f"{R}/pullrequests/{{pull_request_id}}", PULL_REQUEST)
def pull_request(call: Call) -> Any:
    """Show a pull request in full."""
    return call.shapes.pull_request_in_full(call.pull_request)


@route(f"{R}/pullrequests/{{pull_request_id}}/commits", PULL_REQUEST, paging=TOKENS)
def commits(call: Call) -> Listing:
    """List the commits, newest first; a merged one's begin with the merge commit."""
    one = call.pull_request
    if one.source_repository is None:
        raise errors.repository_missing()
    rows = [call.repo.objects[name] for name in one.commits if name in call.repo.objects]
    return Listing(rows, lambda commit: call.shapes.commit(commit, call.repo))


@route(
    f"{R}/pullrequests/{{pull_request_id}}/statuses",
    PULL_REQUEST,
    paging=NUMBERED,
    filters=table("key", "state", "name", "refname", "created_on", "updated_on"),
)
def statuses(call: Call) -> Listing:
    """List the build statuses of all commits of a pull request."""
    rows = [
        status for name in call.pull_request.commits for status in call.repo.statuses.get(name, [])
    ]
    return Listing(rows, lambda status: call.shapes.status(status, call.repo, 12))


def _redirected(call: Call, kind: str) -> Reply:
    """Send to where the pull request's own link leads; the parameters go along."""
    one = call.pull_request
    if one.source_repository is None:
        raise errors.repository_missing()
    query = call.url_with().partition("?")[2]
    place = call.shapes.changes_address(one, kind)
    return Reply(302, "", {"Location": place + (f"&{query}" if query else "")})


@route(f"{R}/pullrequests/{{pull_request_id}}/diffstat", PULL_REQUEST, params=("page", "pagelen"))
def diffstat(call: Call) -> Reply:
    """Send to the repository's diffstat; the parameters go along."""
    return _redirected(call, "diffstat")


@route(f"{R}/pullrequests/{{pull_request_id}}/diff", PULL_REQUEST, params=("context", "path"))
def diff(call: Call) -> Reply:
    """Send to the repository's diff."""
    return _redirected(call, "diff")
