"""One request, whatever it takes: the session over real HTTP, against the stand-in."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import backoff
import pytest

from tap_bitbucket.auth import AuthenticationError, Authenticator, authenticators_from
from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, Credentials, Fault, World
from tap_bitbucket.http import session as module
from tap_bitbucket.http.budget import Budget
from tap_bitbucket.http.errors import Fatal, SkipPartition, StopReading, Unavailable
from tap_bitbucket.http.identities import Identities, Identity
from tap_bitbucket.http.limits import Limits
from tap_bitbucket.http.paging import Paging
from tap_bitbucket.http.reader import Listing, pages
from tap_bitbucket.http.refusals import Refused
from tap_bitbucket.http.request import Request
from tap_bitbucket.http.session import Session

REPOSITORY = f"{EXAMPLE_WORKSPACE}/telescope-control"
CONTROL = f"/repositories/{REPOSITORY}"
BRANCHES = Request(f"{CONTROL}/refs/branches", (("pagelen", "100"),))
SECRET = "planted-api-token"


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make the waits between retries short, and note how long they may have been."""
    asked: list[float] = []

    def jitter(longest: float) -> float:
        asked.append(longest)
        return 0.001

    monkeypatch.setattr(backoff, "full_jitter", jitter)
    return asked


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the machine's own proxies and logins out."""
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "requests_ca_bundle",
        "curl_ca_bundle",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))


@pytest.fixture
def server() -> Iterator[BitbucketServer]:
    """Serve a world that is made in no time: two repositories, one of them empty."""
    world = World("small")
    workspace = world.add_workspace(EXAMPLE_WORKSPACE, "Small")
    maya = world.add_user("Maya")
    world.add_member(workspace, maya, "owner")
    world.add_project(workspace, "SKY", "Sky")
    world.add_repository(workspace, "telescope-control", project="SKY")
    world.push(REPOSITORY, "main", 2)
    for name in ("develop", "feature/one", "release"):
        world.add_branch(REPOSITORY, name)
    world.disable_pipelines(world.add_repository(workspace, "sandbox", project="SKY", empty=True))
    keys = Credentials("consumer", "consumer-secret", maya.email, SECRET, "unused")
    world.identities.add_oauth_consumer(keys.client_id, keys.client_secret, workspace=workspace)
    keys.refresh_token = world.oauth.issue_refresh_token(keys.client_id, maya)
    world.identities.add_api_token(keys.email, keys.api_token, user=maya)
    world.credentials = keys
    with BitbucketServer(world) as server:
        yield server


def api_token(server: BitbucketServer) -> Authenticator:
    """Sign as the example's user."""
    keys = server.world.credentials
    assert keys is not None
    return authenticators_from({"email": keys.email, "api_token": keys.api_token})[0]


def session_of(
    server: BitbucketServer,
    authenticator: Authenticator | None = None,
    *,
    api_url: str | None = None,
    max_retries: int = 2,
    timeout: float = 5,
    on_limit: str = "wait",
    **limits: Any,
) -> Session:
    """Return a session with the stand-in."""
    authenticator = authenticator or api_token(server)
    budget = Budget(authenticator.identity, on_limit=on_limit)
    identity = Identity(authenticator.identity, authenticator, budget)
    return Session(
        api_url or server.api_url,
        Identities([identity], Limits(**limits)),
        timeout=timeout,
        max_retries=max_retries,
        connections=8,
        user_agent="test/1",
    )


def rows(session: Session, request: Request = BRANCHES, paging: Paging = Paging.NEXT) -> list[Any]:
    """Read a list."""
    return [row for page in pages(session, Listing(request, paging)) for row in page.rows()]


def names(found: list[Any]) -> list[str]:
    """Return the names of rows."""
    return sorted(row["name"] for row in found)


@pytest.fixture
def branches(server: BitbucketServer) -> list[str]:
    """Return the branches there are."""
    return sorted(row["name"] for row in server.world.rows("branches", REPOSITORY))


