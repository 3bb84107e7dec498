"""Alerts in a real Chromium: what stands, what stood, and what became of each message."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import tell

pytestmark = pytest.mark.browser


def kinds(page: Page) -> list[str]:
    page.get_by_test_id("standing-row").first.wait_for()
    return page.get_by_test_id("standing-row").evaluate_all("all => all.map(r => r.dataset.what)")


def test_what_stands_is_counted_on_every_view_and_leads_to_the_alerts(
    page: Page, server: str
) -> None:
    page.goto(f"{server}#/ledger")
    badge = page.get_by_test_id("alerts-badge")
    expect(badge).to_have_text(re.compile("^5 stand, some critical"))
    badge.click()
    assert kinds(page) == ["silence", "limit", "episode", "buffer", "certificate"]
    expect(page.get_by_test_id("alerts-sum")).to_have_text("5 stand, 1 critical")
    expect(page).to_have_title("Alerts · Tidegate")


def test_an_alert_says_why_since_when_and_of_whom(page: Page, server: str) -> None:
    page.goto(f"{server}#/alerts")
    limit = page.locator("[data-what=limit]")
    for told in ("Series is past its limit", "last reading 61.2 °C, limit 60 °C", "11 min ago"):
        expect(limit).to_contain_text(told)
    expect(page.locator("[data-what=silence]")).to_contain_text("critical")
    limit.get_by_role("link", name="pump-1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("pump-1")


def test_anomalies_that_are_told_lead_to_their_review(page: Page, server: str) -> None:
    page.goto(f"{server}#/alerts?what=episode")
    assert kinds(page) == ["episode"]
    page.get_by_test_id("standing").get_by_role("link", name="Review").click()
    expect(page.get_by_test_id("filter-metric")).to_have_value("vibration")
    expect(page.get_by_test_id("episode-item")).to_have_count(2)


def test_what_ended_is_shown_when_asked_for_and_the_address_says_so(
    page: Page, server: str
) -> None:
    page.goto(f"{server}#/gateways/greenhouse-3")
    page.get_by_role("link", name="Its alerts").click()
    assert kinds(page) == ["silence", "gap"]
    gap = page.locator("[data-what=gap]")
    expect(gap).to_contain_text("for 5 h")
    expect(gap).to_contain_text("5,100 readings lost, evicted from a full buffer")
    page.get_by_test_id("alert-kind").select_option("gap")
    expect(page.get_by_test_id("standing-row")).to_have_count(1)
    assert page.url.endswith("#/alerts?gateway=greenhouse-3&which=all&what=gap")
    page.reload()
    expect(page.get_by_test_id("standing-row")).to_have_count(1)
    page.get_by_test_id("all-gateways").click()
    page.get_by_test_id("alert-which").select_option("")
    expect(page.get_by_test_id("none-stands")).to_contain_text("No alert is as asked.")


def test_each_message_says_whom_it_was_for_and_what_became_of_it(page: Page, server: str) -> None:
    page.goto(f"{server}#/alerts")
    rows = page.get_by_test_id("notice-row")
    expect(rows).to_have_count(10)
    for told in ("night", "waiting", "6 attempts, again in", "connection refused"):
        expect(rows.first).to_contain_text(told)
    expect(rows.nth(1)).to_contain_text("delivered")
    expect(rows.nth(1)).to_contain_text("after 2 s, 1 attempt")
    expect(page.get_by_test_id("dropped")).to_have_text(
        "Dropped: 3 of old-pager, its channel was removed"
    )
    for left in (10, 6):
        page.get_by_test_id("older").click()
        expect(rows.first).to_contain_text("delivered")
        expect(rows).to_have_count(left)
    page.get_by_test_id("newest").click()
    page.get_by_test_id("notice-state").select_option("waiting")
    expect(rows).to_have_count(1)
    page.get_by_test_id("notice-state").select_option("dropped")
    expect(page.get_by_test_id("no-notices")).to_contain_text("None is dropped.")


def test_where_nothing_stands_no_badge_is_shown_and_the_view_says_what_would_be(
    page: Page, server: str
) -> None:
    tell(server, "mode", {"empty": True})
    page.goto(f"{server}#/alerts")
    expect(page.get_by_test_id("none-stands")).to_contain_text("Nothing stands: all is well.")
    expect(page.get_by_test_id("no-notices")).to_contain_text("tidegate-cloud notify test")
    expect(page.get_by_test_id("alerts-badge")).to_have_count(0)
