"""Servers on this machine that are not Bitbucket: a recorder, a proxy, and TLS before a server."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

_PATIENCE = 10.0
_MOST = 65_536


class Place(ABC):
    """Listens on 127.0.0.1, with a thread for each connection.

    Attributes:
        heard: What each connection sent, before anything was answered.
    """

    scheme = "http"

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        """The port."""
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """The address, without a path."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def all_heard(self) -> bytes:
        """All that anybody sent."""
        return b"\n".join(self.heard)

    def __enter__(self) -> Place:  # noqa: PYI034  (Self is not in 3.10)
        """Return it; it listens already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.settimeout(_PATIENCE)
            thread = threading.Thread(target=self._serve_quietly, args=[connection], daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve_quietly(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self.serve(connection)

    @abstractmethod
    def serve(self, connection: socket.socket) -> None:
        """Have a connection."""


class Recorder(Place):
    """Answers everybody with an empty page, and remembers all that it was sent."""

    answer = b'{"values": [], "access_token": "from-elsewhere"}'

    def serve(self, connection: socket.socket) -> None:
        """Remember a request, and answer it."""
        self.heard.append(b"")
        sent = b""
        while b"\r\n\r\n" not in sent and (part := connection.recv(_MOST)):
            sent += part
            self.heard[-1] = sent
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.answer)}\r\nConnection: close"
        connection.sendall(f"{head}\r\n\r\n".encode() + self.answer)


class Tunnel(Recorder):
    """A proxy that connects whoever asks for it, and remembers what it can read of that."""

    def serve(self, connection: socket.socket) -> None:
        """Read the request for a connection, and be one."""
        sent = connection.recv(_MOST)
        number = len(self.heard)
        self.heard.append(sent)
        if not sent.startswith(b"CONNECT "):
            connection.sendall(b"HTTP/1.1 405 Only CONNECT\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = sent.split()[1].decode().partition(":")
        with socket.create_connection((host, int(port)), _PATIENCE) as server:
            connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            for part in pump(connection, server):
                self.heard[number] += part


class TLS(Place):
    """TLS before a server that speaks plain HTTP.

    Attributes:
        began: The first bytes of each connection, as they came.
        drops: The numbers of connections, from 0, that are ended before there is TLS.
    """

    scheme = "https"

    def __init__(self, certificate: Path, port: int) -> None:
        self.began: list[bytes] = []
        self.drops: set[int] = set()
        self._behind = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        """Decrypt, and pass on."""
        self.began.append(connection.recv(5, socket.MSG_PEEK))
        if len(self.began) - 1 in self.drops:
            connection.recv(_MOST)
            return
        with (
            self._context.wrap_socket(connection, server_side=True) as open_,
            socket.create_connection(("127.0.0.1", self._behind), _PATIENCE) as server,
        ):
            self.heard.append(b"")
            number = len(self.heard) - 1
            for part in pump(open_, server):
                self.heard[number] += part


class Answers(Place):
    """Says the same few bytes to whoever says something."""

    scheme = "https"

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        """Say it."""
        self.heard.append(connection.recv(_MOST))
        connection.sendall(self._answer)


def pump(here: socket.socket, there: socket.socket) -> Iterator[bytes]:
    """Pass on both ways until one ends; yield what came from here."""
    with selectors.DefaultSelector() as ready:
        ready.register(here, selectors.EVENT_READ)
        ready.register(there, selectors.EVENT_READ)
        while True:
            # What TLS has decrypted already makes no socket ready.
            pending = isinstance(here, ssl.SSLSocket) and here.pending()
            for one in [here] if pending else [key.fileobj for key, _ in ready.select(_PATIENCE)]:
                assert isinstance(one, socket.socket)
                part = one.recv(_MOST)
                if not part:
                    return
                (there if one is here else here).sendall(part)
                if one is here:
                    yield part