# -- what may pass ------------------------------------------------------------------------------

HTML = b"<!DOCTYPE html><html><body>We will be back soon</body></html>"

PASSING = [
    *[
        (str(status), Fault("refs/branches", status=status, body=HTML))
        for status in (408, 500, 502, 503, 504, 555)
    ],
    ("connection reset", Fault("refs/branches", action="reset")),
    ("reset after the answer was made", Fault("refs/branches", action="reset_after_handling")),
    ("reset after the headers", Fault("refs/branches", action="reset_after_headers")),
    ("cut short", Fault("refs/branches", action="truncate")),
    (
        "garbage for gzip",
        Fault("refs/branches", status=200, body=b"no gzip", headers={"Content-Encoding": "gzip"}),
    ),
    (
        "half a gzip",
        Fault(
            "refs/branches",
            status=200,
            body=gzip.compress(b'{"values": []}' * 9)[:20],
            headers={"Content-Encoding": "gzip"},
        ),
    ),
    ("empty body", Fault("refs/branches", status=200)),
    ("no content", Fault("refs/branches", status=204)),
    ("still working", Fault("refs/branches", status=202, body=b"{}")),
    ("HTML with 200", Fault("refs/branches", status=200, body=HTML)),
    ("a JSON list", Fault("refs/branches", status=200, body=b"[]")),
    ("half a page", Fault("refs/branches", status=200, body=b'{"values": [{"name": "ma')),
    ("redirect to nowhere", Fault("refs/branches", status=302)),
]


