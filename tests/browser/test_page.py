"""The page in a real browser: no error, no request, filters and search, by keyboard alone, and what axe says of it.

One browser and one page serve all tests of this module. axe takes seconds for each view, so it gets a small page.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from otactl.report.page.facts import Picture
from otactl.report.page.render import page
from tests.support.browser import DESKTOP, ENTER, PHONE, TAB, Browser
from tests.support.fleet_sample import failing, fleet
from tests.support.paths import ROOT

AXE = ROOT / "tests/support/axe_core/axe.min.js"
SAMPLE = failing(fleet(300))
STALLED = "#rollout:prod-eu/leak-sensor-1-3-0"
VIEWS = ("#overview", STALLED, "#devices", "#drift", "#device:prod-eu/70b3d57e00000003")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><script>document.title="run"</script></svg>'
    facts = msgspec.structs.replace(SAMPLE, pictures=(Picture(title="radio", svg=svg),))
    place = tmp_path_factory.mktemp("page") / "fleet.html"
    place.write_text(page(facts).html, encoding="utf-8")
    return place.as_uri()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a fleet that has everything once."""
    place = tmp_path_factory.mktemp("small") / "fleet.html"
    place.write_text(page(failing(fleet(28))).html, encoding="utf-8")
    return place.as_uri()


def serious(browser: Browser) -> list[str]:
    """What axe finds that keeps people from using the view, with its place."""
    if not browser.run("return typeof axe === 'object'"):
        browser.run(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = browser.driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run({exclude: ['.view[hidden]']}, {resultTypes: ['violations']}).then(done)"
    )
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical", "moderate")
        for node in each["nodes"][:3]
    ]


def test_it_loads_without_an_error_and_asks_no_one(browser: Browser, address: str) -> None:
    browser.open(address)
    for view in VIEWS:
        browser.go(view)

    assert browser.console() == []
    assert [a for a in browser.requests() if not a.startswith(("data:", address))] == []
    assert browser.driver.title != "run"


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("width", "dark"),
    [(PHONE, False), (DESKTOP, False), (PHONE, True), (DESKTOP, True)],
    ids=["phone-light", "desktop-light", "phone-dark", "desktop-dark"],
)
def test_axe_finds_nothing(browser: Browser, small: str, width: int, dark: bool) -> None:
    browser.open(small, width=width, dark=dark)

    for view in VIEWS:
        browser.go(view)
        browser.run("document.querySelectorAll('.view:not([hidden]) details').forEach((each) => { each.open = true; })")
        assert serious(browser) == [], view


def test_no_view_is_wider_than_a_phone(browser: Browser, address: str) -> None:
    browser.open(address, width=PHONE)

    for view in (*VIEWS, "#pictures"):
        browser.go(view)
        assert browser.run("return document.documentElement.scrollWidth - window.innerWidth") <= 0, view


