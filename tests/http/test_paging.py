"""Pages: the envelope of an answer, and the arithmetic of where a list goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tap_bitbucket.http.errors import SkipPartition, Transient
from tap_bitbucket.http.paging import Page, Paging, next_request, parse_page
from tap_bitbucket.http.request import Request, path

API = "https://api.bitbucket.org/2.0"
LIST = Request("/repositories/acme/web/refs", (("pagelen", "100"), ("q", 'name ~ "a"')))


def page(*values: Any, **envelope: Any) -> Page:
    """Return an answer, parsed."""
    return parse_page(json.dumps({"values": list(values), **envelope}).encode(), Paging.NEXT)


def target(request: Request | None) -> str | None:
    """Return where a request goes."""
    return None if request is None else request.target


# -- next links ---------------------------------------------------------------------------------

FOLLOWED = [
    (
        "as it came",
        f"{API}/repositories/acme/web/refs?pagelen=100&page=2",
        "/repositories/acme/web/refs?pagelen=100&page=2",
    ),
    (
        "opaque token",
        f"{API}/repositories/acme/web/commits?ctx=ab%2Bc%3D&page=2",
        "/repositories/acme/web/commits?ctx=ab%2Bc%3D&page=2",
    ),
    (
        "encoded name",
        f"{API}/repositories/acme/%7B1-2%7D/refs?page=2",
        "/repositories/acme/%7B1-2%7D/refs?page=2",
    ),
    ("no query", f"{API}/repositories/acme/web/refs/", "/repositories/acme/web/refs/"),
    ("host in capitals", "https://API.Bitbucket.org/2.0/x?page=2", "/x?page=2"),
    (
        "relative to the host",
        "/2.0/repositories/acme/web/refs?page=2",
        "/repositories/acme/web/refs?page=2",
    ),
    ("inside address", "https://bitbucket.org/api/2.0/x?page=2", "/x?page=2"),
    ("web address", "https://bitbucket.org/!api/2.0/x?page=2", "/x?page=2"),
    ("default port", "https://api.bitbucket.org:443/2.0/x?page=2", "/x?page=2"),
    ("fragment", f"{API}/x?page=2#top", "/x?page=2"),
]


@pytest.mark.parametrize(
    ("link", "goes_to"), [f[1:] for f in FOLLOWED], ids=[f[0] for f in FOLLOWED]
)
def test_a_next_link_to_the_api_is_followed_as_it_is(link: str, goes_to: str) -> None:
    """Path and query of a next link are used verbatim, below the configured API."""
    assert target(next_request(LIST, page({}, next=link), Paging.NEXT, API)) == goes_to


@pytest.mark.parametrize(
    "link",
    [
        "?pagelen=100&page=2",
        "/other/api?page=2",
        "refs?page=2",
        ".evil.example/x",
        "@evil.example/x",
    ],
)
@pytest.mark.parametrize(
    "api", [API, "http://127.0.0.1:8080", "https://proxy.example/bitbucket/2.0"]
)
def test_a_next_link_can_never_change_the_host(link: str, api: str) -> None:
    """Whatever a link says, api_url and the path are two: a slash stands between them."""
    try:
        following = next_request(LIST, page({}, next=link, page=1), Paging.NEXT, api)
    except SkipPartition:
        return
    assert following is not None
    assert following.path.startswith("/")


ELSEWHERE = [
    ("other host", "https://evil.example/2.0/x?page=2"),
    ("host inside", "https://api.bitbucket.internal/2.0/x?page=2"),
    ("longer host", "https://api.bitbucket.org.evil.example/2.0/x"),
    ("user info", "https://api.bitbucket.org@evil.example/2.0/x"),
    ("no scheme", "//evil.example/2.0/x"),
    ("other port", "https://api.bitbucket.org:8443/2.0/x"),
    ("other path", "https://api.bitbucket.org/rest/1.0/accounts/x"),
    ("like the path", "https://api.bitbucket.org/2.0x/y"),
    ("other path of bitbucket.org", "https://bitbucket.org/acme/web"),
    ("file", "file:///etc/passwd"),
    ("script", "javascript:alert(1)"),
    ("broken port", "https://api.bitbucket.org:99999/2.0/x"),
    ("broken address", "https://[bad/2.0/x"),
    ("not an address", "\x01\x02"),
]


@pytest.mark.parametrize("link", [e[1] for e in ELSEWHERE], ids=[e[0] for e in ELSEWHERE])
def test_a_next_link_elsewhere_is_replaced_by_the_page_number(link: str) -> None:
    """A link that leads elsewhere is not followed; the page after this one is asked for."""
    asked = Request(LIST.path, query="pagelen=50&page=3&sort=x")
    for request, expected in (
        (LIST, "/repositories/acme/web/refs?pagelen=100&q=name%20~%20%22a%22&page=4"),
        (asked, "/repositories/acme/web/refs?pagelen=50&page=4&sort=x"),
    ):
        following = next_request(request, page({}, next=link, page=3), Paging.NEXT, API)
        assert following is not None
        assert following.path == request.path
        assert sorted((target(following) or "").partition("?")[2].split("&")) == sorted(
            expected.partition("?")[2].split("&")
        )


@pytest.mark.parametrize("link", [e[1] for e in ELSEWHERE], ids=[e[0] for e in ELSEWHERE])
def test_a_next_link_elsewhere_without_a_number_skips_the_list(link: str) -> None:
    """Without a page number to go on by, the list is reported as not readable, never as whole."""
    with pytest.raises(SkipPartition, match="next link"):
        next_request(LIST, page({}, next=link), Paging.NEXT, API)


def test_the_scheme_of_a_next_link_is_not_used() -> None:
    """A link with http:// does not send the token in the clear: only path and query are taken."""
    following = next_request(
        LIST, page(next="http://api.bitbucket.org/2.0/x?page=2"), Paging.NEXT, API
    )
    assert target(following) in {"/x?page=2", None}