@pytest.mark.parametrize("fault", [p[1] for p in PASSING], ids=[p[0] for p in PASSING])
def test_what_may_pass_is_asked_for_again(
    fault: Fault, server: BitbucketServer, branches: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A failure that may pass costs a retry that is counted and logged, and no row."""
    server.faults.add(Fault(**{**vars(fault), "times": 2}))
    session = session_of(server)
    assert names(rows(session)) == branches
    assert session.retries == 2
    assert len(caplog.records) == 2
    assert f"GET {BRANCHES.path}" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("fault", [p[1] for p in PASSING], ids=[p[0] for p in PASSING])
def test_what_does_not_pass_costs_the_partition(fault: Fault, server: BitbucketServer) -> None:
    """After the last retry the list counts as not readable, with its name; it is not empty."""
    server.faults.add(Fault(**{**vars(fault), "times": None}))
    session = session_of(server, max_retries=1)
    with pytest.raises(Unavailable, match="refs/branches") as caught:
        rows(session)
    assert len(server.requests) == 2
    assert "\n" not in str(caught.value)
    assert "back soon" not in str(caught.value)


def test_no_answer_in_time_is_asked_for_again(server: BitbucketServer, branches: list[str]) -> None:
    """A server that hangs is given up after request_timeout and asked again."""
    server.faults.add(Fault("refs/branches", action="hang", seconds=3))
    session = session_of(server, timeout=0.3)
    began = time.monotonic()
    assert names(rows(session)) == branches
    assert session.retries == 1
    assert time.monotonic() - began < 2


def test_waits_between_retries_grow(server: BitbucketServer, waits: list[float]) -> None:
    """Each wait is drawn from a longer span than the one before, up to a minute."""
    server.faults.add(Fault("refs/branches", times=None))
    with pytest.raises(Unavailable):
        rows(session_of(server, max_retries=8))
    assert len(waits) == 8
    assert all(later == min(2 * before, 60) for before, later in pairwise(waits))


def test_without_retries_one_failure_is_enough(server: BitbucketServer) -> None:
    """max_retries 0 means that nothing is repeated."""
    server.faults.add(Fault("refs/branches", times=None))
    with pytest.raises(Unavailable):
        rows(session_of(server, max_retries=0))
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 402, 403, 404, 405, 406, 410, 451])
def test_what_does_not_change_is_not_asked_again(status: int, server: BitbucketServer) -> None:
    """A refusal is final for its list: one request, and a sentence with method, path and status."""
    server.faults.add(Fault("refs/branches", status=status, body=HTML, times=None))
    with pytest.raises(SkipPartition, match=rf"GET {BRANCHES.path}: HTTP {status}") as caught:
        rows(session_of(server))
    assert len(server.requests) == 1
    assert caught.value.status == status


@pytest.mark.parametrize("status", [404, 409])
def test_nothing_there_is_an_empty_list(status: int, server: BitbucketServer) -> None:
    """An empty repository (409) and Pipelines that were never enabled (404) hold no rows."""
    request = BRANCHES
    if status == 404:
        request = Request(f"/repositories/{EXAMPLE_WORKSPACE}/sandbox/pipelines/")
    else:
        server.faults.add(Fault("refs/branches", status=409, times=None))
    assert rows(session_of(server), request) == []
    assert [one.status for one in server.requests] == [status]


def test_a_refused_parameter_is_left_out(server: BitbucketServer, branches: list[str]) -> None:
    """A list that refuses an optional parameter is read without it."""
    server.faults.add(Fault("sort=", status=400, times=None))
    request = BRANCHES.with_params({"sort": "-x"})
    with pytest.raises(Refused):
        rows(session_of(server), request)
    listing = Listing(request, simpler=(("sort", None),))
    found = [row for page in pages(session_of(server), listing) for row in page.rows()]
    assert names(found) == branches


# -- an outage ----------------------------------------------------------------------------------


OTHER = Request("/workspaces/halley-labs/members")


def failing(session: Session, request: Request = BRANCHES) -> Exception:
    """Read a list that fails."""
    with pytest.raises((Unavailable, Fatal)) as caught:
        rows(session, request)
    return caught.value


def test_five_lists_in_a_row_are_an_outage(server: BitbucketServer) -> None:
    """When everything fails, the run ends with one clear sentence instead of skipping it all."""
    server.faults.add(Fault(".", times=None))
    session = session_of(server, max_retries=0)
    kinds = [type(failing(session)) for _ in range(4)]
    assert kinds == [Unavailable] * 4
    last = failing(session, OTHER)
    assert type(last) is Fatal
    assert "down" in str(last)
    assert "bookmarks" in str(last)


def test_a_repository_of_which_nothing_can_be_read_is_no_outage(server: BitbucketServer) -> None:
    """All streams of a repository may fail in a row; with more lists than it has, it is one."""
    server.faults.add(Fault("refs/branches", times=None))
    session = session_of(server, max_retries=0)
    assert {type(failing(session)) for _ in range(59)} == {Unavailable}
    assert type(failing(session)) is Fatal


@pytest.mark.parametrize("status", [200, 403, 404])
def test_an_answer_shows_that_bitbucket_is_there(status: int, server: BitbucketServer) -> None:
    """Failures with answers in between are no outage, also when the answer is a refusal."""
    session = session_of(server, max_retries=0)
    for _ in range(3):
        server.faults.clear()
        server.faults.add(Fault("refs/branches", times=None))
        assert [type(failing(session)) for _ in range(3)] == [Unavailable] * 3
        server.faults.clear()
        if status == 200:
            assert rows(session)
        else:
            server.faults.add(Fault("refs/branches", status=status))
            with pytest.raises(SkipPartition):
                rows(session)


def test_a_server_that_is_not_there(server: BitbucketServer) -> None:
    """A refused connection is a failure like any other, and five of them an outage."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    session = session_of(server, api_url=f"http://127.0.0.1:{port}/2.0", max_retries=0)
    assert "no connection" in str(failing(session))
    for _ in range(3):
        failing(session)
    assert type(failing(session, OTHER)) is Fatal


# -- the rate limit -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["seconds", "date", "reset"])
def test_a_429_is_waited_out(form: str, server: BitbucketServer, branches: list[str]) -> None:
    """After a 429 the same request is sent again, not before the told moment, and answered."""
    told = {
        "seconds": {"Retry-After": "1"},
        "date": {"Retry-After": formatdate(time.time() + 1, usegmt=True)},
        "reset": {"x-ratelimit-reset": "1"},
    }[form]
    body = "Rate limit for this resource has been exceeded"
    server.faults.add(Fault("refs/branches", status=429, headers=told, body=body))
    session = session_of(server)
    began = time.monotonic()
    assert names(rows(session)) == branches
    assert [one.status for one in server.requests] == [429, 200]
    assert server.requests[1].at - server.requests[0].at >= 0.95
    assert time.monotonic() - began < 3.5
    assert (session.retries, session.identities.budgets[0].waits) == (0, 1)


def test_a_429_makes_all_threads_wait(server: BitbucketServer) -> None:
    """While one thread's 429 is waited out, no other thread sends anything."""
    server.faults.add(Fault("refs/branches", status=429, headers={"Retry-After": "0"}))
    session = session_of(server)
    threads = [threading.Thread(target=rows, args=(session,)) for _ in range(6)]
    threads[0].start()
    while not server.requests:
        time.sleep(0.001)
    time.sleep(0.05)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(10)
    first, *others = [one.at for one in server.requests]
    assert len(others) == 6
    assert min(others) - first >= 0.95


def test_on_rate_limit_stop(server: BitbucketServer) -> None:
    """`stop` ends the reading at the first 429, in JSON or in plain text."""
    server.faults.add(Fault("refs/branches", status=429, body="Rate limit", times=None))
    with pytest.raises(StopReading, match="on_rate_limit"):
        rows(session_of(server, on_limit="stop"))
    assert len(server.requests) == 1


def test_every_request_is_counted(server: BitbucketServer) -> None:
    """Retries and redirects spend the budget, too: they are requests to Bitbucket."""
    server.faults.add(Fault("refs/branches"))
    server.faults.add(
        Fault("refs/branches", action="redirect", to=f"{server.api_url}{BRANCHES.target}")
    )
    session = session_of(server)
    rows(session)
    assert session.identities.limits.sent == len(server.requests) == 3
    limited = session_of(server, max_requests=1)
    server.faults.add(Fault("refs/branches"))
    with pytest.raises(StopReading):
        rows(limited)


# -- signing ------------------------------------------------------------------------------------


def oauth(server: BitbucketServer, folder: Path) -> Authenticator:
    """Sign by OAuth."""
    keys = server.world.credentials
    assert keys is not None
    return authenticators_from(
        {
            "client_id": keys.client_id,
            "client_secret": keys.client_secret,
            "refresh_token": keys.refresh_token,
            "oauth_token_url": server.oauth_token_url,
            "token_file": str(folder / "token.json"),
        }
    )[0]


def refreshes(server: BitbucketServer) -> int:
    """Count the requests to the token endpoint."""
    return sum(one.path.startswith("/site/oauth2/") for one in server.requests)


def test_an_expired_token_is_replaced_and_the_same_request_sent_again(
    server: BitbucketServer, branches: list[str], tmp_path: Path
) -> None:
    """401, one refresh, the same request: nobody above notices."""
    session = session_of(server, oauth(server, tmp_path))
    rows(session)
    server.world.oauth.revoke_access_tokens()
    server.clear_requests()
    assert names(rows(session)) == branches
    told = [(one.path.rpartition("/")[2], one.status) for one in server.requests]
    assert told == [("branches", 401), ("access_token", 200), ("branches", 200)]
    assert server.requests[0].url == server.requests[2].url
    assert session.retries == 0


def test_many_threads_that_meet_the_end_of_a_token_refresh_once(
    server: BitbucketServer, branches: list[str], tmp_path: Path
) -> None:
    """Eight requests refused at the same time cost one refresh, and all are answered."""
    session = session_of(server, oauth(server, tmp_path))
    rows(session)
    server.world.oauth.revoke_access_tokens()
    server.clear_requests()
    server.latency = 0.05
    found: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: found.append(names(rows(session)))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [branches] * 8
    assert refreshes(server) == 1


def test_a_refusal_that_no_refresh_mends_ends_the_run(
    server: BitbucketServer, tmp_path: Path
) -> None:
    """401 again and again with new tokens is final: no endless circle of refreshes."""
    server.faults.add(Fault("refs/branches", status=401, times=None))
    session = session_of(server, oauth(server, tmp_path))
    with pytest.raises(AuthenticationError):
        rows(session)
    assert refreshes(server) == 4
    assert len(server.requests) == 8


def test_a_place_that_refuses_every_token_ends_the_run(
    server: BitbucketServer, tmp_path: Path
) -> None:
    """Nor do other lists that are answered meanwhile keep such a circle going."""
    server.faults.add(Fault("refs/branches", status=401, times=None))
    session = session_of(server, oauth(server, tmp_path))
    ended = threading.Event()

    def read_another() -> None:
        with contextlib.suppress(AuthenticationError):
            while not ended.is_set():
                rows(session, Request(BRANCHES.path.replace("branches", "tags")))

    other = threading.Thread(target=read_another)
    other.start()
    try:
        with pytest.raises(AuthenticationError):
            rows(session)
    finally:
        ended.set()
        other.join(10)
    assert refreshes(server) <= 6


def test_a_wrong_api_token_is_explained(server: BitbucketServer) -> None:
    """401 for what cannot be refreshed ends the run at once, and says what to check."""
    keys = server.world.credentials
    assert keys is not None
    wrong = authenticators_from({"email": keys.email, "api_token": "wrong-secret"})[0]
    with pytest.raises(AuthenticationError, match="api_token") as caught:
        rows(session_of(server, wrong))
    assert len(server.requests) == 1
    assert "wrong-secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_headers_of_a_request(server: BitbucketServer) -> None:
    """Requests say who asks and that they want JSON."""
    rows(session_of(server))
    headers = server.requests[0].headers
    assert headers["user-agent"] == "test/1"
    assert headers["accept"] == "application/json"
    assert "gzip" in headers["accept-encoding"]


# -- other places -------------------------------------------------------------------------------


class Elsewhere:
    """A server that is not Bitbucket, and what it was sent."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        elsewhere = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                elsewhere.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                body = json.dumps({"values": [{"name": "from elsewhere"}], "slug": "x"}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_CONNECT = do_GET  # noqa: N815

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
            self.scheme = "https"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self.thread.start()

    @property
    def url(self) -> str:
        """Return its address."""
        return f"{self.scheme}://127.0.0.1:{self.server.server_address[1]}"

    def stop(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """Serve a place that must never see the token."""
    place = Elsewhere()
    yield place
    place.stop()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_host_is_followed(
    status: int, server: BitbucketServer, branches: list[str]
) -> None:
    """Within the API a redirect is followed, with the token."""
    server.faults.add(
        Fault(
            "refs/branches", action="redirect", status=status, to=f"/2.0{BRANCHES.target}&sort=name"
        )
    )
    assert names(rows(session_of(server))) == branches
    assert all("authorization" in one.headers for one in server.requests)
    assert len(server.requests) == 2


def test_a_renamed_repository_is_found(server: BitbucketServer, branches: list[str]) -> None:
    """Bitbucket's 301 from the old name leads to the new one, for a form as well."""
    (heads,) = [server.world.rows("branches", REPOSITORY)]
    server.world.rename_repository(REPOSITORY, "control")
    assert names(rows(session_of(server))) == branches
    form = Request(f"{CONTROL}/commits", form=(("include", heads[0]["target"]["hash"]),))
    assert len(rows(session_of(server), form)) > 0
    assert server.requests[-1].method == "POST"
    assert "include=" in server.requests[-1].body


REDIRECTS = [
    "{elsewhere}/2.0/x",
    "//127.0.0.1:{port}/x",
    "https://127.0.0.1:{own}/2.0/x",
    "http://localhost:{own}/2.0/x",
    "http://user@127.0.0.1:{port}/x",
]


@pytest.mark.parametrize("to", REDIRECTS)
def test_a_redirect_to_another_host_gets_no_token(
    to: str, server: BitbucketServer, elsewhere: Elsewhere
) -> None:
    """Another host, port or scheme is not asked at all; the list counts as not readable."""
    place = to.format(
        elsewhere=elsewhere.url, port=elsewhere.server.server_address[1], own=server.port
    )
    server.faults.add(Fault("refs/branches", action="redirect", to=place, times=None))
    with pytest.raises(SkipPartition, match=r"another host|elsewhere"):
        rows(session_of(server))
    assert elsewhere.seen == []
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "to", ["http://[broken/x", "http://127.0.0.1:99999/x", "mailto:a@b", "http://"]
)
def test_a_redirect_that_is_no_address_costs_the_partition(
    to: str, server: BitbucketServer
) -> None:
    """A Location that nobody can parse ends this list, not the run."""
    server.faults.add(Fault("refs/branches", action="redirect", to=to, times=None))
    with pytest.raises(SkipPartition, match="refs/branches"):
        rows(session_of(server))
    assert len(server.requests) <= 6


