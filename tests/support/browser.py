"""Drives the machine's Chromium through its own chromedriver, for the tests of the page and for its pictures.

1. Both are Debian's: a driver of the same package always fits its browser, and nothing is downloaded.
2. Each browser has a new, empty folder for its user data, and no network service of its own is on.
"""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

NEEDED = "chromium and chromedriver are not installed; on Debian: apt-get install chromium chromium-driver"
PHONE, DESKTOP = 390, 1440
_PROGRAMS = ("chromium", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)


def missing() -> str:
    """Return what the machine lacks to run a browser; empty where nothing is missing."""
    return "" if _program() and shutil.which("chromedriver") else NEEDED


def _program() -> str:
    return next((found for name in _PROGRAMS if (found := shutil.which(name))), "")


class Browser:
    """One headless Chromium with one page."""

    def __init__(self, profile: Path) -> None:
        options = ChromeOptions()
        options.binary_location = _program()
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))

    def open(
        self,
        address: str,
        *,
        width: int = DESKTOP,
        height: int = 900,
        dark: bool = False,
        zone: str = "",
        script: bool = True,
    ) -> None:
        """Load an address again in a window of this width."""
        self.command("Emulation.setScriptExecutionDisabled", value=not script)
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", media="", features=[scheme])
        if zone:
            self.command("Emulation.setTimezoneOverride", timezoneId=zone)
        self.driver.get("about:blank")
        self.requests()
        self.driver.get(address)

    def command(self, name: str, **parameters: object) -> dict[str, Any]:
        """Send a command of the DevTools protocol."""
        found: dict[str, Any] = self.driver.execute_cdp_cmd(name, parameters)
        return found

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script in the page and return its value."""
        return self.driver.execute_script(script, *arguments)

    def element(self, selector: str) -> WebElement:
        """Return the first element of a CSS selector."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def elements(self, selector: str) -> list[WebElement]:
        """Return the elements of a CSS selector."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """Return what a person reads in these elements."""
        return [element.text for element in self.elements(selector)]

    def press(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def focused(self) -> str:
        """Return the text or the id of the element that has the focus."""
        element = self.driver.switch_to.active_element
        return element.text or str(element.get_attribute("id"))

    def go(self, place: str) -> None:
        """Go to another view of the page, as a link does."""
        self.run("location.hash = arguments[0]", place)

    def console(self) -> list[str]:
        """Return what the console got since the last call: errors, and what a policy refused."""
        return [str(entry["message"]) for entry in self._log("browser")]

    def requests(self) -> list[str]:
        """Return every address asked for since the last call, the page's own among them."""
        logged = (json.loads(entry["message"])["message"] for entry in self._log("performance"))
        return [m["params"]["request"]["url"] for m in logged if m["method"] == "Network.requestWillBeSent"]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return found

    def picture(self, *, whole: bool = True) -> bytes:
        """Return the page as a PNG, all of its length or what the window shows."""
        found = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole))
        return base64.b64decode(found["data"])

    def _clip(self, whole: bool) -> dict[str, object]:
        if not whole:
            return {}
        size = self.command("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser, and end it with its folder."""
    profile = Path(tempfile.mkdtemp(prefix="otactl-browser-"))
    started = None
    try:
        started = Browser(profile)
        yield started
    finally:
        if started is not None:
            started.driver.quit()
        shutil.rmtree(profile, ignore_errors=True)


TAB, ENTER = Keys.TAB, Keys.ENTER
