"""What people say about pull requests: activity, comments and tasks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.bbql import table
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.model import Activity, Comment, Task
from tap_bitbucket.demo.paging import NUMBERED, Paging
from tap_bitbucket.demo.routing import PULL_REQUEST, R, route

ACTIVITY = Paging("context", default=20, maximum=50, size=False)
IGNORED = ("q", "sort")
COMMENTS = table(
    "id", "created_on", "updated_on", "deleted", "pending", user__uuid="user.uuid",
    content__raw="raw", parent__id="parent",
)  # fmt: skip
TASKS = table("id", "created_on", "updated_on", "state", creator__uuid="creator.uuid")


class _Newest(Sequence[Activity]):
    """The first entries of a list, newest first, without a copy of them: there may be many."""

    def __init__(self, entries: list[Activity], count: int) -> None:
        self._entries, self._count = entries, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, key: Any) -> Any:
        places = range(self._count)[::-1][key]
        if isinstance(places, int):
            return self._entries[places]
        return [self._entries[place] for place in places]


class _Shown(_Newest):
    """Entries whose pages leave out those that were hidden since, and do not move up for them."""

    def __getitem__(self, key: Any) -> Any:
        return [entry for entry in super().__getitem__(key) if not _deleted(entry)]


def _deleted(entry: Activity) -> bool:
    return entry.comment is not None and entry.comment.deleted


def _feed(call: Call, entries: list[Activity]) -> Listing:
    """List entries newest first; what comes in or goes meanwhile does not shift the pages."""
    pins: dict[str, int] = call.memory.setdefault("feeds", {})
    token = call.param("ctx")
    if token is None:
        text = f"{call.path}:{call.world.version}:{len(entries)}"
        token = hashlib.sha256(text.encode()).hexdigest()[:24]
        pins[token] = len(entries)
    elif token not in pins:
        raise errors.core(400, "Invalid ctx")
    spelling = call.settings.changes_requested_key
    first = call.settings.feed_comments == "first"

    def render(entry: Activity) -> dict[str, Any]:
        row = call.shapes.activity(entry, first=first)
        return {spelling if name == "changes_requested" else name: row[name] for name in row}

    shown = _Shown if call.settings.feed_deleted == "hidden" else _Newest
    return Listing(shown(entries, pins[token]), render, token=token)


@route(f"{R}/pullrequests/activity", PULL_REQUEST, paging=ACTIVITY, params=IGNORED)
def repository_activity(call: Call) -> Listing:
    """List the activity of all pull requests; how deep it goes is not documented."""
    entries, depth = call.repo.activity, call.settings.activity_depth
    return _feed(call, entries if depth is None else entries[max(0, len(entries) - depth) :])


@route(
    f"{R}/pullrequests/{{pull_request_id}}/activity",
    PULL_REQUEST,
    paging=ACTIVITY,
    params=IGNORED,
)
def activity(call: Call) -> Listing:
    """List the activity of one pull request."""
    return _feed(call, call.pull_request.activity)


def _comments(call: Call) -> list[Comment]:
    """List what is published, and the caller's own drafts; deleted ones stay listed."""
    me = call.identity.user
    return [
        one
        for one in call.pull_request.comments
        if not one.pending or (me is not None and one.user is me)
    ]


@route(
    f"{R}/pullrequests/{{pull_request_id}}/comments",
    PULL_REQUEST,
    paging=NUMBERED,
    filters=COMMENTS,
)
def comments(call: Call) -> Listing:
    """List comments; `q` and `sort` work though the documents name neither."""
    return Listing(_comments(call), call.shapes.comment)


@route(f"{R}/pullrequests/{{pull_request_id}}/comments/{{comment_id}}", PULL_REQUEST)
def comment(call: Call) -> Any:
    """Show a comment."""
    for one in _comments(call):
        if str(one.id) == call.args["comment_id"]:
            return call.shapes.comment(one)
    raise errors.core(404, "Comment not found")


def _tasks(call: Call) -> list[Task]:
    me = call.identity.user
    return [
        one
        for one in call.pull_request.tasks
        if not one.pending or (me is not None and one.creator is me)
    ]


@route(f"{R}/pullrequests/{{pull_request_id}}/tasks", PULL_REQUEST, paging=NUMBERED, filters=TASKS)
def tasks(call: Call) -> Listing:
    """List tasks."""
    return Listing(_tasks(call), call.shapes.task)


@route(f"{R}/pullrequests/{{pull_request_id}}/tasks/{{task_id}}", PULL_REQUEST)
def task(call: Call) -> Any:
    """Show a task."""
    for one in _tasks(call):
        if str(one.id) == call.args["task_id"]:
            return call.shapes.task(one)
    raise errors.core(404, "Task not found")
