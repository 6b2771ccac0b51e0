"""What commits changed: diffs and diffstats."""

from __future__ import annotations

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.call import Call, Listing, Reply
from tap_bitbucket.demo.model import Commit
from tap_bitbucket.demo.paging import Paging
from tap_bitbucket.demo.routing import REPOSITORY, R, route
from tap_bitbucket.demo.views import changes_of

DIFFSTAT = Paging(default=500, maximum=5000)
_DIFF_PARAMS = (
    "ignore_whitespace", "merge", "path", "renames", "topic", "from_pullrequest_id",
)  # fmt: skip


def _spec(call: Call) -> tuple[Commit, list[Commit]]:
    r"""Read `hash` or `a..b` (changes of a that b lacks).

    Pull requests write `owner/name:a\rb`, with the repository that a comes from; 404 when it is
    gone.
    """
    spec = call.args["spec"]
    head, dots, base = spec.partition("..")
    if "\r" in spec:
        head, dots, base = spec.rpartition(":")[2].partition("\r")
        number = call.param("from_pullrequest_id") or ""
        lost = [
            str(one.id) for one in call.repo.pull_requests.values() if not one.source_repository
        ]
        if number in lost:
            raise errors.repository_missing()
    commit = call.commit(head)
    if not dots:
        return commit, [commit]
    other = call.commit(base.lstrip("."))
    return commit, call.world.history(call.repo, [commit.hash], [other.hash])


@route(f"{R}/diffstat/{{spec...}}", REPOSITORY, paging=DIFFSTAT, params=_DIFF_PARAMS)
def diffstat(call: Call) -> Listing:
    """List the files that changed, up to 5,000 on a page."""
    commit, commits = _spec(call)
    only = call.many("path")
    rows = [one for one in changes_of(commits) if not only or one.path in only]
    return Listing(rows, lambda one: call.shapes.diffstat(one, call.repo, commit))


@route(f"{R}/diff/{{spec...}}", REPOSITORY, params=(*_DIFF_PARAMS, "context", "binary"))
def diff(call: Call) -> Reply:
    """Show the changes as text."""
    _, commits = _spec(call)
    lines = []
    for commit in commits:
        for file in commit.files:
            lines += [f"diff --git a/{file.path} b/{file.path}", f"--- a/{file.path}"]
            lines += [f"+++ b/{file.path}", f"@@ -1,{file.removed} +1,{file.added} @@"]
    text = "\n".join(lines) + "\n"
    return Reply(200, text, {"Content-Type": "text/plain; charset=utf-8"})
