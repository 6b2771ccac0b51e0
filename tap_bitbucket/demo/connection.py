"""One client's connection: reads requests, writes answers, and breaks off when told to."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import socket
import struct
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from tap_bitbucket.demo.application import Incoming, Outgoing
from tap_bitbucket.demo.faults import Fault
from tap_bitbucket.demo.served import ServedRequest

if TYPE_CHECKING:
    from tap_bitbucket.demo.server import BitbucketServer

_NO_BODY = {204, 304}


class Connection(BaseHTTPRequestHandler):
    """Speaks HTTP/1.1 with keep-alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    bitbucket: BitbucketServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write nothing: the request log is a list, see `BitbucketServer.requests`."""

    def version_string(self) -> str:
        """Name the server."""
        return "stand-in"

    def do_GET(self) -> None:
        """Serve any method the same way."""
        self._serve()

    do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = do_GET  # noqa: N815

    def _serve(self) -> None:
        server = self.bitbucket
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        incoming = Incoming(self.command, self.path, headers, self.rfile.read(length))
        fault = server.faults.take(f"{self.command} {self.path}")
        began = time.monotonic()
        if incoming.path.startswith("/2.0/") and server.latency:
            time.sleep(server.latency)
        if server.story:
            server.world.move_on()
        if fault is not None and fault.callback is not None:
            fault.callback()
        if fault is not None and fault.action == "hang":
            server.wait(fault.seconds)
        if fault is not None and fault.action == "refuse":
            server.refuse_connections(fault.seconds)
        outgoing = self._outgoing(incoming, fault)
        server.record(_served(incoming, outgoing, began))
        self._send(incoming, outgoing, fault)

    def _outgoing(self, incoming: Incoming, fault: Fault | None) -> Outgoing:
        if fault is not None and fault.action == "respond":
            body = fault.body.encode() if isinstance(fault.body, str) else fault.body
            kind = {"Content-Type": "text/html; charset=utf-8"}
            return Outgoing(fault.status, body, kind | fault.headers)
        if fault is not None and fault.action == "redirect":
            status = fault.status if 300 <= fault.status < 400 else 302
            return Outgoing(status, b"", {"Location": fault.to} | fault.headers)
        if fault is not None and fault.action in ("reset", "refuse"):
            return Outgoing(0)
        host = incoming.headers.get("host")
        origin = f"http://{host}" if host else self.bitbucket.url
        outgoing = self.bitbucket.application.handle(incoming, origin)
        if fault is not None and fault.edit is not None and outgoing.body:
            outgoing.body = json.dumps(fault.edit(json.loads(outgoing.body))).encode()
            outgoing.headers |= fault.headers
        return outgoing

    def _send(self, incoming: Incoming, outgoing: Outgoing, fault: Fault | None) -> None:
        action = fault.action if fault is not None else ""
        if action in ("reset", "reset_after_handling", "refuse"):
            self._reset()
            return
        if fault is not None and action in ("drip", "flood"):
            self._answer_without_end(outgoing, fault)
            return
        body, headers = outgoing.body, outgoing.headers
        if "gzip" in incoming.headers.get("accept-encoding", "") and len(body) > 256:
            body = gzip.compress(body, 1)
            headers = headers | {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        self.send_response(outgoing.status)
        for name, value in headers.items():
            self.send_header(name, value)
        told = len(body) + _miscounted(fault)
        if outgoing.status not in _NO_BODY:
            self.send_header("Content-Length", str(told))
        if action == "truncate":
            self.send_header("Connection", "close")
        # One write for head and body, so that a page is not two packets.
        head = b"".join(self._headers_buffer) + b"\r\n"
        self._headers_buffer: list[bytes] = []
        if action == "reset_after_headers":
            self.wfile.write(head)
            self._reset()
            return
        if action == "truncate":
            body = body[: len(body) // 2]
            self.close_connection = True
        if incoming.method == "HEAD" or outgoing.status in _NO_BODY:
            body = b""
        self.wfile.write(head + body)

    def _answer_without_end(self, outgoing: Outgoing, fault: Fault) -> None:
        """Send blanks until the client goes away or the server ends."""
        self.close_connection = True
        self.send_response(outgoing.status)
        for name, value in outgoing.headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        blanks = b" " * (1 if fault.action == "drip" else 65536)
        with contextlib.suppress(OSError):  # The client has had enough.
            while not self.bitbucket.ending:
                self.wfile.write(blanks)
                if fault.action == "drip":
                    self.bitbucket.wait(fault.seconds)

    def _reset(self) -> None:
        """Close with RST instead of FIN."""
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)
        with contextlib.suppress(OSError):  # The server may have closed it already.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()


def _miscounted(fault: Fault | None) -> int:
    """Return by how much the Content-Length is wrong."""
    if fault is None or fault.action not in ("truncate", "miscount"):
        return 0
    return fault.more if fault.action == "miscount" else 1000


def _served(incoming: Incoming, outgoing: Outgoing, began: float) -> ServedRequest:
    headers = dict(incoming.headers)
    secret = headers.get("authorization")
    if secret is not None:
        scheme, _, value = secret.partition(" ")
        digest = hashlib.sha256(value.encode()).hexdigest()[:12]
        headers["authorization"] = f"{scheme} sha256:{digest}"
    form = incoming.body.decode("utf-8", "replace") if incoming.method == "POST" else ""
    return ServedRequest(
        method=incoming.method,
        path=incoming.path,
        query=parse_qs(incoming.target.partition("?")[2], keep_blank_values=True),
        url=incoming.target,
        status=outgoing.status,
        identity=outgoing.identity.key,
        scope=list(outgoing.identity.scopes),
        at=began,
        headers=headers,
        body=form,
    )
