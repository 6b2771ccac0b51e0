"""Files: directories, diffs and diffstats."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.bbql import Getter
from tap_bitbucket.demo.call import Call, Listing, Reply
from tap_bitbucket.demo.model import Commit
from tap_bitbucket.demo.paging import TOKENS, Paging
from tap_bitbucket.demo.routing import REPOSITORY, R, route

DIFFSTAT = Paging(default=500, maximum=5000)
_DIFF_PARAMS = ("ignore_whitespace", "merge", "path", "renames", "topic")
ENTRIES: dict[str, Getter] = {
    "path": lambda path: path,
    "size": lambda path: 100 + len(path),
}


def _spec(call: Call) -> tuple[Commit, list[Commit]]:
    """Read `hash` or `a..b` (changes of a that b lacks)."""
    head, dots, base = call.args["spec"].partition("..")
    commit = call.commit(head)
    if not dots:
        return commit, [commit]
    other = call.commit(base.lstrip("."))
    return commit, call.world.history(call.repo, [commit.hash], [other.hash])


@route(f"{R}/diffstat/{{spec...}}", REPOSITORY, paging=DIFFSTAT, params=_DIFF_PARAMS)
def diffstat(call: Call) -> Listing:
    """List the files that changed, up to 5,000 on a page."""
    commit, commits = _spec(call)
    changes = {file.path: file for one in reversed(commits) for file in one.files}
    only = call.many("path")
    rows = [one for one in changes.values() if not only or one.path in only]
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


def _files(call: Call, commit: Commit) -> list[str]:
    """List the paths that a commit and its ancestors have touched."""
    paths = {"README.md"}
    for one in reversed(call.world.history(call.repo, [commit.hash])):
        for file in one.files:
            if file.status == "removed":
                paths.discard(file.path)
            else:
                paths.add(file.path)
    return sorted(paths)


@route(f"{R}/src", REPOSITORY, params=("format", "page", "pagelen"))
def src(call: Call) -> Reply:
    """Send to the head of the main branch."""
    if call.repo.mainbranch is None:
        raise errors.core(404, "Repository has no source")
    head = call.repo.branches[call.repo.mainbranch]
    place = call.url_with()
    return Reply(302, "", {"Location": place.replace("/src", f"/src/{head}/", 1)})


@route(
    f"{R}/src/{{commit}}", REPOSITORY, paging=TOKENS, params=("format", "max_depth"),
    filters=ENTRIES,
)  # fmt: skip
def root(call: Call) -> Listing:
    """List the top directory."""
    return _directory(call, "")


@route(
    f"{R}/src/{{commit}}/{{path...}}", REPOSITORY, paging=TOKENS,
    params=("format", "max_depth"), filters=ENTRIES,
)  # fmt: skip
def path(call: Call) -> Any:
    """List a directory, or show a file (its text, or with format=meta its entry)."""
    commit = call.commit(call.args["commit"])
    name = call.args["path"].strip("/")
    if name in _files(call, commit):
        if call.param("format") == "meta":
            return call.shapes.entry(name, call.repo, commit)
        text = f"# {name} at {commit.hash[:7]}\n"
        return Reply(200, text, {"Content-Type": "text/plain; charset=utf-8"})
    return _directory(call, name)


def _directory(call: Call, name: str) -> Listing:
    commit = call.commit(call.args["commit"])
    inside = f"{name}/" if name else ""
    depth = int(call.param("max_depth") or "1")
    found: dict[str, bool] = {}
    for file in _files(call, commit):
        if not file.startswith(inside):
            continue
        steps = file[len(inside) :].split("/")
        for length in range(1, min(depth, len(steps)) + 1):
            found[inside + "/".join(steps[:length])] = length == len(steps)
    if not found:
        raise errors.core(404, f"No such file or directory: {name}")

    def render(entry: str) -> dict[str, Any]:
        if found[entry]:
            return call.shapes.entry(entry, call.repo, commit)
        return call.shapes.directory(entry, call.repo, commit)

    return Listing(sorted(found), render)