@pytest.mark.parametrize("link", [None, "", 5, False, [], {"href": f"{API}/x"}])
def test_no_next_link_is_the_end(link: object) -> None:
    """A list without a usable `next` ends, also when its last page is full."""
    full = page(*[{}] * 100, next=link, size=1000, page=1, pagelen=100)
    assert next_request(LIST, full, Paging.NEXT, API) is None
    assert next_request(LIST, page(*[{}] * 100), Paging.NEXT, API) is None


def test_an_empty_page_with_a_next_link_is_not_the_end() -> None:
    """Bitbucket filters some pages empty; the list goes on behind them."""
    assert next_request(LIST, page(next=f"{API}/x?page=3"), Paging.NEXT, API) is not None


def test_a_form_is_sent_again_with_the_next_link() -> None:
    """The long lists of commits are asked for by POST, on every page."""
    request = Request("/repositories/acme/web/commits", form=(("include", "a"),))
    following = next_request(
        request, page(next=f"{API}/repositories/acme/web/commits?ctx=1"), Paging.NEXT, API
    )
    assert following is not None
    assert (following.method, following.form) == ("POST", (("include", "a"),))


# -- page numbers -------------------------------------------------------------------------------

NUMBERS = [
    # rows on the page, its number, the envelope, goes on
    ("size says more", 100, 1, {"size": 150, "pagelen": 100}, True),
    ("size says no more", 100, 2, {"size": 200, "pagelen": 100}, False),
    ("size reached on a short page", 50, 2, {"size": 150, "pagelen": 100}, False),
    ("short page, but size says more", 60, 1, {"size": 150, "pagelen": 100}, True),
    ("one row beyond", 100, 1, {"size": 101, "pagelen": 100}, True),
    ("server gives shorter pages", 50, 2, {"size": 150, "pagelen": 50}, True),
    ("server gives shorter pages, end", 50, 3, {"size": 150, "pagelen": 50}, False),
    ("server gives longer pages", 200, 1, {"size": 200, "pagelen": 200}, False),
    ("no size, full page", 100, 1, {"pagelen": 100}, True),
    ("no size, short page", 99, 1, {"pagelen": 100}, False),
    ("no size, full page of the server's", 30, 1, {"pagelen": 30}, True),
    ("no size, nothing", 0, 3, {"pagelen": 100}, False),
    ("nothing, though size says more", 0, 3, {"size": 1000, "pagelen": 100}, False),
    ("nothing at all", 0, 1, {"size": 0, "pagelen": 100}, False),
    ("size null", 100, 1, {"size": None, "pagelen": 100}, True),
    ("size null, short page", 99, 1, {"size": None, "pagelen": 100}, False),
    ("size is text", 100, 1, {"size": "150", "pagelen": 100}, True),
    ("size is true", 100, 1, {"size": True, "pagelen": 100}, True),
    ("pagelen not told", 10, 1, {"size": 11}, True),
    ("pagelen null", 100, 1, {"size": 150, "pagelen": None}, True),
    ("pagelen zero", 100, 1, {"size": 150, "pagelen": 0}, True),
    ("nothing told, few rows: only an empty page is the end", 3, 1, {}, True),
    ("nothing told, no rows", 0, 2, {}, False),
    (
        "lying next on the last page",
        50,
        2,
        {"size": 150, "pagelen": 100, "next": f"{API}/x?page=3"},
        False,
    ),
    ("next missing", 100, 1, {"size": 300, "pagelen": 100}, True),
    (
        "next inside",
        100,
        1,
        {"size": 300, "pagelen": 100, "next": "http://inside/rest/1.0/x"},
        True,
    ),
]


