"""The strict route table: what there is, what it takes, and who may call it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.bbql import Getter
from tap_bitbucket.demo.paging import Paging

if TYPE_CHECKING:
    from tap_bitbucket.demo.call import Call

Handler = Callable[["Call"], Any]
R = "/repositories/{workspace}/{repo_slug}"
W = "/workspaces/{workspace}"


@dataclass(frozen=True)
class Scopes:
    """What a credential must have been given: all of them, of its own kind."""

    oauth: tuple[str, ...] = ()
    token: tuple[str, ...] = ()

    def needed_by(self, kind: str) -> tuple[str, ...]:
        """List the scopes that a kind of credential needs, as it spells them."""
        if kind == "api_token":
            return tuple(f"{scope}:bitbucket" for scope in self.token)
        return self.oauth


ACCOUNT = Scopes(("account",), ("read:user",))
MEMBERS = Scopes(("account",), ("read:workspace",))
PROJECT = Scopes(("project",), ("read:project",))
PROJECT_ADMIN = Scopes(("project:admin",), ("admin:project",))
REPOSITORY = Scopes(("repository",), ("read:repository",))
REPOSITORY_ADMIN = Scopes(("repository:admin",), ("admin:repository",))
PULL_REQUEST = Scopes(("pullrequest",), ("read:pullrequest",))
PIPELINE = Scopes(("pipeline",), ("read:pipeline",))
WEBHOOK = Scopes(("webhook",), ("read:webhook",))
RUNNER = Scopes(("runner",), ("read:runner",))


@dataclass(frozen=True)
class Route:
    """One endpoint.

    `people_only` refuses whoever is no person, `no_tokens` access tokens only; access tokens
    may be let into a `permission_list` by a switch. `when_off` is served with Pipelines off.
    `admin` names the place that the caller must administer: workspace, project, repository.
    """

    pattern: str
    handler: Handler
    scopes: Scopes
    methods: tuple[str, ...] = ("GET",)
    paging: Paging | None = None
    params: frozenset[str] = frozenset()
    filters: Mapping[str, Getter] | None = None
    sorts: Mapping[str, Getter] | None = None
    service: str = "core"
    slash: str = "optional"
    people_only: bool = False
    permission_list: bool = False
    no_tokens: bool = False
    when_off: bool = False
    admin: str | None = None
    public: bool = False
    etag: bool = False
    segments: tuple[str, ...] = field(default=())

    def match(self, parts: list[str]) -> dict[str, str] | None:
        """Match a path's segments; `{name...}` takes all that is left."""
        found: dict[str, str] = {}
        for index, segment in enumerate(self.segments):
            if segment.endswith("...}"):
                rest = "/".join(parts[index:])
                if not rest:
                    return None
                return found | {segment[1:-4]: rest}
            if index >= len(parts):
                return None
            if segment.startswith("{"):
                if not parts[index]:
                    return None
                found[segment[1:-1]] = parts[index]
            elif segment != parts[index]:
                return None
        return found if len(parts) == len(self.segments) else None


_ROUTES: list[Route] = []


def route(pattern: str, scopes: Scopes, **options: Any) -> Callable[[Handler], Handler]:
    """Register an endpoint. With `paging` it is a list, and takes `page` and `pagelen`.

    `filters` makes it take `q` and `sort`; `params` names what else it takes. The handler of
    a list returns `Listing(items, render)`; filtering, sorting and paging are done for it.
    """

    def register(handler: Handler) -> Handler:
        taken = set(options.pop("params", ())) | {"fields"}
        paging = options.get("paging")
        if paging is not None:
            taken |= {"page", "pagelen"} | paging.params
        if options.get("filters") is not None:
            taken |= {"q", "sort"}
        if options.get("sorts") is not None:
            taken |= {"sort"}
        slash = "required" if pattern.endswith("/") else "optional"
        segments = tuple(pattern.strip("/").split("/"))
        _ROUTES.append(
            Route(
                pattern, handler, scopes,
                params=frozenset(taken), slash=slash, segments=segments, **options,
            )
        )  # fmt: skip
        # A fixed word is tried before a {name} in the same place, and {name...} last.
        _ROUTES.sort(key=lambda one: [(s.endswith("...}"), s[0] == "{", s) for s in one.segments])
        return handler

    return register


def routes() -> Iterable[Route]:
    """List all endpoints."""
    return tuple(_ROUTES)


def find(method: str, path: str, *, strict_slash: bool) -> tuple[Route, dict[str, str]]:
    """Find the endpoint of a path (below `/2.0`), or answer 404 or 405."""
    if "{" in path or "}" in path:
        raise errors.core(400, "Bad request", detail="Braces must be percent-encoded")
    slash = path.endswith("/")
    text = path[:-1] if slash else path
    parts = [unquote(part) for part in text.split("/")[1:]]
    wrong_method = False
    for one in _ROUTES:
        args = one.match(parts)
        if args is None:
            continue
        if one.slash == "required" and not slash and strict_slash:
            # Seen for pipelines/, deployments/, environments/, pipelines_config/variables/.
            raise errors.no_such_api()
        if method in one.methods:
            return one, args
        wrong_method = True
    if wrong_method:
        raise errors.core(405, f"Method {method} is not allowed")
    raise errors.no_such_api()
