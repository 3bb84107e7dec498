"""The page's views in a real Chromium, against a stand-in server with known data."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.screen import (
    TEMPERATURE,
    facts,
    open_chart,
    settled,
    tell,
)

pytestmark = pytest.mark.browser


def test_an_empty_system_shows_the_way_to_its_first_gateway(page: Page, server: str) -> None:
    tell(server, "mode", {"empty": True})
    page.goto(server)
    steps = page.get_by_test_id("enrol-first")
    for command in ("tidegate-cloud token create", "tidegate-edge enroll", "tidegate-edge run"):
        expect(steps.locator("code", has_text=command).first).to_be_visible()


def test_silent_gateways_come_first(page: Page, server: str) -> None:
    page.goto(server)
    page.get_by_test_id("gateway-row").first.wait_for()
    rows = page.get_by_test_id("gateway-row").evaluate_all(
        "rows => rows.map(row => [row.dataset.gateway, row.dataset.health])"
    )
    assert rows == [
        ["greenhouse-3", "silent"],
        ["quay-crane-2", "attention"],
        ["boiler-annex", "new"],
        ["kiln-north", "well"],
        ["pump-house", "well"],
    ]


def test_links_lead_from_the_fleet_to_a_metric(page: Page, server: str) -> None:
    page.goto(server)
    page.get_by_role("link", name="pump-house").click()
    page.get_by_role("link", name="pump-1", exact=True).click()
    row = page.get_by_test_id("metric-row").filter(has_text="vibration")
    expect(row.locator(".spark-line")).to_have_attribute("d", re.compile("^M"))
    row.get_by_role("link").click()
    expect(page.get_by_test_id("chart")).to_have_attribute("data-series", "00000000000000b2")
    expect(page.get_by_role("heading", level=1)).to_have_text("pump-1 · vibration")


def test_devices_are_ordered_as_people_count(page: Page, server: str) -> None:
    page.goto(f"{server}#/gateways/pump-house")
    page.get_by_test_id("device-row").first.wait_for()
    names = page.get_by_test_id("device-row").evaluate_all(
        "rows => rows.map(row => row.dataset.device)"
    )
    assert names == ["hall/bay2", "hall/bay10", "pump-1", "pump-2"]


def test_a_heading_may_break_after_each_slash(page: Page, server: str) -> None:
    page.goto(f"{server}#/gateways/pump-house/devices/hall%2Fbay2")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("hall/bay2")
    assert heading.inner_html() == "hall/<wbr>bay2"


def test_a_metric_that_was_still_for_days_opens_with_all_it_said(page: Page, server: str) -> None:
    page.goto(f"{server}#/gateways/greenhouse-3/devices/air-handler")
    page.get_by_test_id("metric-row").get_by_role("link").click()
    page.wait_for_url(re.compile("last=all$"))


def test_the_theme_is_switched_and_remembered(page: Page, server: str) -> None:
    page.emulate_media(color_scheme="light")
    open_chart(page, f"{server}{TEMPERATURE}?last=30d")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_test_id("theme").click()
    dark = page.evaluate(ground)
    assert dark != light
    expect(page.locator("canvas")).to_have_count(1)
    page.reload()
    expect(page.get_by_test_id("chart")).to_have_attribute("data-state", "ready")
    assert page.evaluate(ground) == dark


def test_a_refusal_is_said_and_what_was_seen_stays(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}?last=30d")
    tell(server, "mode", {"down": True})
    page.get_by_test_id("preset-7d").click()
    expect(page.get_by_test_id("failure")).to_contain_text("The query queue is full.")
    assert facts(page)["generation"] == 1
    tell(server, "mode", {"down": False})
    page.get_by_test_id("preset-30d").click()
    expect(page.get_by_test_id("failure")).to_have_count(0)


def test_a_phone_needs_no_sideways_scrolling_and_pinches(browser: Browser, server: str) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    for route in (
        "#/",
        "#/ledger",
        "#/series",
        "#/quarantine",
        "#/models",
        "#/gateways/pump-house",
        "#/gateways/pump-house/devices/pump-1",
    ):
        page.goto(f"{server}{route}")
        page.locator("tbody tr").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == 390, route
    open_chart(page, f"{server}{TEMPERATURE}?last=all")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    before = facts(page)
    box = page.locator(".u-over").bounding_box()
    assert box is not None
    middle, y = box["x"] + box["width"] / 2, box["y"] + 100
    touch = context.new_cdp_session(page)

    def fingers(kind: str, apart: float) -> None:
        points = [{"x": middle - apart, "y": y, "id": 0}, {"x": middle + apart, "y": y, "id": 1}]
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [] if kind == "touchEnd" else points},
        )

    fingers("touchStart", 20)
    for apart in (30, 50, 80, 120):
        fingers("touchMove", apart)
    fingers("touchEnd", 0)
    after = settled(page, before["generation"])
    assert after["to"] - after["from"] < 0.5 * (before["to"] - before["from"])
    context.close()
