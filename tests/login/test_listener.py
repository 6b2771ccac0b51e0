"""The server at the callback: what it listens to, and what it leaves behind."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing

import pytest

from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.login.callback import Callback, Listener
from tests.login.support import free_port, get


def test_nothing_is_left() -> None:
    """After closing there is no thread, nor a connection that a browser kept open for nothing."""
    before = threading.active_count()
    callback = Callback.of(f"http://localhost:{free_port()}/back")
    listener = Listener(callback)
    with socket.create_connection(("127.0.0.1", callback.port)) as idle:
        idle.settimeout(10)
        assert get(f"{callback.url}er").status == 404
        began = time.monotonic()
        listener.close()
        assert time.monotonic() - began < 5
        assert idle.recv(10) == b""
    assert threading.active_count() == before


def test_closing_answers_who_waits() -> None:
    """A browser that came back and was not answered is told that it is over; so is a second one."""
    callback = Callback.of(f"http://127.0.0.1:{free_port()}")
    listener = Listener(callback)
    titles: list[str] = []
    back = f"{callback.url}?code=1&state=2"
    waiting = threading.Thread(target=lambda: titles.append(get(back).title))
    waiting.start()
    assert listener.wait(10, lambda: None) is not None
    assert get(back).title == "This sign-in is over"
    listener.close()
    waiting.join()
    assert titles == ["This sign-in is over"]


def test_only_this_machine_is_listened_to() -> None:
    """No address but the loopback's has the port; without IPv6 one of them is enough."""
    port = free_port()
    with closing(Listener(Callback.of(f"http://127.0.0.1:{port}"))):
        with closing(socket.create_server(("127.0.0.2", port))):
            pass
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("::1", port))
    with closing(Listener(Callback.of(f"http://[::1]:{port}/"))):
        assert get(f"http://[::1]:{port}/no", address="::1").status == 404
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port))


def test_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without ::1 localhost is 127.0.0.1 alone."""
    names = {"localhost": ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "2001:db8::1"))}
    monkeypatch.setattr("tap_bitbucket.login.callback._ADDRESSES", names)
    callback = Callback.of(f"http://localhost:{free_port()}")
    with closing(Listener(callback)):
        assert get(f"{callback.url}/no").status == 404


def test_port_80() -> None:
    """Without a port a callback is at 80, which the Host header need not name."""
    callback = Callback.of("http://LOCALHOST")
    assert (callback.host, callback.port, callback.path) == ("localhost", 80, "/")
    assert callback.is_addressed(["localhost"])
    assert callback.is_addressed(["Localhost:80"])
    assert not callback.is_addressed(["localhost:81"])
    assert not callback.is_addressed(["localhost", "localhost"])
    assert not callback.is_addressed([])
    assert Callback.of("http://localhost:8080/back?a=b").path == "/back"
    with pytest.raises(AuthenticationError):
        Callback.of("ftp://localhost")


def test_who_only_looks_does_not_count() -> None:
    """A visit that brings no answer of Bitbucket's leaves the sign-in waiting."""
    callback = Callback.of(f"http://localhost:{free_port()}")
    listener = Listener(callback)
    for query in ("", "?", "?utm=1"):
        assert get(f"{callback.url}/{query}").status == 404
    assert listener.wait(0.1, lambda: None) is None
    listener.close()
