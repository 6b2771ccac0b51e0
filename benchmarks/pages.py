"""A server of canned pages: rows shaped like Bitbucket's, as many as asked for, at little cost.

    python -m benchmarks.pages '{"pull_requests": 1000}'     # prints the root of its API

It checks nothing and knows no access: what a tap spends is measured here, not what it may do.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import socketserver
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from email.utils import formatdate
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode

from benchmarks.shapes import (
    DATE,
    FIRST,
    HIDDEN,
    OF_LISTS,
    OLDER,
    PARENT,
    REPOSITORY,
    ROW,
    WORKSPACE,
    Row,
)

ROOT = Path(__file__).parents[1]

_NEWEST = 1_780_000_000
_STEP = 600
"""Seconds by which a row is older than the one before it."""

_MARKS = {str(ROW): "row", str(OLDER): "older", str(PARENT): "parent", DATE: "date"}

_COUNTED = {"repositories", "pullrequests", "comments", "refs", "pipelines"}
"""Lists that tell how long they are; the others only where they go on."""


@dataclass(frozen=True)
class Sizes:
    """How long the lists are.

    Attributes:
        repositories: In the workspace.
        pull_requests: In each repository.
        comments: On each pull request.
        activity: Entries in each repository's feed.
        commits: In each repository.
        pipelines: In each repository.
    """

    repositories: int = 1
    pull_requests: int = 0
    comments: int = 0
    activity: int = 0
    commits: int = 0
    pipelines: int = 0


_REPOSITORY = rf"/2\.0/repositories/{WORKSPACE}/repository-(\d+)"
_LISTS: dict[str, tuple[str, Callable[[Sizes], int]]] = {
    r"/2\.0/user/workspaces/?": ("access", lambda _: 1),
    rf"/2\.0/repositories/{WORKSPACE}": ("repositories", lambda sizes: sizes.repositories),
    rf"{_REPOSITORY}/refs(?:/branches)?": ("refs", lambda sizes: min(1, sizes.commits)),
    rf"{_REPOSITORY}/refs/tags": ("refs", lambda _: 0),
    rf"{_REPOSITORY}/commits": ("commits", lambda sizes: sizes.commits),
    rf"{_REPOSITORY}/pipelines/": ("pipelines", lambda sizes: sizes.pipelines),
    rf"{_REPOSITORY}/pullrequests": ("pullrequests", lambda sizes: sizes.pull_requests),
    rf"{_REPOSITORY}/pullrequests/activity": ("activity", lambda sizes: sizes.activity),
    rf"{_REPOSITORY}/pullrequests/(\d+)/comments": ("comments", lambda sizes: sizes.comments),
}


def answer(sizes: Sizes, origin: str, target: str) -> bytes | None:
    """Return the page that a path and query name, None if there is none.

    Args:
        sizes: How long the lists are.
        origin: Scheme, host and port, for the links.
        target: Path and query.
    """
    path, _, query = target.partition("?")
    for pattern, (kind, size) in _LISTS.items():
        found = re.fullmatch(pattern, path)
        if found:
            numbers = [int(number) for number in found.groups()]
            return _page(sizes, origin + path, parse_qs(query), (kind, size(sizes)), numbers)
    return None


def _page(
    sizes: Sizes, url: str, query: dict[str, list[str]], what: tuple[str, int], numbers: list[int]
) -> bytes:
    kind, size = what
    first, size = _within(query.get("q", [""])[0], size)
    length, page = int(query.get("pagelen", ["10"])[0]), int(query.get("page", ["1"])[0])
    told: dict[str, Any] = {"pagelen": length}
    if kind in _COUNTED:
        told |= {"size": size, "page": page}
    if page * length < size:
        told["next"] = f"{url}?{urlencode({**query, 'page': [page + 1]}, doseq=True)}"
    made = _rows(
        kind,
        query.get("fields", [""])[0],
        range(first + (page - 1) * length, first + min(page * length, size)),
        repository=numbers[0] if numbers else FIRST,
        parent=numbers[1] if len(numbers) > 1 else None,
        parents=sizes.pull_requests,
    )
    return json.dumps(told).encode()[:-1] + b', "values": [' + b", ".join(made) + b"]}"


def _within(condition: str, size: int) -> tuple[int, int]:
    """Return where the rows within bounds of their numbers begin, and how many they are."""
    above, to = (re.search(rf"id{sign}(\d+)", condition) for sign in (">", "<="))
    begin = max(0, int(above[1]) + 1 - FIRST) if above else 0
    end = min(size, int(to[1]) + 1 - FIRST) if to else size
    return begin, max(0, end - begin)


@lru_cache(maxsize=64)
def _templates(kind: str, fields: str, repository: int) -> list[bytes]:
    """Return the rows of a list with places for their numbers."""
    return [_template(row, kind, fields, repository) for row in OF_LISTS[kind]]


def _template(row: Row, kind: str, fields: str, repository: int) -> bytes:
    text = json.dumps(_asked(row, kind, fields)).replace("%", "%%")
    text = text.replace(str(REPOSITORY), str(repository))
    for mark, name in _MARKS.items():
        text = text.replace(mark, f"%({name})b")
    return text.encode()


def _asked(row: Row, kind: str, fields: str) -> Row:
    """Return a row as ``fields=`` asks for it, as far as that adds and takes away."""
    asked: Row = json.loads(json.dumps(row))
    named = fields.split(",")
    for name in HIDDEN.get(kind, ()):
        if f"+values.{name}" not in named:
            asked.pop(name, None)
    for field in named:
        if field.startswith("-values."):
            _remove(asked, field.split(".")[1:])
    return asked


def _remove(value: Any, path: Sequence[str]) -> None:
    if isinstance(value, list):
        for item in value:
            _remove(item, path)
    elif isinstance(value, dict) and len(path) == 1:
        value.pop(path[0], None)
    elif isinstance(value, dict):
        _remove(value.get(path[0]), path[1:])


def _rows(
    kind: str, fields: str, numbers: range, *, repository: int, parent: int | None, parents: int
) -> list[bytes]:
    """Return rows of a list.

    Args:
        kind: Which list.
        fields: What is asked for.
        numbers: Which rows, the newest being 0.
        repository: The number of their repository.
        parent: The number of what they lie below; None if each lies below another one.
        parents: How many there are of these.
    """
    shapes = _templates(kind, fields, repository)
    made = []
    for number in numbers:
        above = FIRST + number % max(1, parents) if parent is None else parent
        date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(_NEWEST - _STEP * number))
        names = {
            b"row": b"%d" % (FIRST + number),
            b"older": b"%d" % (FIRST + number + 1),
            b"parent": b"%d" % above,
            b"date": date.encode(),
        }
        made.append(shapes[number % len(shapes)] % names)
    return made


class _Handler(socketserver.StreamRequestHandler):
    """Answers the requests of one connection."""

    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        """Answer until the other side has had enough."""
        with contextlib.suppress(ConnectionError):
            while line := self.rfile.readline():
                length = 0
                while (header := self.rfile.readline()) not in {b"\r\n", b""}:
                    name, _, value = header.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                self.rfile.read(length)
                self.wfile.write(self.server.respond(line.split(b" ")[1].decode()))


class _Server(socketserver.ThreadingTCPServer):
    """Threads over canned pages."""

    daemon_threads = True
    request_queue_size = 64
    address_family: ClassVar[int] = socket.AF_INET  # type: ignore[misc]

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._sizes = sizes
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"

    def respond(self, target: str) -> bytes:
        """Return a whole answer, head and body."""
        body = answer(self._sizes, self.origin, target)
        status = "404 Not Found" if body is None else "200 OK"
        body = b'{"type": "error", "error": {"message": "Not found"}}' if body is None else body
        head = (
            f"HTTP/1.1 {status}\r\nDate: {formatdate(usegmt=True)}\r\n"
            f"Content-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@contextlib.contextmanager
def serving(sizes: Sizes) -> Iterator[str]:
    """Serve pages from a process of their own; yield the root of the API."""
    command = [sys.executable, "-m", "benchmarks.pages", json.dumps(asdict(sizes))]
    with subprocess.Popen(  # noqa: S603 - our own command line
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - for the type checker
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def main() -> None:
    """Serve until terminated."""
    with _Server(Sizes(**json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}"))) as server:
        print(server.origin + "/2.0", flush=True)  # noqa: T201 - who started it has to know
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
