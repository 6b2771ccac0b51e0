"""Where the browser comes back to: a server on this machine that waits for one request."""

from __future__ import annotations

import errno
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import urlsplit

from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.sign_in import query_of
from tap_bitbucket.login import pages
from tap_bitbucket.login.pages import Page

_ADDRESSES = {
    # Browsers take either for localhost.
    "localhost": ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")),
    "127.0.0.1": ((socket.AF_INET, "127.0.0.1"),),
    "::1": ((socket.AF_INET6, "::1"),),
}
_WAYS_OUT = "give another --callback-url that is registered with the consumer, or use --no-browser"
_POLL = 0.1
"""Seconds after which a waiting main thread looks up, which lets Ctrl-C through on Windows."""
_PATIENCE = 10.0
"""Seconds for a browser to send its request, or to take the page."""


@dataclass(frozen=True)
class Callback:
    """A callback on this machine.

    Attributes:
        url: As the consumer has it.
        host: Its host: a name of this machine.
        port: Its port.
        path: Its path, "/" if it has none.
    """

    url: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> Callback:
        """Read an address.

        Raises:
            AuthenticationError: It cannot be listened to here.
        """
        try:
            parts = urlsplit(url)
            port = 80 if parts.port is None else parts.port
        except ValueError:
            raise _not_here(url) from None
        host = parts.hostname or ""
        plain = all("!" <= char <= "~" for char in url)
        odd = parts.username is not None or parts.fragment or not port or not plain
        if parts.scheme != "http" or host not in _ADDRESSES or odd:
            raise _not_here(url)
        return cls(url, host, port, parts.path or "/")

    def is_addressed(self, hosts: list[str]) -> bool:
        """Tell whether the Host headers of a request name this callback.

        A page of another origin can have its own name point here (DNS rebinding).
        """
        name = f"[{self.host}]" if ":" in self.host else self.host
        meant = {f"{name}:{self.port}"} | ({name} if self.port == 80 else set())  # noqa: PLR2004
        return len(hosts) == 1 and hosts[0].strip().lower() in meant


class Call:
    """The request that came back: what it brought, and the page it gets."""

    def __init__(self, query: Mapping[str, str]) -> None:
        """Hold what the address of the request says."""
        self.query = query
        self.page: Future[Page] = Future()
        self.sent = threading.Event()

    def reply(self, page: Page) -> None:
        """Send the page, and wait until the browser was sent all of it."""
        if not self.page.done():
            self.page.set_result(page)
            self.sent.wait(_PATIENCE)


class Listener:
    """Listens at a callback until it is closed."""

    def __init__(self, callback: Callback) -> None:
        """Take the port.

        Raises:
            AuthenticationError: It is in use, or not to be had.
        """
        self.callback = callback
        self._calls: queue.Queue[Call] = queue.Queue()
        self._first: Call | None = None
        self._over = False
        self._guard = threading.Lock()
        self._servers: list[_Server] = []
        try:
            for family, address in _ADDRESSES[callback.host]:
                self._bind(family, address)
        except OSError as error:
            self._close_servers()
            raise _no_port(callback, error) from None
        self._threads = [
            threading.Thread(target=server.serve_forever, args=[_POLL / 2], name="callback")
            for server in self._servers
        ]
        for thread in self._threads:
            thread.start()

    def _bind(self, family: int, address: str) -> None:
        try:
            self._servers.append(_Server(family, address, self))
        except OSError as error:
            absent = error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
            if not absent or not self._servers:
                raise

    def close(self) -> None:
        """Leave the port, no thread and no connection behind; whoever still waits gets a page."""
        with self._guard:
            self._over = True
        for server in self._servers:
            server.shutdown()
        if self._first is not None:
            self._first.reply(pages.over())
        self._close_servers()
        for thread in self._threads:
            thread.join()

    def wait(self, timeout: float, meanwhile: Callable[[], None]) -> Call | None:
        """Return the request that came back; None if none did.

        Args:
            timeout: Seconds to wait.
            meanwhile: Called ten times a second.
        """
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            with suppress(queue.Empty):
                return self._calls.get(timeout=min(_POLL, left))
            meanwhile()
        return None

    def take(self, call: Call) -> bool:
        """Take the first request; the others are not asked."""
        with self._guard:
            if self._over or self._first is not None:
                return False
            self._first = call
        self._calls.put(call)
        return True

    def _close_servers(self) -> None:
        for server in self._servers:
            server.end_connections()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE
    server: _Server

    def do_GET(self) -> None:
        """Answer a browser."""
        listener = self.server.listener
        if not listener.callback.is_addressed(self.headers.get_all("Host", [])):
            self._send(pages.elsewhere(400))
            return
        path, _, query = self.path.partition("?")
        brought = query_of(query)
        # Who brings nothing is a person who looks, or a browser that fetches ahead.
        if path != listener.callback.path or not brought.keys() & {"code", "error", "state"}:
            self._send(pages.elsewhere(404))
            return
        call = Call(brought)
        if not listener.take(call):
            self._send(pages.over())
            return
        try:
            self._send(call.page.result())
        finally:
            call.sent.set()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is not understood, which here includes all methods but GET."""
        del message, explain  # they quote the request
        status = 405 if code == 501 else code  # noqa: PLR2004 - "unsupported method" to the library
        self._send(pages.elsewhere(status))

    def _send(self, page: Page) -> None:
        content = page.html.encode()
        self.send_response(page.status)
        if page.status == 405:  # noqa: PLR2004 - the status by its number, as everywhere
            self.send_header("Allow", "GET")
        for name, value in pages.HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def version_string(self) -> str:
        """Return what serves."""
        return "tap-bitbucket"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Write nothing: the request holds the code."""


class _Server(ThreadingTCPServer):
    # On Windows this option would let two programs have the same port.
    allow_reuse_address = os.name != "nt"

    def __init__(self, family: int, address: str, listener: Listener) -> None:
        self.address_family = family
        self.listener = listener
        self._open: set[socket.socket] = set()
        super().__init__((address, listener.callback.port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of browsers that go away."""

    def end_connections(self) -> None:
        """End what browsers keep open without asking for anything; their threads end then."""
        for connection in list(self._open):
            with suppress(OSError):  # it ended meanwhile
                connection.shutdown(socket.SHUT_RDWR)


def _not_here(url: str) -> AuthenticationError:
    shown = "".join(char for char in url if char.isprintable())[:200]
    return AuthenticationError(
        f"The callback {shown} cannot be listened to here, only http://localhost:PORT or"
        " http://127.0.0.1:PORT can, with or without a path: sign in with --no-browser, or with"
        " `tap-bitbucket auth url` and `tap-bitbucket auth exchange`"
    )


def _no_port(callback: Callback, error: OSError) -> AuthenticationError:
    if error.errno == errno.EADDRINUSE:
        return AuthenticationError(
            f"Port {callback.port} is in use by another program, so nobody could come back to"
            f" {callback.url}: end that program, {_WAYS_OUT}"
        )
    return AuthenticationError(
        f"Nobody could come back to {callback.url}, because port {callback.port} cannot be listened"
        f" to ({error.strerror or error}): {_WAYS_OUT}"
    )