def test_redirects_in_a_circle_end(server: BitbucketServer) -> None:
    """A circle of redirects is given up after a few."""
    server.faults.add(
        Fault("refs/branches", action="redirect", to=f"/2.0{BRANCHES.target}", times=None)
    )
    with pytest.raises(SkipPartition, match="redirects"):
        rows(session_of(server))
    assert len(server.requests) <= 6


@pytest.mark.parametrize("numbered", [True, False])
def test_a_next_link_to_another_host_gets_no_token(
    numbered: bool, server: BitbucketServer, elsewhere: Elsewhere, branches: list[str]
) -> None:
    """A list whose next link leads away goes on by number, or is not readable; never elsewhere."""

    def edit(page: dict[str, Any]) -> dict[str, Any]:
        if "next" in page:
            page["next"] = f"{elsewhere.url}/2.0/x?page=2"
        if not numbered:
            page.pop("page", None)
        return page

    server.faults.add(Fault("refs/branches", action="edit", edit=edit, times=None))
    request = BRANCHES.with_params({"pagelen": "10"})
    for number in range(20):
        server.world.add_branch(REPOSITORY, f"more-{number:02}")
    if numbered:
        expected = sorted([*branches, *(f"more-{n:02}" for n in range(20))])
        assert names(rows(session_of(server), request)) == expected
    else:
        with pytest.raises(SkipPartition, match=r"another host|elsewhere"):
            rows(session_of(server), request)
    assert elsewhere.seen == []


