"""The server at the callback, asked by those who mean no good."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from tap_bitbucket.auth import AuthenticationError
from tap_bitbucket.auth.sign_in import code_in
from tap_bitbucket.login import pages
from tap_bitbucket.login.callback import Callback, Listener
from tests.login.conftest import Person
from tests.login.support import free_port, get, state_of
from tests.support import refusal

MARK = "<script>alert('tap')</script>"


@pytest.mark.parametrize(
    "query",
    [
        "code=c0de&state=other&state={state}",
        "code=c0de&state={state}&state=other",
        "code=c0de&state={state}&state={state}",
        "code=other&code=c0de&state={state}",
        "code=c0de",
        "code=c0de&state=",
        "code=c0de&State={state}",
        "code=c0de&state={state}%00",
        "code=c0de&state=%20{state}",
    ],
)
def test_state_and_code_are_given_once(query: str) -> None:
    """What is missing, differs or is given twice belongs to no sign-in (RFC 6749, section 3.1)."""
    with pytest.raises(AuthenticationError, match=r"state differs|sent no code") as caught:
        code_in(f"http://localhost:33333/?{query.format(state='st4te')}", "st4te")
    assert "c0de" not in str(caught.value)
    assert code_in("http://localhost:33333/?code=c0de&state=st4te", "st4te") == "c0de"


def test_a_state_that_is_given_twice(person: Person) -> None:
    """At the callback it ends the sign-in, and the code in it is not spent."""
    login = person.start("login", "--callback-url", person.callback)
    url = login.url()
    page = get(f"{person.consent(url)}&state={state_of(url)}")
    run = login.end()
    person.heard(page.text)
    assert page.status == 400
    assert "its state differs" in refusal(run)
    assert person.oauth.codes
    assert person.token_files() == []


def ask(port: int, request: bytes) -> bytes:
    """Send bytes and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request)
        came = b""
        with suppress(OSError):  # it may have been answered and ended before all was read
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65_536):
                came += part
        return came


def test_nothing_that_is_asked_comes_back() -> None:
    """No page and no header repeats a query, a path, a method or a header, however broken."""
    callback = Callback.of(f"http://localhost:{free_port()}")
    host = f"localhost:{callback.port}"
    lines = [
        ("GET", f"/{MARK}", host),
        ("GET", f"/{quote(MARK)}?{quote(MARK)}={quote(MARK)}", host),
        ("GET", f"/?{MARK}", host),
        ("GET", f"/?code={quote(MARK)}&state={quote(MARK)}", MARK),
        ("GET", "/", MARK),
        ("GET", f"//{MARK}", host),
        ("GET", f"http://{MARK}/", host),
        (MARK, "/", host),
        ("POST", f"/?code={MARK}", host),
        ("GET", f"/?x={MARK * 4000}", host),
    ]
    requests = [
        f"{method} {path} HTTP/1.1\r\nHost: {name}\r\nX-{MARK}: {MARK}\r\n\r\n".encode()
        for method, path, name in lines
    ]
    requests += [f"GET / HTTP/{MARK}\r\n\r\n".encode(), MARK.encode() + b"\r\n\r\n"]
    requests += [f"GET /?{quote(chr(13) + chr(10))}X: y HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()]
    with closing(Listener(callback)) as listener:
        for request in requests:
            came = ask(callback.port, request)
            assert b"alert" not in came
            assert b"%3Cscript" not in came
        # The answer itself: only the error's name is shown, as text.
        replies: list[bytes] = []
        back = (
            f"GET /?code={MARK}&state={MARK}&error={quote(MARK)} HTTP/1.1\r\nHost: {host}\r\n\r\n"
        )
        waiting = threading.Thread(
            target=lambda: replies.append(ask(callback.port, back.replace("(", "%28").encode()))
        )
        waiting.start()
        call = listener.wait(10, lambda: None)
        assert call is not None
        call.reply(pages.no_code(call.query["error"]))
        waiting.join(10)
    assert b"<script" not in replies[0]
    assert b"&lt;script&gt;" in replies[0]
    assert b"default-src 'none'" in replies[0]


def test_many_answers_at_once(person: Person) -> None:
    """Of the same answer from eight browsers at once, one is taken, and the code is sent once."""
    login = person.start("login", "--callback-url", person.callback)
    answer = person.consent(login.url())
    found: list[int] = []
    start = threading.Barrier(8)

    def come_back() -> None:
        start.wait()
        with suppress(OSError):  # the port may be free again
            found.append(get(answer).status)

    threads = [threading.Thread(target=come_back) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    run = login.end()
    assert run.code == 0, run.log
    assert found.count(200) == 1
    assert set(found) <= {200, 409}
    spent = [one for one in person.server.requests if one.path.endswith("/access_token")]
    assert len(spent) == 1
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", person.port))


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="there is no /proc")
def test_only_the_loopback_is_listened_to() -> None:
    """The kernel's own list has the port on 127.0.0.1 and ::1, and on no other address."""
    port = free_port()
    with closing(Listener(Callback.of(f"http://localhost:{port}"))):
        listening = set()
        for name in ("tcp", "tcp6"):
            with suppress(FileNotFoundError), Path("/proc/net", name).open() as table:
                rows = [line.split() for line in table][1:]
                listening |= {row[1] for row in rows if row[1].endswith(f":{port:04X}")}
    loopback = {f"0100007F:{port:04X}", f"{'0' * 24}01000000:{port:04X}"}
    assert listening
    assert listening <= loopback
