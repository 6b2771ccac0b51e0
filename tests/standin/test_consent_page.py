"""The consent page in a browser: its buttons lead to the callback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.expected_conditions import title_is
from selenium.webdriver.support.wait import WebDriverWait

from tap_bitbucket.demo import BitbucketServer, World
from tests.browser import browser
from tests.standin.client import Client, basic


class Callback:
    """The place a consumer has people sent to, and what it was called with."""

    def __init__(self) -> None:
        """Take a free port."""
        calls: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                calls.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b'<link rel="icon" href="data:,"><title>Landed</title>')

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Write nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server.server_address[1]}/back"
        self.calls = calls

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the one call."""
        (call,) = self.calls
        path, _, query = call.partition("?")
        assert path == "/back"
        return dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))


@pytest.fixture(scope="module")
def page() -> Iterator[WebDriver]:
    """A browser window."""
    with browser() as chromium:
        yield chromium


@pytest.fixture
def callback(world: World) -> Iterator[Callback]:
    """Serve the callback of a consumer `app`."""
    place = Callback()
    thread = threading.Thread(target=place.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    world.identities.add_oauth_consumer("app", "secret", callback=place.url)
    yield place
    place.server.shutdown()
    place.server.server_close()
    thread.join()


def address(server: BitbucketServer, **asked: str) -> str:
    """Make the address of the consent page."""
    query = {"client_id": "app", "response_type": "code"} | asked
    return f"{server.oauth_authorize_url}?{urlencode(query)}"


def click(page: WebDriver, name: str) -> None:
    """Press a button, and wait for the page it leads to."""
    page.find_element(By.ID, name).click()
    WebDriverWait(page, 20).until(title_is("Landed"))


def test_grant(page: WebDriver, server: BitbucketServer, callback: Callback) -> None:
    """The button "Grant access" leads to the callback with a code that works, and the state."""
    state = "s <1> & \"2\" 'ü'"
    page.get(address(server, state=state, redirect_uri=callback.url))
    assert page.find_element(By.TAG_NAME, "h1").text == "Give app access?"
    click(page, "grant")
    back = callback.parameters
    assert back == {"code": back["code"], "state": state}
    form = {"grant_type": "authorization_code", "code": back["code"], "redirect_uri": callback.url}
    client = Client(server, basic("app", "secret"))
    answer = client.ask("POST", server.oauth_token_url, form=list(form.items()))
    assert answer.status == 200


def test_cancel(page: WebDriver, server: BitbucketServer, callback: Callback) -> None:
    """The button "Cancel" leads to the callback with `access_denied` and the state."""
    page.get(address(server, state="s1"))
    click(page, "cancel")
    back = callback.parameters
    assert back.pop("error_description")
    assert back == {"error": "access_denied", "state": "s1"}


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("callback_asked", [None, f"http://localhost/{'long' * 40}"])
def test_width(
    page: WebDriver, server: BitbucketServer, callback: Callback, width: int,
    callback_asked: str | None,
) -> None:  # fmt: skip
    """Consent page and error page fit a wide and a narrow window; nothing runs off the side."""
    asked = {} if callback_asked is None else {"redirect_uri": callback_asked}
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.get(address(server, **asked))
        title = page.find_element(By.TAG_NAME, "h1").text
        assert title == ("Wrong redirect_uri" if asked else "Give app access?")
        root = "document.documentElement"
        assert page.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth")
        assert page.execute_script("return getComputedStyle(document.body).display") == "flex"
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert callback.calls == []
    # The page brings all it needs: the browser asked for nothing else.
    assert {one.path for one in server.requests} == {"/site/oauth2/authorize"}