@pytest.mark.parametrize(
    ("rows", "number", "envelope", "goes_on"),
    [n[1:] for n in NUMBERS],
    ids=[n[0] for n in NUMBERS],
)
def test_lists_by_number(rows: int, number: int, envelope: dict[str, Any], goes_on: bool) -> None:
    """Lists of the pipelines service go on by number, as size, page length and rows tell."""
    params = [("sort", "-created_on"), ("pagelen", "100")]
    params += [("page", str(number))] if number > 1 else []
    following = next_request(
        Request("/x/", tuple(params)), page(*[{}] * rows, **envelope), Paging.NUMBER, API
    )
    assert (following is not None) is goes_on
    if following is not None:
        asked = dict(following.params)
        assert asked["page"] == str(number + 1)
        assert asked["sort"] == "-created_on", "the order must be kept"
        assert asked["pagelen"] == "100"


@pytest.mark.parametrize("paging", [Paging.NONE, Paging.ENTITY])
def test_what_has_no_pages_ends_with_the_first(paging: Paging) -> None:
    """Answers that hold everything are not followed, whatever they say."""
    whole = page({}, next=f"{API}/x?page=2", size=100)
    assert next_request(LIST, whole, paging, API) is None


# -- envelopes ----------------------------------------------------------------------------------

UNUSABLE = [
    b"",
    b" ",
    b"<!DOCTYPE html><html><body>We are down</body></html>",
    b'{"values": [{"id": 1}, {"id"',
    b'{"values": [1]',
    b"[]",
    b"[{}]",
    b"null",
    b"5",
    b'"text"',
    b"{}",
    b'{"size": 3}',
    b'{"values": null}',
    b'{"values": {}}',
    b'{"values": "none"}',
    b'{"type": "error", "error": {"message": "200, but an error"}}',
    b"\xff\xfe",
    b'{"values": [{"name": "\xff"}]}',
    b'{"values": []} trailing',
]


@pytest.mark.parametrize("body", UNUSABLE, ids=[repr(body[:24]) for body in UNUSABLE])
def test_what_is_no_page_is_asked_for_again(body: bytes) -> None:
    """An answer that is not a list is a failure that may pass, never an empty list."""
    with pytest.raises(Transient):
        list(parse_page(body, Paging.NEXT).rows())


NO_ENTITIES = [
    b"", b"<html></html>", b"[]", b"null", b'"x"', b'{"slug": "a"', b"{}",
    b'{"values": [], "page": 1}', b'{"values": null}', b'{"type": "error", "error": {}}',
]  # fmt: skip


