"""Pages: from the bytes of an answer to rows, and from a page to the request for the next.

Bitbucket has two kinds of lists. Most say where they go on in ``next``, an opaque absolute URL.
The lists of the pipelines service have a ``next`` that drops the order, is missing, or points to
an internal host (BCLOUD-13806, BCLOUD-20265, BCLOUD-20910, BCLOUD-22441, BCLOUD-23787): they are
read by number, and their ``next`` is not looked at.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import msgspec

from tap_bitbucket.decodable import decodable
from tap_bitbucket.http.errors import SkipPartition, Transient
from tap_bitbucket.http.request import Request

_UNWANTED = re.compile(rb"\\u(?:0000|[dD])")
"""What may be NUL or half a surrogate pair; one look is quicker than one for each."""


_BESIDE = 8192
"""Bytes beside the body of a page: its rows as objects, its place in the plan of what is read."""

_OF_PAGES = frozenset(("values", "next", "previous", "size", "page", "pagelen"))


class Paging(enum.Enum):
    """How a list goes on after a page."""

    NEXT = "follow the next link"
    NUMBER = "ask for page 2, 3, … until one is empty or size is reached"
    NONE = "all on one page"
    ENTITY = "not a list: the answer is the row"
    LOOSE = "nobody knows: an object, several in values, or a list without anything around it"


@decodable
class _Envelope(msgspec.Struct):
    values: list[msgspec.Raw]
    next: Any = None
    size: Any = None
    page: Any = None
    pagelen: Any = None


@dataclass
class Page:
    """One answer.

    Attributes:
        values: The rows, not yet decoded.
        next: Where the list goes on, as Bitbucket says.
        size: Rows in the whole list, if told.
        number: This page's number, if told.
        length: Rows on a full page, as Bitbucket understood it.
        as_of: When Bitbucket answered, in its own time (epoch seconds).
        nbytes: How much memory the page holds.
        columns: What its rows carry beside those of their list, e.g. ``step_uuid``.
        after: The request for the page after it, None at the end of the list.
        about: What it tells about alone, where a list goes on in a list for each.
    """

    values: list[msgspec.Raw]
    next: str | None = None
    size: int | None = None
    number: int | None = None
    length: int | None = None
    as_of: float = 0.0
    nbytes: int = 0
    columns: Mapping[str, Any] = field(default_factory=dict)
    after: Request | None = None
    about: str | None = None

    def rows(self) -> Iterator[dict[str, Any]]:
        """Decode the rows, one by one. A value that is no object is not a row.

        Bitbucket's Free plan has put sentences into ``values``.
        """
        for raw in self.values:
            row = msgspec.json.decode(raw)
            if isinstance(row, dict):
                yield row


def parse_page(body: bytes, paging: Paging) -> Page:
    """Read the envelope of an answer.

    Raises:
        Transient: If it is not what was asked for: HTML with status 200, an empty or cut body,
            JSON that is no object, no list in ``values``, a page or an error for an entity.
    """
    try:
        body = _clean(body)
        if paging is Paging.ENTITY:
            known = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            _expect_entity(known)
            return Page([msgspec.Raw(body)], nbytes=len(body) + _BESIDE)
        if paging is Paging.LOOSE:
            loose = _loose(body)
            if loose is not None:
                return loose
        envelope = msgspec.json.decode(body, type=_Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        message = "the answer is not a page of JSON"
        raise Transient(message) from None
    return Page(
        values=envelope.values,
        next=envelope.next if isinstance(envelope.next, str) and envelope.next else None,
        size=_count(envelope.size),
        number=_count(envelope.page),
        length=_count(envelope.pagelen),
        nbytes=len(body) + _BESIDE,
    )


def _loose(body: bytes) -> Page | None:
    """Return the rows of an answer that is no page, None if it is one."""
    if body.lstrip()[:1] == b"[":
        return Page(msgspec.json.decode(body, type=list[msgspec.Raw]), nbytes=len(body) + _BESIDE)
    known = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    if bytes(known.get("values", b""))[:1] == b"[":
        return None
    return Page([msgspec.Raw(body)], nbytes=len(body) + _BESIDE)


def _expect_entity(known: Mapping[str, Any]) -> None:
    """Refuse a page, an error and nothing at all, which would be taken for a row without a key."""
    if "error" in known or known.keys() <= _OF_PAGES:
        message = "the answer is not what was asked for"
        raise Transient(message)


def next_request(request: Request, page: Page, paging: Paging, api_url: str) -> Request | None:
    """Return the request for the page after ``page``, or None at the end of the list.

    An empty page that has a ``next`` is not the end.

    Raises:
        SkipPartition: If ``next`` leads to another host and the page has no number to go on by.
    """
    if paging is Paging.NEXT and page.next:
        target = below_api(api_url, request, page.next)
        if target is not None:
            path, query = target
            return replace(request, path=path, params=(), query=query)
        if page.number is None:
            message = (
                f"{request.method} {request.path}: the next link leads elsewhere than to the API, "
                "where no token goes"
            )
            raise SkipPartition(message)
        params = request.params if request.query is None else tuple(parse_qsl(request.query))
        first = replace(request, params=params, query=None)
        return first.with_params({"page": str(page.number + 1)})
    if paging is Paging.LOOSE and page.length is None:
        return None  # nothing says that there are pages: the second would be the first again
    if paging in {Paging.NUMBER, Paging.LOOSE} and page.values:
        number = int(dict(request.params).get("page", "1"))
        if not _is_last(page, number):
            return request.with_params({"page": str(number + 1)})
    return None


def _is_last(page: Page, number: int) -> bool:
    """Whether a page of a numbered list tells that it is the last.

    Without ``size`` a short page does, but short of what Bitbucket says is a full one: it may
    have allowed less than was asked for.
    """
    if page.length is None:
        return False
    if page.size is not None:
        return number * page.length >= page.size
    return len(page.values) < page.length


def below_api(api_url: str, request: Request, link: str) -> tuple[str, str] | None:
    """Return path below ``api_url`` and query of a link to the API, None for any other link.

    Bitbucket also writes ``https://bitbucket.org/api/2.0/…`` and ``https://bitbucket.org/!api/2.0/…``.
    """
    api = urlsplit(api_url)
    try:
        # Only path and query of a link are used, so its scheme cannot lead the token astray.
        target = urlsplit(urljoin(api_url + request.path, link))._replace(scheme=api.scheme)
        here = link.isprintable() and origin(target.geturl()) == origin(api_url)
    except ValueError:
        return None
    prefixes = [api.path] if here else []
    if link.startswith("https://bitbucket.org/"):
        prefixes += ["/api/2.0", "/!api/2.0"]
    for prefix in prefixes:
        if target.path.startswith(prefix + "/"):
            return target.path[len(prefix) :], target.query
    return None


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port, the port also where it is the usual one.

    Raises:
        ValueError: If it is no URL.
    """
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _clean(body: bytes) -> bytes:
    """Remove what PostgreSQL and JSON parsers downstream cannot take: NUL and half surrogates.

    Raises:
        UnicodeDecodeError: If it is not UTF-8.
        RecursionError: If it is nested without end.
    """
    body.decode()
    if not _UNWANTED.search(body):
        return body
    try:
        document = json.loads(body)
    except ValueError:
        return body
    text = json.dumps(_without_nul(document), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    return value
