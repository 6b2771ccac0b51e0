"""The stand-in as a server: start, stop, switches and the request log."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tap_bitbucket.demo.application import Application
from tap_bitbucket.demo.connection import Connection
from tap_bitbucket.demo.faults import Faults
from tap_bitbucket.demo.rate_limit import RateLimit
from tap_bitbucket.demo.served import ServedRequest
from tap_bitbucket.demo.settings import Settings
from tap_bitbucket.demo.shapes import Shapes
from tap_bitbucket.demo.world import World

_SWITCHES = frozenset(Settings.__dataclass_fields__)


class _Sockets(ThreadingHTTPServer):
    """Threads per connection; remembers the open ones, to close them at the end."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, handler: type[Connection]) -> None:
        self.open: set[socket.socket] = set()
        self.guard = threading.Lock()
        super().__init__(("127.0.0.1", port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.guard:
            self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self.guard:
            self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that go away."""

    def close_all(self) -> None:
        with self.guard:
            left = list(self.open)
        for one in left:
            with contextlib.suppress(OSError):  # The client may have gone already.
                one.shutdown(socket.SHUT_RDWR)


class BitbucketServer:
    """A Bitbucket Cloud on 127.0.0.1; use it as a context manager.

    The switches of `Settings` are attributes of the server as well, and may be changed while it
    runs.
    """

    latency: float
    strict_slash: bool
    unknown_fields: str
    empty_repository: str
    activity_depth: int | None
    feed_deleted: str
    feed_comments: str
    count_deleted: bool
    large: int
    next_defect: dict[str, str]
    token_permissions: str
    free_plan: bool
    show_secrets: bool
    deploy_key_date: str
    changes_requested_key: str
    test_form: str
    source_depth_limit: int | None

    def __init__(
        self,
        world: World,
        latency: float = 0.0,
        oauth_state: str | os.PathLike[str] | None = None,
        port: int = 0,
        *,
        story: bool = False,
    ) -> None:
        """Serve `world`; with `story` it moves on by the wall clock.

        `oauth_state` names a file that keeps the OAuth tokens for a later process.
        """
        self.settings = Settings(latency=latency)
        self.world = world
        self.story = story
        self.faults = Faults()
        self.application = Application(world, self.settings)
        self.requests: list[ServedRequest] = []
        self._port = port
        self._sockets: _Sockets | None = None
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        if oauth_state is not None:
            world.oauth.load(oauth_state)

    def __getattr__(self, name: str) -> Any:
        """Read a switch."""
        if name in _SWITCHES:
            return getattr(self.settings, name)
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Turn a switch, or set an ordinary attribute."""
        if name in _SWITCHES:
            setattr(self.settings, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def rate_limit(self) -> RateLimit | None:
        """The request limit; None is none."""
        return self.application.rate_limit

    @rate_limit.setter
    def rate_limit(self, limit: RateLimit | None) -> None:
        self.application.rate_limit = limit

    # -- running ---------------------------------------------------------------------------

    def start(self) -> BitbucketServer:
        """Begin to serve, in a thread."""
        self._stopping.clear()
        self._open()
        self.world.shapes = Shapes(self.api_url)
        self.world.shapes.settings = self.settings
        return self

    def stop(self) -> None:
        """Stop serving and close all connections."""
        self._stopping.set()
        self._close()

    def refuse_connections(self, seconds: float) -> None:
        """Close all connections, and take none for a while."""
        self._close()
        again = threading.Timer(seconds, self._open)
        again.daemon = True
        again.start()

    def _open(self) -> None:
        with self._guard:
            if self._sockets is not None or self._stopping.is_set():
                return
            handler = type("Connection", (Connection,), {"bitbucket": self})
            self._sockets = _Sockets(self._port, handler)
            self._port = self._sockets.server_address[1]
            self._thread = threading.Thread(
                target=self._sockets.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
            )
            self._thread.start()

    def _close(self) -> None:
        with self._guard:
            if self._sockets is None or self._thread is None:
                return
            self._sockets.shutdown()
            self._sockets.server_close()
            self._sockets.close_all()
            self._thread.join()
            self._sockets = self._thread = None

    def __enter__(self) -> BitbucketServer:  # noqa: PYI034  (Self is not in 3.10)
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def ending(self) -> bool:
        """Whether the server is being stopped."""
        return self._stopping.is_set()

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond the end of the server."""
        self._stopping.wait(seconds)

    # -- addresses -------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port that is served."""
        return self._port

    @property
    def url(self) -> str:
        """The server's root."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def api_url(self) -> str:
        """The API's root."""
        return f"{self.url}/2.0"

    @property
    def oauth_token_url(self) -> str:
        """The OAuth token endpoint."""
        return f"{self.url}/site/oauth2/access_token"

    @property
    def oauth_authorize_url(self) -> str:
        """The OAuth consent page."""
        return f"{self.url}/site/oauth2/authorize"

    # -- the log ---------------------------------------------------------------------------

    def record(self, request: ServedRequest) -> None:
        """Remember a request."""
        self.requests.append(request)

    def clear_requests(self) -> None:
        """Forget all requests so far."""
        self.requests.clear()

    @property
    def tokens_seen_elsewhere(self) -> list[ServedRequest]:
        """Requests that carried credentials to a place outside the API and the OAuth server."""
        own = ("/2.0/", "/site/oauth2/")
        return [
            one
            for one in self.requests
            if "authorization" in one.headers and not one.path.startswith(own)
        ]
