"""What axe finds on every view in a real Chromium, in both themes and on a phone."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.screen import TEMPERATURE, VIBRATION, drag, open_chart, serious, tell

pytestmark = pytest.mark.browser

OTHERS = f"{16:016x},00000000000000c3"
LISTS = (
    "#/",
    "#/series?kind=gauge",
    "#/ledger",
    "#/models",
    "#/alerts?which=all",
    f"#/quarantine?block={'a1' * 32}",
    "#/gateways/pump-house",
    "#/gateways/pump-house/devices/pump-1",
)
EMPTY = {
    "#/": "enrol-first",
    "#/alerts": "none-stands",
    "#/review": "state",
    "#/quarantine": "none-found",
    "#/nowhere": "not-found",
}
WINDOW = "?from=2013-08-15T00:00:00Z&to=2013-08-25T00:00:00Z"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("route", LISTS)
def test_axe_finds_no_serious_fault_in_a_list(
    page: Page, server: str, axe: str, route: str, theme: Any
) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(f"{server}{route}")
    page.locator("tbody tr").first.wait_for()
    assert serious(page, axe) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_an_empty_system(
    page: Page, server: str, axe: str, theme: Any
) -> None:
    tell(server, "mode", {"empty": True})
    page.emulate_media(color_scheme=theme)
    for route, seen in EMPTY.items():
        page.goto(f"{server}{route}")
        page.get_by_test_id(seen).wait_for()
        assert serious(page, axe) == [], route


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_a_chart_and_what_opens_from_it(
    page: Page, server: str, axe: str, theme: Any
) -> None:
    page.emulate_media(color_scheme=theme)
    open_chart(page, f"{server}{TEMPERATURE}{WINDOW}&side=episodes")
    assert serious(page, axe) == []
    page.get_by_test_id("episode-bar").first.click()
    page.get_by_test_id("verdict-form").wait_for()
    page.get_by_test_id("reading-table").locator("summary").click()
    page.get_by_test_id("export").locator("summary").click()
    page.get_by_test_id("export-panel").wait_for()
    assert serious(page, axe) == []
    page.get_by_test_id("brush-mark").click()
    drag(page, 0.4, 0.6)
    page.get_by_test_id("mark-author").fill("ann")
    assert serious(page, axe) == []
    page.get_by_test_id("mark-save").click()
    page.get_by_test_id("mark-item").wait_for()
    assert serious(page, axe) == []
    page.get_by_test_id("show-keys").click()
    assert serious(page, axe) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_stacked_charts(
    page: Page, server: str, axe: str, theme: Any
) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(f"{server}{VIBRATION}?last=6h&layout=stack&with={OTHERS}")
    expect(page.get_by_test_id("chart")).to_have_count(3)
    expect(page.get_by_test_id("chart").last).to_have_attribute("data-state", "ready")
    page.get_by_test_id("add-series").click()
    page.get_by_test_id("picker-found").get_by_role("button").first.wait_for()
    assert serious(page, axe) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_the_review(
    page: Page, server: str, axe: str, theme: Any
) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(f"{server}#/review")
    page.get_by_test_id("episode-item").first.click()
    expect(page.get_by_test_id("chart")).to_have_attribute("data-state", "ready")
    assert serious(page, axe) == []


def test_axe_finds_no_serious_fault_on_a_phone_where_nothing_scrolls_sideways(
    browser: Browser, server: str, axe: str
) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    open_chart(page, f"{server}{TEMPERATURE}{WINDOW}&side=marks")
    page.get_by_test_id("mark-window").click()
    page.get_by_test_id("export").locator("summary").click()
    page.get_by_test_id("export-panel").wait_for()
    assert serious(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.goto(f"{server}#/review")
    page.get_by_test_id("episode-item").first.click()
    expect(page.get_by_test_id("chart")).to_have_attribute("data-state", "ready")
    assert serious(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.goto(f"{server}{VIBRATION}?last=6h&layout=stack&with={OTHERS}")
    expect(page.get_by_test_id("chart")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for route in LISTS:
        page.goto(f"{server}{route}")
        page.locator("tbody tr").first.wait_for()
        assert serious(page, axe) == [], route
        assert page.evaluate("document.documentElement.scrollWidth") == 390, route
    context.close()
