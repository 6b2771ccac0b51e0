"""The ways in which Bitbucket cuts its lists into pages."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from tap_bitbucket.demo import errors

if TYPE_CHECKING:
    from tap_bitbucket.demo.call import Call

Json = dict[str, Any]


@dataclass(frozen=True)
class Paging:
    """How one list is cut.

    `style` is `number` (page=N, with a size), `token` (page=<opaque>), `context`
    (ctx=<opaque>), `pipelines` (page=N, but `next` is broken) or `single` (all in one page).
    """

    style: str = "number"
    default: int = 10
    maximum: int = 100
    size: bool = True
    defect: str = ""

    @property
    def params(self) -> frozenset[str]:
        """Name the query parameters this style takes besides `page` and `pagelen`."""
        return frozenset({"ctx"}) if self.style == "context" else frozenset()


NUMBERED = Paging()
UNSIZED = Paging(size=False)
TOKENS = Paging("token", size=False)
SINGLE = Paging("single")


def page_length(call: Call, paging: Paging) -> int:
    """Read `pagelen`, or answer 400."""
    text = call.param("pagelen")
    if text is None or paging.style == "single":
        return paging.default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= paging.maximum:
        raise errors.core(400, "Invalid pagelen")
    return int(text)


def cut(
    call: Call, paging: Paging, items: Sequence[Any], token: str = ""
) -> tuple[Sequence[Any], Json]:
    """Take the asked page of a list: its items, and the envelope around them."""
    length = page_length(call, paging)
    if paging.style == "single":
        return items, {"page": 1, "pagelen": max(1, len(items)), "size": len(items)}
    if paging.style == "token":
        return _by_token(call, items, length)
    if paging.style == "context":
        return _by_context(call, items, length, token)
    number = _page_number(call)
    start = (number - 1) * length
    page = items[start : start + length]
    envelope: Json = {"page": number, "pagelen": length}
    if paging.size:
        envelope["size"] = len(items)
    more = start + length < len(items)
    link = _next_of(call, paging, number, more=more)
    if link is not None:
        envelope["next"] = link
    if number > 1 and paging.style == "number":
        envelope["previous"] = call.url_with(page=str(number - 1))
    return page, envelope


def _page_number(call: Call) -> int:
    text = call.param("page")
    if text is None:
        return 1
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise errors.core(400, "Invalid page")
    return int(text)


def _next_of(call: Call, paging: Paging, number: int, *, more: bool) -> str | None:
    """Make the link to the next page; the pipelines service gets it wrong in several ways."""
    following = call.url_with(page=str(number + 1))
    defect = call.settings.next_defect.get(paging.defect, "none") if paging.defect else "none"
    if defect == "always":  # BCLOUD-22441: there is a next on the last page as well
        return following
    if not more or defect == "missing":  # BCLOUD-13806, BCLOUD-20265: size > returned, no next
        return None
    if defect == "drops_sort":  # page 2 falls back to oldest first
        return call.url_with(page=str(number + 1), sort=None)
    if defect == "internal":  # BCLOUD-20910: an inside path, which answers 401
        inside = call.path.partition("/repositories/")[2] or call.path.lstrip("/")
        query = urlencode({"page": number + 1})
        return f"{call.origin}/rest/1.0/accounts/{quote(inside, safe='/%')}?{query}"
    return following


def _scramble(offset: int) -> str:
    """Make a page token that is not a number, so that nobody counts on it."""
    mark = hashlib.md5(f"page:{offset}".encode(), usedforsecurity=False).hexdigest()[:4]
    return f"{offset:x}x{mark}"


def _by_token(call: Call, items: Sequence[Any], length: int) -> tuple[Sequence[Any], Json]:
    text = call.param("page")
    start = 0
    if text is not None and text != "1":
        head, mark, _ = text.partition("x")
        try:
            start = int(head, 16) if mark else -1
        except ValueError:
            start = -1
        if start < 0 or _scramble(start) != text:
            raise errors.core(400, "Invalid page")
    envelope: Json = {"pagelen": length, "page": start // length + 1}
    if start + length < len(items):
        envelope["next"] = call.url_with(page=_scramble(start + length))
    return items[start : start + length], envelope


def _by_context(
    call: Call, items: Sequence[Any], length: int, token: str
) -> tuple[Sequence[Any], Json]:
    number = _page_number(call)
    start = (number - 1) * length
    envelope: Json = {"pagelen": length}
    if start + length < len(items):
        link = call.url_with(ctx=token, page=str(number + 1))
        envelope["next"] = link
    else:
        envelope["page"] = number
    return items[start : start + length], envelope
