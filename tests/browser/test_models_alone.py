"""Models in a real Chromium: what is rolled out, who runs what, and the way back by role."""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.screen import tell

pytestmark = pytest.mark.browser

CANARY = "[data-rollout='7']"


def test_rollouts_are_told_with_their_stage_and_what_gateways_say(page: Page, server: str) -> None:
    page.goto(server)
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_test_id("rollout")).to_have_count(3)
    canary = page.locator(CANARY)
    expect(canary.locator("[aria-current=step]")).to_have_text("Canary, 10 %")
    expect(canary).to_contain_text("For 2 gateways: 1 being fetched, 1 on trial.")
    expect(canary).to_contain_text("Goes on by itself after 24 h without trouble.")
    back = page.locator("[data-rollout='6']")
    expect(back.get_by_test_id("taken-back")).to_contain_text(
        "by itself: it failed on quay-crane-2"
    )
    expect(back.get_by_test_id("roll-back")).to_have_count(0)
    expect(page).to_have_title("Models · Tidegate")


def test_who_runs_what_and_how_it_behaves_stands_gateway_by_gateway(
    page: Page, server: str
) -> None:
    page.goto(f"{server}#/models")
    rows = page.get_by_test_id("running-row")
    expect(rows).to_have_count(6)
    expect(rows.nth(0)).to_contain_text("In service")
    expect(rows.nth(0)).to_contain_text("1.24 a week, 1 promised")
    expect(rows.nth(1)).to_contain_text("On trial in service (canary)")
    expect(rows.nth(1)).to_contain_text("too early for a rate")
    expect(rows.nth(3)).to_contain_text("Being fetched")
    expect(rows.nth(5)).to_contain_text("killed by signal 11")
    rows.nth(5).get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("quay-crane-2")


def test_a_rollout_is_taken_back_with_a_reason_and_a_name(page: Page, server: str) -> None:
    page.goto(f"{server}#/models")
    canary = page.locator(CANARY)
    canary.get_by_test_id("roll-back").click()
    now = canary.get_by_test_id("back-now")
    expect(now).to_be_disabled()
    canary.get_by_test_id("back-author").fill("bob")
    canary.get_by_test_id("back-note").fill("too loud at night")
    now.click()
    expect(canary.get_by_test_id("taken-back")).to_have_text(
        "Taken back by bob: too loud at night", timeout=10_000
    )
    expect(canary.get_by_test_id("roll-back")).to_have_count(0)


def test_a_viewer_is_not_offered_the_way_back(page: Page, server: str) -> None:
    page.goto(f"{server}#/models")
    button = page.locator(CANARY).get_by_test_id("roll-back")
    for role, is_offered in (("viewer", False), ("operator", True), ("admin", True)):
        page.evaluate("role => { document.documentElement.dataset.role = role }", role)
        expect(button).to_be_visible(visible=is_offered)


def test_where_nothing_is_published_the_way_to_it_is_told(page: Page, server: str) -> None:
    tell(server, "mode", {"empty": True})
    page.goto(f"{server}#/models")
    expect(page.get_by_test_id("no-rollouts")).to_contain_text("Nothing was rolled out yet")
    expect(page.get_by_test_id("none-running")).to_be_visible()
    expect(page.get_by_text("tidegate-cloud model publish NAME")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_view_fits_its_window_in_both_themes(
    browser: Browser, server: str, scheme: Any, width: int
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(f"{server}#/models")
    expect(page.get_by_test_id("running-row")).to_have_count(6)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if folder := os.environ.get("TIDEGATE_PICTURES"):
        page.screenshot(path=Path(folder) / f"models-{scheme}-{width}.png", full_page=True)
    context.close()