def test_one_view_is_shown_and_named(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.go(STALLED)

    assert browser.texts(".view:not([hidden]) h1") == ["leak-sensor-1-3-0"]
    assert browser.driver.title == "leak-sensor-1-3-0 · Acme firmware"
    assert browser.focused() == "leak-sensor-1-3-0"


def test_search_and_filters_narrow_the_devices_and_say_how_many(browser: Browser, address: str) -> None:
    browser.open(f"{address}#devices")
    count = browser.element("#dcount")

    assert count.text == "300 devices"
    assert len(browser.elements("#device-rows tr")) == 50
    browser.element("#q").send_keys("70b3d57e00000003")
    assert count.text == "1 of 300 devices match"
    browser.element("#freset").click()
    browser.run(
        """for (const [id, value] of [["frollout", "prod-eu/smart-plug-2-4-1"], ["fverdict", "failed"]]) {
             document.getElementById(id).value = value;
             document.getElementById(id).dispatchEvent(new Event("input"));
           }"""
    )
    rows = browser.texts("#device-rows tr")
    assert rows
    assert all("failed" in row and "smart-plug-2-4-1" in row for row in rows)
    assert count.text == f"{len(rows)} of 300 devices match"
    assert "verdict=failed" in browser.driver.current_url


def test_a_filter_in_the_address_is_applied(browser: Browser, address: str) -> None:
    browser.open(f"{address}#devices?label=site%3Dlyon&verdict=succeeded&q=probe")

    rows = browser.texts("#device-rows tr")
    assert rows
    assert all("site=lyon" in row and "updated" in row and "soil-probe" in row for row in rows)


def test_more_devices_are_shown_on_request(browser: Browser, address: str) -> None:
    browser.open(f"{address}#devices")
    browser.element("#dmore").click()

    assert len(browser.elements("#device-rows tr")) == 100
    assert browser.element("#dmore").text == "Show 50 more of 200"


def test_a_device_shows_every_version_it_was_sent(browser: Browser, address: str) -> None:
    browser.open(f"{address}#devices?rollout=prod-eu%2Fmeter-5-0-2&wave=canary")
    browser.element("#device-rows a").click()

    rows = browser.texts("#device-body tbody tr")
    assert len(rows) == 2
    assert rows[0].startswith("5.0.2")
    assert rows[1].startswith("image 5e5e5e5e5e5e")
    assert "Runs 5.0.2: its service reports that it took it." in browser.element("#device-body").text


def test_a_device_that_reports_its_version_says_so(browser: Browser, address: str) -> None:
    browser.open(f"{address}#devices?rollout=prod-eu%2Fgateway-3-2-0&wave=canary&verdict=succeeded")
    browser.element("#device-rows a").click()

    assert "Runs 3.2.0: the device reports it." in browser.element("#device-body").text


def test_an_address_that_names_nothing_is_no_error(browser: Browser, address: str) -> None:
    browser.open(address)
    for place in ("#device:prod-eu/%E0%A4%A", "#device:", "#rollout:prod-eu/none", "#devices?rollout=none&x=%"):
        browser.go(place)

    assert browser.console() == []
    assert browser.element("#dcount").text == "300 devices"


def test_rollouts_are_found_by_phase_and_by_reason(browser: Browser, address: str) -> None:
    browser.open(f"{address}#overview?phase=Stalled")
    assert browser.element("#rcount").text == "1 of 7 rollouts match"

    browser.open(f"{address}#overview")
    browser.element("#rq").send_keys("window_is_closed")
    assert [t.split()[0] for t in browser.texts("#rollout-rows tr") if t] == ["leak-sensor-1-3-0"]


def test_everything_is_reached_by_keyboard(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.press(TAB)
    assert browser.focused() == "Skip to the content"
    browser.press(TAB)
    browser.press(TAB)
    assert browser.focused().startswith("Devices")
    browser.press(ENTER)
    assert browser.focused() == "Devices"
    browser.press("/")
    browser.run("return new Promise((done) => setTimeout(done))")
    browser.press("70b3d57e00000003")
    assert browser.element("#dcount").text == "1 of 300 devices match"
    for _ in range(7):
        browser.press(TAB)
    assert browser.focused() == "70b3d57e00000003"
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press(ENTER)
    assert browser.texts(".view:not([hidden]) h1") == ["70b3d57e00000003"]


def test_times_have_the_readers_zone_beside_utc(browser: Browser, address: str) -> None:
    browser.open(address, zone="Asia/Tokyo")

    assert "2026-11-20 21:40 UTC 21 Nov, 06:40" in browser.element(".built").text.replace("\xa0", " ")
    assert "Asia/Tokyo" in browser.element("footer").text


def test_without_script_everything_but_the_devices_is_there(browser: Browser, address: str) -> None:
    browser.open(address, script=False)

    assert len(browser.elements("#rollout-rows tr")) == 7
    assert "needs JavaScript" in browser.element("#devices").text
    assert browser.element('[id="rollout:prod-eu/leak-sensor-1-3-0"] h1').is_displayed()
    assert not browser.element("#device-filters").is_displayed()


def test_on_paper_the_navigation_is_left_out(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.command("Emulation.setEmulatedMedia", media="print", features=[])

    assert not browser.element("nav").is_displayed()
    assert browser.element("#rollout-rows").is_displayed()
