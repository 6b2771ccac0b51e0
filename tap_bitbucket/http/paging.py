"""Pages: from the bytes of an answer to rows, and from a page to the request for the next.

Bitbucket has two kinds of lists. Most say where they go on in ``next``, an opaque absolute URL.
The lists of the pipelines service have a ``next`` that drops the order, is missing, or points to
an internal host (BCLOUD-13806, BCLOUD-20265, BCLOUD-20910, BCLOUD-22441, BCLOUD-23787): they are
read by number, and their ``next`` is not looked at.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tap_bitbucket.http.errors import SkipPartition, Transient
from tap_bitbucket.http.request import Request


class Paging(enum.Enum):
    """How a list goes on after a page."""

    NEXT = "follow the next link"
    NUMBER = "ask for page 2, 3, … until one is empty or size is reached"
    NONE = "all on one page"
    ENTITY = "not a list: the answer is the row"


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
    """

    values: list[msgspec.Raw]
    next: str | None = None
    size: int | None = None
    number: int | None = None
    length: int | None = None
    as_of: float = 0.0
    nbytes: int = 0

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
            JSON that is no object, no list in ``values``.
    """
    body = _clean(body)
    try:
        if paging is Paging.ENTITY:
            msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            return Page([msgspec.Raw(body)], nbytes=len(body))
        envelope = msgspec.json.decode(body, type=_Envelope)
    except msgspec.MsgspecError:
        message = "the answer is not a page of JSON"
        raise Transient(message) from None
    return Page(
        values=envelope.values,
        next=envelope.next if isinstance(envelope.next, str) and envelope.next else None,
        size=_count(envelope.size),
        number=_count(envelope.page),
        length=_count(envelope.pagelen),
        nbytes=len(body),
    )


def next_request(request: Request, page: Page, paging: Paging, api_url: str) -> Request | None:
    """Return the request for the page after ``page``, or None at the end of the list.

    An empty page that has a ``next`` is not the end.

    Raises:
        SkipPartition: If ``next`` leads to another host and the page has no number to go on by.
    """
    if paging is Paging.NEXT and page.next:
        target = _below(api_url, page.next)
        if target is not None:
            path, query = target
            return replace(request, path=path, params=(), query=query)
        if page.number is None:
            host = urlsplit(page.next).hostname
            message = f"its next link leads to another host ({host}), which gets no token"
            raise SkipPartition(message)
        return replace(request, query=None).with_params({"page": str(page.number + 1)})
    if paging is Paging.NUMBER and page.values:
        number = int(dict(request.params).get("page", "1"))
        asked = int(dict(request.params).get("pagelen", "10"))
        length = page.length or asked
        if number * length < page.size if page.size is not None else len(page.values) >= length:
            return request.with_params({"page": str(number + 1)})
    return None


def _below(api_url: str, url: str) -> tuple[str, str] | None:
    """Return path below ``api_url`` and query of a link to the API, None for any other link.

    Only path and query are taken from the link, so it cannot lead the token astray. Bitbucket
    also writes ``https://bitbucket.org/api/2.0/…`` and ``https://bitbucket.org/!api/2.0/…``.
    """
    api, link = urlsplit(api_url), urlsplit(url)
    same = (link.hostname, link.port) == (api.hostname, api.port)
    if not link.hostname or (same and link.path.startswith(api.path + "/")):
        return link.path[len(api.path) :], link.query
    if link.hostname == "bitbucket.org":
        for prefix in ("/api/2.0", "/!api/2.0"):
            if link.path.startswith(prefix + "/"):
                return link.path[len(prefix) :], link.query
    return None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _clean(body: bytes) -> bytes:
    """Remove what PostgreSQL and JSON parsers downstream cannot take: NUL and half surrogates."""
    if b"\\u0000" not in body and b"\\ud" not in body and b"\\uD" not in body:
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
