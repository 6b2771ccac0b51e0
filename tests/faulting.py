"""What can go wrong with one request, by name: each kind orders its faults at the stand-in."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from tap_bitbucket.demo import BitbucketServer, Fault

HTML = b"<!DOCTYPE html><html><title>Bitbucket</title><h1>We will be back soon</h1></html>"
EMPTY = b'{"values": [], "pagelen": 100, "size": 0}'
SPENT = "Rate limit for this resource has been exceeded"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Place:
    """A request of a run, and how often what is ordered for it shall happen (None: always)."""

    server: BitbucketServer
    line: str
    times: int | None = 1

    @property
    def match(self) -> str:
        """Return a pattern of this request alone."""
        return f"^{re.escape(self.line)}$"

    @property
    def target(self) -> str:
        """Return path and query."""
        return self.line.partition(" ")[2]

    def order(self, **fields: Any) -> None:
        """Let this request meet a fault."""
        self.server.faults.add(Fault(self.match, times=self.times, **fields))


@dataclass(frozen=True)
class Kind:
    """Something that can go wrong.

    Attributes:
        passes: Whether the request is answered as it should when it is sent again.
    """

    name: str
    order: Callable[[Place], None]
    passes: bool = True


def _answered(name: str, status: int, body: bytes | str = HTML, **headers: str) -> Kind:
    told = {key.replace("_", "-"): value for key, value in headers.items()}
    return Kind(name, lambda at: at.order(status=status, body=body, headers=told))


def _said(name: str, text: str) -> Kind:
    return Kind(name, lambda at: at.order(status=200, body=text, headers=JSON))


def _acted(name: str, action: str, *, passes: bool = True, **fields: Any) -> Kind:
    return Kind(name, lambda at: at.order(action=action, **fields), passes)


def _edited(name: str, edit: Callable[[Any], Any], *, passes: bool) -> Kind:
    def edited(body: Any) -> Any:
        return edit(body) if isinstance(body, dict) and "values" in body else body

    return Kind(name, lambda at: at.order(action="edit", edit=edited), passes)


def _told_date(at: Place) -> None:
    when = formatdate(time.time() + 3, usegmt=True)
    at.order(status=429, body=SPENT, headers={"Retry-After": when})


def _own(at: Place) -> str:
    return at.server.url + at.target


def _linked(name: str, link: Callable[[Place], str], *, numbered: bool = True) -> Kind:
    """Let a page link elsewhere; ``numbered`` leaves it the number to go on by."""

    def order(at: Place) -> None:
        def edit(page: dict[str, Any]) -> dict[str, Any]:
            if "values" not in page:
                return page
            kept = {key: page[key] for key in page if numbered or key != "page"}
            return {**kept, "next": link(at)}

        at.order(action="edit", edit=edit)

    return Kind(name, order, passes=False)


def _circle(at: Place) -> None:
    """Let the first page link to another, and that one back."""
    path = at.target.partition("?")[0]
    links = [_own(at), f"{at.server.url}{path}?page=2"]

    def edit(page: dict[str, Any]) -> dict[str, Any]:
        if "values" not in page:
            return page
        links.append(links.pop(0))
        return {**page, "next": links[0]}

    method = at.line.partition(" ")[0]
    match = rf"^{method} {re.escape(path)}(\?|$)"
    times = None if at.times is None else 2
    at.server.faults.add(Fault(match, times=times, action="edit", edit=edit))


def _elsewhere(at: Place) -> str:
    """Return an address that is the same machine, and another host."""
    return f"http://localhost:{at.server.port}{at.target}"


def _redirects(to: Callable[[Place], str]) -> Callable[[Place], None]:
    return lambda at: at.order(action="redirect", to=to(at))


def _redirect_circle(at: Place) -> None:
    other = "/2.0/elsewhere"
    at.order(action="redirect", to=other)
    back = f"GET {re.escape(other)}$"
    at.server.faults.add(Fault(back, times=at.times, action="redirect", to=at.target))


def _token_dies(at: Place) -> None:
    oauth = at.server.world.oauth
    at.order(action="callback", callback=oauth.revoke_access_tokens)


def _swallowed(page: Any) -> Any:
    """Put null where the first row was."""
    return {**page, "values": [None, *page["values"][1:]] if page["values"] else []}


def _spoilt(value: Any) -> Callable[[Any], Any]:
    return lambda page: {**page, "values": [value, *page["values"], value]}


KINDS = (
    _answered("429, seconds", 429, SPENT, Retry_After="0"),
    _answered("429, seconds in small letters", 429, SPENT, retry_after="1"),
    Kind("429, a date", _told_date),
    _answered("429, nothing told", 429, json.dumps({"error": {"message": SPENT}})),
    _answered("429, plain text", 429, SPENT, Content_Type="text/plain"),
    _answered("429, a page", 429),
    _answered("429, a reset", 429, SPENT, X_RateLimit_Reset="2", X_RateLimit_Remaining="0"),
    _answered("429, a small reset", 429, SPENT, x_ratelimit_reset="2", x_ratelimit_remaining="0"),
    _answered("429, nonsense", 429, SPENT, Retry_After="soon", X_RateLimit_Reset="never"),
    _answered("403 for the limit", 403, SPENT, Content_Type="text/plain"),
    *(_answered(str(status), status) for status in (408, 500, 502, 503, 504, 555)),
    _answered("503 in JSON", 503, '{"error": {"message": "Later"}}'),
    _acted("refused for a moment", "refuse", seconds=0.0),
    _acted("refused for a while", "refuse", seconds=0.15, passes=False),
    _acted("reset before the headers", "reset"),
    _acted("reset after the work", "reset_after_handling"),
    _acted("reset after the headers", "reset_after_headers"),
    _acted("a body cut short", "truncate"),
    _acted("a length too small", "miscount", more=-7),
    _acted("a length too large", "miscount", more=7),
    _acted("no answer in time", "hang", seconds=2.5),
    _acted("a byte now and then", "drip", seconds=0.05, status=200),
    _acted("bytes without end", "flood", status=200),
    _answered("gzip garbage", 200, b"no gzip", Content_Encoding="gzip"),
    _answered("half of gzip", 200, gzip.compress(EMPTY)[:20], Content_Encoding="gzip"),
    _answered("a bomb of gzip", 200, gzip.compress(b" " * 2**23), Content_Encoding="gzip"),
    _answered("HTML with 200", 200),
    _answered("an empty body", 200, b""),
    _answered("no content", 204, b""),
    _said("a list", "[]"),
    _said("a text", '"later"'),
    _said("a number", "7"),
    _said("null", "null"),
    _said("half a page", '{"values": [{"uuid": "{1'),
    _said("values null", '{"values": null, "page": 1}'),
    _said("values a text", '{"values": "Upgrade your plan", "page": 1}'),
    _said("values an object", '{"values": {}, "page": 1}'),
    _said("no values", '{"page": 1, "size": 3}'),
    _said("an error with 200", '{"type": "error", "error": {"message": "Something went wrong"}}'),
    _said("an empty object", "{}"),
    _edited("null among the values", _spoilt(None), passes=True),
    _edited("a text among the values", _spoilt("Upgrade your plan"), passes=True),
    _edited("null for a row", _swallowed, passes=False),
    _edited("a text alone", lambda page: {**page, "values": ["Upgrade"]}, passes=False),
    _edited("null alone", lambda page: {**page, "values": [None]}, passes=False),
    _linked("a page that links to itself", _own),
    Kind("pages in a circle", _circle, passes=False),
    _linked("a link to another host", _elsewhere),
    _linked("a link to another host, no number", _elsewhere, numbered=False),
    _linked("a link to nowhere", lambda _: "http://[", numbered=False),
    Kind("a redirect to itself", _redirects(lambda at: at.target), passes=False),
    Kind("redirects in a circle", _redirect_circle, passes=False),
    Kind("a redirect to another host", _redirects(_elsewhere), passes=False),
    Kind("a redirect to nowhere", _redirects(lambda _: "http://["), passes=False),
    Kind("the token dies", _token_dies),
)  # fmt: skip