@pytest.mark.parametrize("body", NO_ENTITIES)
def test_what_is_no_object_is_asked_for_again(body: bytes) -> None:
    """A single resource must be a JSON object, and neither a page nor an error."""
    with pytest.raises(Transient):
        parse_page(body, Paging.ENTITY)


def test_nested_nonsense_is_asked_for_again() -> None:
    """An answer that is nested beyond reason is no page."""
    for paging in (Paging.NEXT, Paging.ENTITY):
        with pytest.raises(Transient):
            list(parse_page(b'{"values": [' + b'{"a":[' * 60_000, paging).rows())


def test_values_that_are_no_objects_are_no_rows() -> None:
    """Sentences, numbers and nulls among the values are left out; the rows around them stay."""
    mixed = page({"id": 1}, "Upgrade your plan", None, 5, [], {"id": 2}, True)
    assert [row["id"] for row in mixed.rows()] == [1, 2]


def test_an_entity_is_one_row() -> None:
    """A single resource is a page of one row."""
    one = parse_page(b'{"slug": "acme", "values": [1]}', Paging.ENTITY)
    assert list(one.rows()) == [{"slug": "acme", "values": [1]}]


@pytest.mark.parametrize("paging", [Paging.NEXT, Paging.ENTITY])
@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (r'"a\u0000b"', "ab"),
        (r'"\u0000"', ""),
        (r'"a\ud800b"', "a?b"),
        (r'"a\uDC00b"', "a?b"),
        (r'"\ud83d\ude00"', "😀"),
        (r'"\uD83D\uDE00"', "😀"),
        (r'"\\u0000"', "\\u0000"),
        (r'"\\ud800"', "\\ud800"),
        (r'"\ue000"', "\ue000"),
        ('"größe 大"', "größe 大"),
        (r'"tab\tline\n\u0001"', "tab\tline\n\x01"),
    ],
)
def test_text_that_no_database_takes_is_mended(paging: Paging, sent: str, kept: str) -> None:
    """NUL is dropped and half a surrogate replaced; every other character arrives as it was."""
    row = f'{{"text": {sent}, "deep": [{{"text": {sent}}}], "n": 12345678901234567890, "f": 1.5}}'
    body = row if paging is Paging.ENTITY else f'{{"values": [{row}]}}'
    (found,) = parse_page(body.encode(), paging).rows()
    assert found == {"text": kept, "deep": [{"text": kept}], "n": 12345678901234567890, "f": 1.5}
    json.dumps(found, ensure_ascii=False).encode()


def test_nul_in_a_name_is_mended() -> None:
    """Keys are text, too."""
    (row,) = parse_page(rb'{"values": [{"a\u0000b": 1}]}', Paging.NEXT).rows()
    assert row == {"ab": 1}


def test_what_the_envelope_tells() -> None:
    """Size, number and length are taken when they are numbers, and ignored otherwise."""
    told = page(size=7, page=2, pagelen=50)
    assert (told.size, told.number, told.length) == (7, 2, 50)
    odd = page(size="7", page=None, pagelen=[])
    assert (odd.size, odd.number, odd.length) == (None, None, None)


# -- requests -----------------------------------------------------------------------------------


def test_names_in_a_path_are_quoted_whole() -> None:
    """A name cannot leave its place in the path."""
    made = path(
        "/repositories/{workspace}/{repository}", workspace="{1-2}", repository="../a b/ü?x#y%"
    )
    assert made == "/repositories/%7B1-2%7D/..%2Fa%20b%2F%C3%BC%3Fx%23y%25"


def test_parameters_are_encoded_once() -> None:
    """A plus, an ampersand and quotes reach Bitbucket as they are."""
    request = Request("/x", (("fields", "+values.a,-values.b"), ("q", 'a="b&c" AND d>=1')))
    assert request.target == "/x?fields=%2Bvalues.a%2C-values.b&q=a%3D%22b%26c%22%20AND%20d%3E%3D1"
