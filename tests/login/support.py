"""How tests of the sign-in ask and wait."""

from __future__ import annotations

import http.client
import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit


def free_port() -> int:
    """Return a port that nobody listens to."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def title(self) -> str:
        """The title of the page."""
        found = re.search("<title>(.*?)</title>", self.text)
        return found[1] if found else ""


def get(
    url: str, *, host: str | None = None, address: str = "127.0.0.1", method: str = "GET"
) -> Answer:
    """Ask once, following nothing.

    Args:
        url: What to ask for.
        host: The Host header, if it is to be another than the address's.
        address: The address to connect to.
        method: The HTTP method.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(address, parts.port, timeout=20)
    try:
        target = f"{parts.path or '/'}?{parts.query}"
        connection.request(method, target, headers={"Host": host or parts.netloc})
        with connection.getresponse() as response:
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read().decode())
    finally:
        connection.close()


def until(happened: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something has happened."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def state_of(url: str) -> str:
    """Return the state in the address of a consent page."""
    return parse_qs(urlsplit(url).query)["state"][0]


def back_to(callback: str, fields: Mapping[str, str]) -> str:
    """Return an address at the callback."""
    return f"{callback}/?{urlencode(fields)}"
