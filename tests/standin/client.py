"""A small HTTP client of the tests' own."""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote, urlencode

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer

ANCHOR = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
W = f"/workspaces/{EXAMPLE_WORKSPACE}"
REPOS = f"/repositories/{EXAMPLE_WORKSPACE}"
CONTROL = f"{REPOS}/telescope-control"


@dataclass
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def values(self) -> list[Any]:
        """The rows of a page."""
        rows: list[Any] = self.json["values"]
        return rows

    @property
    def message(self) -> str:
        """The error's message."""
        text: str = self.json["error"]["message"]
        return text


class Client:
    """Asks the server; follows nothing by itself."""

    def __init__(self, server: BitbucketServer, authorization: str | None) -> None:
        self.server = server
        self.authorization = authorization

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        form: list[tuple[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request; `path` is below /2.0, or a whole URL."""
        target = path.removeprefix(self.server.url)
        if not target.startswith(("/2.0", "/site/", "/rest/", "/elsewhere")):
            target = "/2.0" + target
        if params:
            sign = "&" if "?" in target else "?"
            target += sign + urlencode(params, doseq=True, quote_via=quote)
        sent = dict(headers or {})
        if self.authorization and "Authorization" not in sent:
            sent["Authorization"] = self.authorization
        body = None
        if form is not None:
            body = urlencode(form)
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request(method, target, body, sent)
            with connection.getresponse() as response:
                return Answer(
                    response.status,
                    {name.lower(): value for name, value in response.getheaders()},
                    response.read(),
                )
        finally:
            connection.close()

    def get(self, path: str, /, **params: Any) -> Answer:
        """GET."""
        return self.ask("GET", path, params={k: v for k, v in params.items() if v is not None})

    def all(self, path: str, /, **params: Any) -> list[Any]:
        """Follow `next` to the end."""
        answer = self.get(path, **params)
        rows = list(answer.values)
        while "next" in answer.json:
            answer = self.get(answer.json["next"])
            assert answer.status == 200, answer.body
            rows += answer.values
        return rows


def basic(name: str, secret: str) -> str:
    """Make a Basic header."""
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()
