"""The chart in a real Chromium: zoom, gaps, anomalies and live readings from known data."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import (
    HOUR,
    TEMPERATURE,
    VIBRATION,
    asked,
    drag,
    facts,
    open_chart,
    settled,
    tell,
)

pytestmark = pytest.mark.browser


def test_the_whole_history_shows_its_gaps_and_anomalies(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}?last=all")
    shown = facts(page)
    assert shown["resolution"] == "1h"
    assert shown["anomaliesDrawn"] == 6
    assert shown["gaps"] >= 2
    counts = page.get_by_test_id("anomaly-marker").evaluate_all(
        "marks => marks.map(mark => Number(mark.dataset.count))"
    )
    assert sum(counts) == 6
    listed = page.get_by_test_id("anomaly-item").evaluate_all(
        "items => items.map(item => Number(item.dataset.ts))"
    )
    assert listed == sorted(listed, reverse=True)
    assert len(listed) == 6


def test_a_marker_tells_score_threshold_and_model(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}?last=all")
    page.get_by_test_id("anomaly-marker").first.hover()
    tip = page.get_by_test_id("anomaly-tip")
    expect(tip).to_contain_text("10.85")
    expect(tip).to_contain_text("4.2")
    expect(tip).to_contain_text("window-residual-1.0")
    page.get_by_role("heading", level=1).hover()
    expect(tip).to_have_count(0)
    page.get_by_test_id("anomaly-marker").nth(1).focus()
    expect(tip).to_be_visible()


def test_a_drag_asks_for_finer_data_and_back_returns(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}?last=all")
    whole = facts(page)
    drag(page, 0.40, 0.50)
    near = settled(page, whole["generation"])
    share = (near["to"] - near["from"]) / (whole["to"] - whole["from"])
    assert share == pytest.approx(0.10, abs=0.01)
    assert near["bucketUs"] < whole["bucketUs"]
    drag(page, 0.45, 0.60)
    nearest = settled(page, near["generation"])
    assert nearest["resolution"] == "raw"
    page.go_back()
    again = settled(page, nearest["generation"])
    assert (again["from"], again["to"]) == (near["from"], near["to"])
    page.locator(".u-over").dblclick(position={"x": 200, "y": 200})
    page.wait_for_url(re.compile("last=all"))


def test_the_wheel_zooms_about_the_cursor_with_few_questions(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}?last=all")
    before = facts(page)
    questions = len(asked(server))
    box = page.locator(".u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 100)
    for _ in range(12):
        page.mouse.wheel(0, -100)
    after = settled(page, before["generation"])
    kept = before["from"] + 0.25 * (before["to"] - before["from"])
    assert (kept - after["from"]) / (after["to"] - after["from"]) == pytest.approx(0.25, abs=0.02)
    assert after["to"] - after["from"] < 0.3 * (before["to"] - before["from"])
    page.wait_for_url(re.compile("from="))
    assert len(asked(server)) - questions <= 3


def test_a_stale_answer_never_replaces_a_newer_one(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}?last=all")
    first = facts(page)
    tell(server, "mode", {"delay_ms": 700})
    page.get_by_test_id("preset-30d").click()
    kept = facts(page)
    assert kept["generation"] == first["generation"], "the old data stays until new data is here"
    page.get_by_test_id("preset-7d").click()
    last = settled(page, first["generation"])
    assert last["to"] - last["from"] == 7 * 24 * HOUR
    assert last["generation"] == first["generation"] + 1, "the aborted question was not answered"


def test_the_address_holds_the_whole_state(page: Page, server: str) -> None:
    address = f"{TEMPERATURE}?from=2013-10-15T00:00:00Z&to=2013-12-20T00:00:00Z"
    open_chart(page, f"{server}{address}")
    before = facts(page)
    page.reload()
    expect(page.get_by_test_id("chart")).to_have_attribute("data-state", "ready")
    after = facts(page)
    assert {**before, "generation": 0} == {**after, "generation": 0}
    assert before["from"] == 1_381_795_200_000_000


def test_reset_returns_to_where_zooming_began(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}?last=30d")
    start = facts(page)
    drag(page, 0.2, 0.6)
    zoomed = settled(page, start["generation"])
    drag(page, 0.2, 0.6)
    settled(page, zoomed["generation"])
    page.get_by_test_id("reset").click()
    page.wait_for_url(re.compile("last=30d"))


def test_the_ring_of_an_anomaly_at_the_right_edge_is_whole(page: Page, server: str) -> None:
    open_chart(page, f"{server}{VIBRATION}?last=1h")
    at = page.get_by_test_id("anomaly-marker").first.get_attribute("data-ts")
    instants = "us => [-600e3, 1].map(ms => new Date(us / 1000 + ms).toISOString())"
    start, end = page.evaluate(instants, int(at or ""))
    open_chart(page, f"{server}{VIBRATION}?from={start}&to={end}")
    ring = page.locator(".ring circle").bounding_box()
    shown = page.locator(".marker-rings").bounding_box()
    plot = page.locator(".u-over").bounding_box()
    assert ring is not None
    assert shown is not None
    assert plot is not None
    assert ring["x"] + ring["width"] > plot["x"] + plot["width"], "it reaches over the edge"
    assert ring["x"] + ring["width"] <= shown["x"] + shown["width"]


def test_a_new_reading_and_its_anomaly_appear_by_themselves(page: Page, server: str) -> None:
    open_chart(page, f"{server}{VIBRATION}?last=10m")
    expect(page.get_by_test_id("chart")).to_have_attribute("data-live", "open")
    before = facts(page)
    assert before["resolution"] == "raw"
    now = page.evaluate("Date.now() * 1000")
    tell(server, "push", {"series": "00000000000000b2", "ts": now, "v": 8.25, "score": 14.5})
    expect(page.get_by_test_id("latest")).to_contain_text("8.25")
    marker = page.locator(f"[data-testid=anomaly-marker][data-ts='{now}']")
    expect(marker).to_have_count(1)
    after = facts(page)
    assert after["anomaliesDrawn"] == before["anomaliesDrawn"] + 1
    assert after["generation"] == before["generation"], "it came live, not by asking again"


def test_buckets_take_a_new_reading_up_soon(page: Page, server: str) -> None:
    open_chart(page, f"{server}{VIBRATION}?last=24h")
    expect(page.get_by_test_id("chart")).to_have_attribute("data-live", "open")
    before = facts(page)
    assert before["resolution"] == "1m"
    tell(server, "push", {"series": "00000000000000b2", "ts": before["to"], "v": 2.5})
    settled(page, before["generation"])


def test_readings_that_are_words_are_bars_and_listed(page: Page, server: str) -> None:
    open_chart(page, f"{server}{VIBRATION.replace('b2', 'c3')}?last=24h")
    assert int(facts(page)["stretches"]) >= 70
    box = page.locator(".u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    expect(page.get_by_test_id("readout")).to_contain_text(re.compile("open|closing|shut"))
    expect(page.get_by_test_id("latest")).to_contain_text("shut")
    rows = page.get_by_test_id("reading-table").locator("tbody tr")
    expect(rows.first).to_contain_text("shut")


def test_the_window_moves_on_with_the_present(page: Page, server: str) -> None:
    open_chart(page, f"{server}{VIBRATION}?last=10m")
    before = facts(page)
    page.wait_for_function(
        "to => Number(document.querySelector('[data-testid=chart]').dataset.to) > to + 1e6",
        arg=before["to"],
    )
    after = facts(page)
    assert after["to"] - after["from"] == before["to"] - before["from"]


def test_a_past_window_opens_no_live_feed(page: Page, server: str) -> None:
    address = f"{TEMPERATURE}?from=2013-10-15T00:00:00Z&to=2013-12-20T00:00:00Z"
    open_chart(page, f"{server}{address}")
    assert facts(page)["live"] == "off"
    expect(page.get_by_test_id("chart-foot")).to_contain_text("last reading")


def test_a_recording_of_long_ago_is_followed_as_it_is_replayed(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}?last=7d")
    expect(page.get_by_test_id("chart")).to_have_attribute("data-live", "open")
    before = facts(page)
    last = before["to"] - 5 * HOUR
    tell(server, "push", {"series": "00000000000000a1", "ts": last + 9 * HOUR, "v": 66.5})
    expect(page.get_by_test_id("latest")).to_contain_text("66.5")
    after = facts(page)
    assert after["to"] > before["to"]
    assert after["to"] - after["from"] == 7 * 24 * HOUR
    assert len(asked(server)) == 1, "it came live, not by asking again"


def test_keys_zoom_move_and_reset(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}?last=30d")
    before = facts(page)
    page.get_by_test_id("chart").focus()
    page.keyboard.press("+")
    closer = settled(page, before["generation"])
    assert closer["to"] - closer["from"] < before["to"] - before["from"]
    page.keyboard.press("ArrowLeft")
    earlier = settled(page, closer["generation"])
    assert earlier["from"] < closer["from"]
    page.keyboard.press("0")
    page.wait_for_url(re.compile("last=30d"))


def test_a_table_says_what_the_canvas_shows(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}?last=24h")
    table = page.get_by_test_id("reading-table")
    table.locator("summary").click()
    expect(table.locator("tbody tr")).to_have_count(facts(page)["points"])
    newest = table.locator("tbody tr").first.locator("td").first.inner_text()
    expect(page.get_by_test_id("latest")).to_contain_text(newest)
