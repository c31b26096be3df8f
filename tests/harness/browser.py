"""A browser without a window, for what only a person would otherwise see: Debian's Chromium, driven by Selenium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from tests.harness.absent import do_without

REQUIRED = "MLWORKFLOWS_BROWSER_REQUIRED"
"""Environment variable that makes a missing browser a failure; the gate sets it."""
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--disable-lcd-text",
    "--lang=en-US",
    "--window-size=1280,1000",
)


class Binaries(NamedTuple):
    """Where the programs are."""

    browser: str
    driver: str


def find_binaries() -> Binaries | None:
    """Return where Chromium and its driver are; None if either is missing."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    return Binaries(browser, driver) if browser and driver else None


def required_binaries() -> Binaries:
    """Return what `find_binaries` finds; else skip the test, or fail it where a browser is required."""
    if (found := find_binaries()) is not None:
        return found
    reason = "no browser: chromium and chromedriver are not both on PATH (Debian: packages chromium, chromium-driver)"
    do_without(reason, REQUIRED)


@contextmanager
def browser(binaries: Binaries) -> Iterator[Chrome]:
    """A browser that knows nothing and nobody, ended and forgotten afterwards."""
    with TemporaryDirectory(prefix="browser-") as profile:
        options = ChromeOptions()
        options.binary_location = binaries.browser
        for flag in (*_FLAGS, f"--user-data-dir={Path(profile)}"):
            options.add_argument(flag)
        running = Chrome(options=options, service=Service(binaries.driver))
        try:
            yield running
        finally:
            running.quit()