def test_pages_that_link_in_a_circle_end(server: BitbucketServer) -> None:
    """A next link to a page that was read is no endless loop and no complete list."""

    def edit(page: dict[str, Any]) -> dict[str, Any]:
        return {**page, "next": f"{server.api_url}{BRANCHES.path}?page=1"}

    server.faults.add(Fault("refs/branches", action="edit", edit=edit, times=None))
    with pytest.raises(SkipPartition, match="circle"):
        rows(session_of(server))
    assert len(server.requests) <= 3


def test_cookies_are_not_sent_back(server: BitbucketServer) -> None:
    """A session cookie would tie requests of several threads together: none is kept."""
    server.faults.add(
        Fault(
            "refs/branches",
            status=200,
            body=b'{"values": []}',
            headers={"Set-Cookie": "sid=1; Path=/"},
        )
    )
    session = session_of(server)
    rows(session)
    rows(session)
    assert all("cookie" not in one.headers for one in server.requests)


# -- the environment ----------------------------------------------------------------------------


def test_netrc_is_ignored(
    server: BitbucketServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, branches: list[str]
) -> None:
    """A .netrc entry for the API's host does not replace the credential."""
    (tmp_path / "netrc").write_text(
        "machine 127.0.0.1 login other password wrong\n", encoding="utf-8"
    )
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert names(rows(session_of(server))) == branches


