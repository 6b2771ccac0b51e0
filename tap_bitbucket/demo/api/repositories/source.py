"""Files: directories, and what happened to a file."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors, times
from tap_bitbucket.demo.bbql import Getter
from tap_bitbucket.demo.call import Call, Listing, Reply
from tap_bitbucket.demo.paging import TOKENS
from tap_bitbucket.demo.routing import REPOSITORY, R, route
from tap_bitbucket.demo.views import entries_of, files_of, history_of

FORMATS = ("meta", "rendered")


@route(f"{R}/src", REPOSITORY, params=("format", "page", "pagelen"))
def src(call: Call) -> Reply:
    """Send to the head of the main branch; the parameters go along."""
    if call.repo.mainbranch is None:
        raise errors.core(404, "Repository has no source")
    head = call.repo.branches[call.repo.mainbranch]
    query = call.url_with().partition("?")[2]
    place = f"{call.origin}{call.path.rstrip('/')}/{head}/"
    return Reply(302, "", {"Location": place + (f"?{query}" if query else "")})


def _size(call: Call) -> Getter:
    files = call.repo.files
    return lambda path: files[path].size if path in files else 100 + len(path)


ENTRIES: dict[str, Getter] = {
    "path": lambda entry: entry[0],
    "size": lambda entry: entry[2],
}


@route(
    f"{R}/src/{{commit}}", REPOSITORY, paging=TOKENS, params=("format", "max_depth"),
    filters=ENTRIES,
)  # fmt: skip
def root(call: Call) -> Listing:
    """List the top directory."""
    _check_format(call)
    return _directory(call, "")


@route(
    f"{R}/src/{{commit}}/{{path...}}", REPOSITORY, paging=TOKENS,
    params=("format", "max_depth"), filters=ENTRIES,
)  # fmt: skip
def path(call: Call) -> Any:
    """List a directory, or show a file (its text, or with format=meta its entry)."""
    _check_format(call)
    commit = call.commit(call.args["commit"])
    name = call.args["path"].strip("/")
    if name in files_of(call.repo, commit):
        if call.param("format") == "meta":
            return call.shapes.entry(name, call.repo, commit)
        text = f"# {name} at {commit.hash[:7]}\n"
        return Reply(200, text, {"Content-Type": "text/plain; charset=utf-8"})
    return _directory(call, name)


def _check_format(call: Call) -> None:
    if call.param("format") not in (None, *FORMATS):
        raise errors.core(400, f"Unknown format: {call.param('format')}")


def _depth(call: Call) -> int:
    """Read `max_depth`; what is asked for too deeply takes Bitbucket too long."""
    text = call.param("max_depth") or "1"
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise errors.core(400, "Invalid max_depth")
    limit = call.settings.source_depth_limit
    if limit is not None and int(text) > limit:
        raise errors.core(555, "The request took too long to process")
    return int(text)


def _directory(call: Call, name: str) -> Listing:
    commit = call.commit(call.args["commit"])
    depth = _depth(call)
    found = entries_of(files_of(call.repo, commit), name, depth)
    if not found:
        raise errors.core(404, f"No such file or directory: {name}")
    size = _size(call)
    rows = [(path, is_file, size(path) if is_file else None) for path, is_file in found.items()]

    def render(entry: tuple[str, bool, int | None]) -> dict[str, Any]:
        if entry[1]:
            return call.shapes.entry(entry[0], call.repo, commit)
        return call.shapes.directory(entry[0], call.repo, commit)

    return Listing(rows, render, key=(depth,))


# `commit.date` cannot be filtered by (BCLOUD-22361).
@route(
    f"{R}/filehistory/{{commit}}/{{path...}}", REPOSITORY, paging=TOKENS, params=("renames",),
    filters={"path": lambda row: row[1], "commit.hash": lambda row: row[0].hash},
)  # fmt: skip
def file_history(call: Call) -> Listing:
    """List the commits that changed a file, newest first, through renames."""
    commit, name = call.commit(call.args["commit"]), call.args["path"].strip("/")
    renames = call.param("renames")
    if renames not in (None, "true", "false"):
        raise errors.core(400, "Invalid renames")
    found = history_of(call.repo, commit, name, renames=renames != "false")
    if not found and name not in files_of(call.repo, commit):
        raise errors.core(404, f"No such file or directory: {name}")
    hidden = {
        "commit.date": lambda row: times.commit(row[0].date),
        "commit.message": lambda row: row[0].message,
    }
    return Listing(
        found, lambda row: call.shapes.file_history(call.repo, *row), hidden, key=(renames,)
    )
