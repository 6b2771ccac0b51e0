"""A browser for tests of web pages: headless Chromium, which talks to this machine only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.remote.webdriver import WebDriver

_FLAGS = (
    "--headless=new",
    "--window-size=1280,800",
    # In a container tests run as root, with little shared memory.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    # Whatever a flag below forgets, no name but this machine's is found.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--disable-features=HttpsUpgrades,MediaRouter,OptimizationHints,Translate",
)


@contextmanager
def browser() -> Iterator[WebDriver]:
    """Start Chromium with a profile to throw away, 1280 by 800, and end it in any case."""
    program = _found("chromium", "google-chrome")
    # Both paths are told, so that Selenium has nothing to look for, and nothing to download.
    driver = _found("chromedriver")
    with TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as folder:
        options = ChromeOptions()
        options.binary_location = program
        for flag in (*_FLAGS, f"--user-data-dir={Path(folder, 'profile')}"):
            options.add_argument(flag)
        # What belongs to no profile, such as reports of crashes, is thrown away as well.
        own = {"XDG_CONFIG_HOME": folder, "XDG_CACHE_HOME": folder, "SE_OFFLINE": "true"}
        service = ChromeService(executable_path=driver, env={**os.environ, **own})
        chromium = Chrome(options=options, service=service)
        try:
            chromium.set_page_load_timeout(30)
            yield chromium
        finally:
            chromium.quit()


def _found(*names: str) -> str:
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    message = f"There is no {' or '.join(names)} here: `make browser` installs it."
    raise FileNotFoundError(message)