def test_a_proxy_that_does_not_answer_is_named_without_its_password(
    server: BitbucketServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says that it is the proxy, and never what the proxy's address holds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://me:proxy-password@127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(Unavailable, match="proxy") as caught:
        rows(session_of(server, api_url="https://bitbucket.example/2.0", max_retries=1))
    assert "proxy-password" not in caplog.text + str(caught.value)


# A certificate for 127.0.0.1 that nobody signed but itself, and its key: for tests alone.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIBATAKBggqhkjOPQQDAjATMREwDwYDVQQDDAhzdGFuZC1p
bjAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowEzERMA8GA1UEAwwI
c3RhbmQtaW4wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASbUXfk90xNnFL2C4L4
JbuOaFWaLmPSnuCB7m/eSAQhg7/WlRBt/MM/vhe0vgcpyZWWi5X7Hg3D5JpNIGMz
Td6Jo14wXDAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIChDAdBgNVHQ4E
FgQUkYDAMXkmcrEocMOKbpZzvVr2YKEwGgYDVR0RBBMwEYcEfwAAAYIJbG9jYWxo
b3N0MAoGCCqGSM49BAMCA0kAMEYCIQC3uewMaAjwC/QD2PDtHHH+9wrRZjKSL4KV
4DJTLA0QIAIhAPf+g7eU+bxES7l1LzH9sQjVXUQLNgpTSSRr0OLcCOOm
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgm1OcU7hD6l3jFAvl
xGMEyLM6uFMo6NX4dNeixlzmlhmhRANCAASbUXfk90xNnFL2C4L4JbuOaFWaLmPS
nuCB7m/eSAQhg7/WlRBt/MM/vhe0vgcpyZWWi5X7Hg3D5JpNIGMzTd6J
-----END PRIVATE KEY-----
"""


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Elsewhere]:
    """Serve over TLS."""
    file = tmp_path / "certificate.pem"
    file.write_text(CERTIFICATE, encoding="utf-8")
    place = Elsewhere(file)
    yield place
    place.stop()


def test_a_certificate_that_nobody_trusts_ends_the_run(
    tls: Elsewhere, server: BitbucketServer
) -> None:
    """A forged or unknown certificate gets no token, is not retried, and the way out is named."""
    session = session_of(server, api_url=f"{tls.url}/2.0")
    with pytest.raises(Fatal, match="REQUESTS_CA_BUNDLE") as caught:
        rows(session)
    assert "127.0.0.1" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert tls.seen == []
    assert session.retries == 0


def test_a_certificate_that_the_environment_trusts_is_accepted(
    tls: Elsewhere, server: BitbucketServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """REQUESTS_CA_BUNDLE makes the certificate of a company's proxy good."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "certificate.pem"))
    assert names(rows(session_of(server, api_url=f"{tls.url}/2.0"))) == ["from elsewhere"]


# -- threads ------------------------------------------------------------------------------------


def test_threads_share_a_session(server: BitbucketServer, branches: list[str]) -> None:
    """Sixteen threads with faults in between all get whole answers, and every request counts."""
    server.latency = 0.005
    server.faults.add(Fault("refs/branches", times=10, after=20))
    server.faults.add(Fault("refs/branches", action="reset", times=10, after=60))
    session = session_of(server, max_retries=10)
    found: list[list[str]] = []

    def read() -> None:
        for _ in range(10):
            found.append(names(rows(session)))  # noqa: PERF401 - one at a time

    threads = [threading.Thread(target=read) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [branches] * 160
    assert session.retries == 20
    assert session.identities.limits.sent == len(server.requests) == 180


def test_an_answer_tells_when_it_was_given(
    server: BitbucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages carry Bitbucket's own time, not this machine's, which may be wrong."""
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: 5.0))
    (page,) = pages(session_of(server), Listing(BRANCHES))
    assert abs(page.as_of - time.time()) < 10
