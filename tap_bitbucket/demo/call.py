"""One API request while it is being answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.bbql import attribute
from tap_bitbucket.demo.fields import Fields
from tap_bitbucket.demo.identity import ANONYMOUS, Identity
from tap_bitbucket.demo.model import Commit, Project, PullRequest, Repository, Workspace
from tap_bitbucket.demo.settings import Settings
from tap_bitbucket.demo.shapes import Shapes
from tap_bitbucket.demo.world import World

Json = dict[str, Any]


@dataclass
class Listing:
    """What a list's handler found; the rest (q, sort, page, fields) is done for it."""

    items: Sequence[Any]
    render: Callable[[Any], Any]
    hidden: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    token: str = ""
    key: tuple[Any, ...] | None = None


@dataclass
class Reply:
    """An answer that is not plain JSON with status 200."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Call:
    """A request: what was asked, by whom, and what its path names."""

    world: World
    settings: Settings
    method: str
    origin: str
    path: str
    query: dict[str, list[str]]
    form: dict[str, list[str]]
    identity: Identity = ANONYMOUS
    args: dict[str, str] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    found_workspace: Workspace | None = None
    found_repository: Repository | None = None

    @property
    def shapes(self) -> Shapes:
        """The renderer."""
        return self.world.shapes

    @property
    def workspace(self) -> Workspace:
        """The workspace that the path names."""
        assert self.found_workspace is not None
        return self.found_workspace

    @property
    def repo(self) -> Repository:
        """The repository that the path names."""
        assert self.found_repository is not None
        return self.found_repository

    @property
    def project(self) -> Project:
        """The project that the path names, or 404."""
        found = self.workspace.projects.get(self.args["project_key"])
        if found is None:
            raise errors.core(404, "No project with the given key")
        return found

    def pick(self, items: Iterable[Any], name: str, *paths: str, service: str = "core") -> Any:
        """Find the item that an argument of the path names by one of its attributes, or 404."""
        wanted = self.args[name]
        readers = [attribute(path) for path in paths]
        for item in items:
            if any(str(read(item)) == wanted for read in readers):
                return item
        if service == "pipelines":
            raise errors.pipelines(404, "Not Found", f"{wanted} not found", "not-found")
        raise errors.core(404, f"{wanted} not found")

    @property
    def pull_request(self) -> PullRequest:
        """The pull request that the path names, or 404."""
        text = self.args["pull_request_id"]
        found = self.repo.pull_requests.get(int(text)) if text.isdigit() else None
        if found is None:
            raise errors.core(404, f"Pull request {text} not found")
        return found

    def commit(self, name: str) -> Commit:
        """Find a commit by hash, branch or tag, or answer 404."""
        found = self.world.find_commit(self.repo, name)
        if found is None:
            raise errors.core(404, "Commit not found", data={"shas": [name]})
        return found

    @property
    def fields(self) -> Fields:
        """The `fields=` parameter."""
        return Fields(self.param("fields"))

    def param(self, name: str) -> str | None:
        """Read a query parameter; the last one counts."""
        values = self.query.get(name)
        return values[-1] if values else None

    def many(self, name: str) -> list[str]:
        """Read a parameter that may be repeated, from the query and the form body."""
        return self.query.get(name, []) + self.form.get(name, [])

    def url_with(self, **changed: str | None) -> str:
        """Make this request's URL again with some parameters changed (None removes)."""
        query = {name: values for name, values in self.query.items() if name not in changed}
        query.update({name: [value] for name, value in changed.items() if value is not None})
        text = urlencode(query, doseq=True, quote_via=quote)
        return f"{self.origin}{self.path}?{text}" if text else f"{self.origin}{self.path}"
