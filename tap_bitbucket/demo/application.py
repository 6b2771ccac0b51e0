"""From an HTTP request to its answer: the order of checks, independent of sockets."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import tap_bitbucket.demo.api  # noqa: F401  (registers the endpoints)
from tap_bitbucket.demo import errors, signin
from tap_bitbucket.demo.access import check_scopes, enter
from tap_bitbucket.demo.api.removed import REMOVED
from tap_bitbucket.demo.call import Call, Listing, Reply
from tap_bitbucket.demo.identity import ANONYMOUS, Identity
from tap_bitbucket.demo.listing import ListCache, answer
from tap_bitbucket.demo.rate_limit import RateLimit
from tap_bitbucket.demo.routing import Route, find
from tap_bitbucket.demo.settings import Settings
from tap_bitbucket.demo.world import World


@dataclass
class Incoming:
    """A request as it came in."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path as it was written, percent-encoding and all."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, list[str]]:
        """The query parameters; a raw `+` is a space here, as everywhere."""
        return parse_qs(self.target.partition("?")[2], keep_blank_values=True)

    @property
    def form(self) -> dict[str, list[str]]:
        """The parameters of a form body."""
        kind = self.headers.get("content-type", "")
        if not self.body or not kind.startswith("application/x-www-form-urlencoded"):
            return {}
        return parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)


@dataclass
class Outgoing:
    """An answer, and what the log tells about who asked."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    identity: Identity = ANONYMOUS


class Application:
    """Answers requests from a world."""

    def __init__(self, world: World, settings: Settings) -> None:
        """Serve `world`, as `settings` say."""
        self.world = world
        self.settings = settings
        self.rate_limit: RateLimit | None = None
        self._cache = ListCache()
        self._memory: dict[str, Any] = {}

    def handle(self, incoming: Incoming, origin: str) -> Outgoing:
        """Answer a request, whatever it is."""
        path = incoming.path
        if path.startswith("/site/oauth2/"):
            return _finish(incoming, signin.answer(self.world, incoming), ANONYMOUS, None)
        if path == "/2.0" or not path.startswith("/2.0/"):
            return _finish(incoming, _elsewhere(path), ANONYMOUS, None)
        who, route = ANONYMOUS, None
        limits: dict[str, str] = {}
        try:
            who = self.world.identities.authenticate(incoming.headers.get("authorization"))
            if self.rate_limit is not None:
                limits = self.rate_limit.spend(who.key)
            strict = self.settings.strict_slash
            route, args = find(incoming.method, path[4:], strict_slash=strict)
            reply = self._reply(incoming, origin, route, args, who)
        except errors.ApiError as error:
            reply = Reply(error.status, error.body, dict(error.headers))
        reply.headers = limits | reply.headers
        return _finish(incoming, reply, who, route)

    def _reply(
        self, incoming: Incoming, origin: str, route: Route, args: dict[str, str], who: Identity
    ) -> Reply:
        call = Call(
            self.world, self.settings, incoming.method, origin, incoming.path,
            incoming.query, incoming.form, who, args, self._memory,
        )  # fmt: skip
        if route.handler in REMOVED:
            route.handler(call)
        with self.world.lock:
            check_scopes(route, who, self.settings)
            enter(call, route)
            for name in (*call.query, *call.form):
                if name not in route.params:
                    # Bitbucket ignores most of these; here a misspelt one must not pass.
                    raise errors.core(400, f"Unknown query parameter: {name}")
            made = route.handler(call)
            if isinstance(made, Reply):
                return made
            if isinstance(made, Listing):
                return Reply(200, answer(call, route, made, self._cache))
        strict = self.settings.unknown_fields == "reject"
        return Reply(200, call.fields.apply(made, strict=strict))


def _elsewhere(path: str) -> Reply:
    """Answer for what is no part of the public API, such as the pipelines' inside paths."""
    status = 401 if path.startswith("/rest/") else 404
    message = "Unauthorized" if status == 401 else "Not found"
    return Reply(status, {"type": "error", "error": {"message": message}})


def _finish(incoming: Incoming, reply: Reply, who: Identity, route: Route | None) -> Outgoing:
    """Turn an answer into bytes, with the headers that every API answer carries."""
    headers = {"Content-Type": "application/json; charset=utf-8"} | reply.headers
    if isinstance(reply.body, bytes):
        body = reply.body
    elif isinstance(reply.body, str):
        body = reply.body.encode()
    else:
        body = json.dumps(reply.body, ensure_ascii=False, separators=(",", ":")).encode()
    if incoming.path.startswith("/2.0/"):
        needed = route.scopes.needed_by(who.kind) if route else ()
        headers |= {
            "X-OAuth-Scopes": ", ".join(who.scopes),
            "X-Accepted-OAuth-Scopes": ", ".join(needed),
            "X-Credential-Type": who.credential_type,
            "X-Request-Id": hashlib.md5(body, usedforsecurity=False).hexdigest()[:16],
        }
    status = reply.status
    if route is not None and route.etag and status == 200:
        tag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        headers["ETag"] = tag
        if incoming.headers.get("if-none-match") in (tag, f"W/{tag}"):
            status, body = 304, b""
    return Outgoing(status, body, headers, who)
