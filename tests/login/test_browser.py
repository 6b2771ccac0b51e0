"""The sign-in in a real browser: from Bitbucket's consent page to ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.expected_conditions import title_is
from selenium.webdriver.support.wait import WebDriverWait

from tap_bitbucket.login import pages
from tests.browser import browser
from tests.login.conftest import CLIENT_ID, Person
from tests.login.support import free_port
from tests.support import refusal, run_tap, select


@pytest.fixture(scope="module")
def page() -> Iterator[WebDriver]:
    """A browser window."""
    with browser() as chromium:
        yield chromium


def press(page: WebDriver, name: str, title: str) -> None:
    """Press a button, and wait for the page it leads to."""
    page.find_element(By.ID, name).click()
    WebDriverWait(page, 30).until(title_is(title))


def test_login(page: WebDriver, person: Person, tmp_path: Path, catalog: dict[str, Any]) -> None:
    """A person grants access and lands on our page; the tokens are kept, and runs use them."""
    login = person.start("login", "--callback-url", person.callback)
    page.get(login.url())
    press(page, "grant", "You are signed in")
    shown = page.find_element(By.TAG_NAME, "body").text
    run = login.end()
    person.heard(page.page_source)
    assert run.code == 0, run.log
    assert "Maya Chen" in shown
    assert "You can close this window." in shown
    assert person.kept()["refresh_token"]
    chosen = select(catalog, "current_user")
    environment, given = person.environment(), ["--config=ENV"]
    read = run_tap(None, tmp_path, catalog=chosen, arguments=given, environment=environment)
    assert read.code == 0, read.log
    assert [row["display_name"] for row in read.rows("current_user")] == ["Maya Chen"]


def test_cancel(page: WebDriver, person: Person) -> None:
    """A person who cancels is told so, in the page and in the line; no token is asked for."""
    login = person.start("login", "--callback-url", person.callback)
    page.get(login.url())
    press(page, "cancel", "Access was not granted")
    said = refusal(login.end())
    assert said.startswith("Consent was denied at Bitbucket")
    assert "tap-bitbucket auth login" in said
    assert not person.oauth.access_tokens
    assert person.token_files() == []


def test_another_callback_is_registered(page: WebDriver, person: Person) -> None:
    """Bitbucket's own page says that the redirect URI is wrong; our line says what to do."""
    elsewhere = f"http://localhost:{free_port()}"
    login = person.start("login", "--callback-url", elsewhere, "--timeout", "4")
    page.get(login.url())
    assert page.title == "Wrong redirect_uri"
    said = refusal(login.end())
    assert said.startswith(f"Nobody came back to {elsewhere} within 4 s")
    assert "--callback-url" in said


PAGES = {
    "signed in": pages.signed_in(
        "Maya Chen (maya)", f"OAuth consumer {CLIENT_ID[:4]}… (1f2e3d)", ["a" * 50, *"bcd" * 9]
    ),
    "denied": pages.denied(),
    "wrong state": pages.wrong_state(),
    "no code": pages.no_code("<b>" + "wrong" * 12),
    "failed": pages.failed(f"`tap-bitbucket auth login` {'x' * 200} <script>"),
    "over": pages.over(),
    "elsewhere": pages.elsewhere(404),
}


@pytest.mark.parametrize("name", PAGES)
def test_pages_fit(page: WebDriver, tmp_path: Path, name: str) -> None:
    """Each page fits wide and narrow windows, is light or dark as wanted, and loads nothing."""
    file = tmp_path / "page.html"
    file.write_text(PAGES[name].html, encoding="utf-8")
    backs = set()
    try:
        for width in (1280, 400):
            size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
            page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            for scheme in ("light", "dark"):
                wanted = [{"name": "prefers-color-scheme", "value": scheme}]
                page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})
                page.get(file.as_uri())
                root = "document.documentElement"
                assert page.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth")
                back = "return getComputedStyle(document.body).backgroundColor"
                backs.add(page.execute_script(back))
                loaded = "return performance.getEntriesByType('resource').length"
                assert page.execute_script(loaded) == 0
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert len(backs) == 2
    assert page.find_elements(By.CSS_SELECTOR, "script, main b") == []
    assert len(page.find_elements(By.CSS_SELECTOR, "h1, .todo")) == 2
