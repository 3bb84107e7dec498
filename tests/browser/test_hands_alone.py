"""What hands do to a chart and what the drawing itself says, in a real Chromium."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.screen import TEMPERATURE, facts, open_chart, settled

pytestmark = pytest.mark.browser

GAP = "?from=2013-10-28T00:00:00Z&to=2013-11-27T00:00:00Z"
TRACED = """() => {
  const chart = document.querySelector('[data-testid=chart]');
  const canvas = chart.querySelector('canvas'), over = chart.querySelector('.u-over');
  const [c, o] = [canvas.getBoundingClientRect(), over.getBoundingClientRect()];
  const dpr = canvas.width / c.width;
  const probe = document.createElement('canvas').getContext('2d');
  probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--trace')
    .match(/#[0-9a-f]{6}/)[0];
  probe.fillRect(0, 0, 1, 1);
  const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
  const [left, top] = [Math.round((o.left - c.left) * dpr), Math.round((o.top - c.top) * dpr)];
  const [w, h] = [Math.floor(o.width * dpr), Math.floor(o.height * dpr)];
  const { data } = canvas.getContext('2d').getImageData(left, top, w, h);
  const found = new Array(w).fill(false);
  for (let i = 0; i < data.length; i += 4) {
    const far = Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b);
    if (data[i + 3] > 200 && far < 60) found[(i / 4) % w] = true;
  }
  return found;
}"""
"""For each column of the plot, whether the line was drawn in it."""


def window(page: Page) -> tuple[int, int]:
    shown = facts(page)
    return shown["from"], shown["to"]


def middle(page: Page) -> tuple[float, float]:
    box = page.locator(".u-over").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + 100


def test_no_line_is_drawn_across_a_gap(page: Page, server: str) -> None:
    page.emulate_media(color_scheme="light")
    open_chart(page, f"{server}{TEMPERATURE}{GAP}")
    (start, end), traced = window(page), page.evaluate(TRACED)
    assert facts(page)["gaps"] == 1
    bare, longest = 0, 0
    for is_traced in traced:
        bare = 0 if is_traced else bare + 1
        longest = max(longest, bare)
    share = longest / len(traced)
    assert share * (end - start) > 200 * 3_600_000_000, "a gap of days has no line in it"
    assert sum(traced) > 0.4 * len(traced), "what is not a gap has one"


@pytest.mark.parametrize("hand", ["sideways", "shift"])
def test_a_sideways_wheel_moves_the_window_and_keeps_its_span(
    page: Page, server: str, hand: str
) -> None:
    open_chart(page, f"{server}{TEMPERATURE}{GAP}")
    before, generation = window(page), facts(page)["generation"]
    page.mouse.move(*middle(page))
    if hand == "shift":
        page.keyboard.down("Shift")
        page.mouse.wheel(0, -200)
        page.keyboard.up("Shift")
    else:
        page.mouse.wheel(-200, 0)
    settled(page, generation)
    after = window(page)
    assert after[1] - after[0] == before[1] - before[0]
    assert after[0] < before[0]


def test_one_finger_moves_the_window_on_a_phone(browser: Browser, server: str) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    open_chart(page, f"{server}{TEMPERATURE}{GAP}")
    before, generation = window(page), facts(page)["generation"]
    x, y = middle(page)
    touch = context.new_cdp_session(page)

    def finger(kind: str, at: float) -> None:
        points: list[Any] = [] if kind == "touchEnd" else [{"x": at, "y": y, "id": 0}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    finger("touchStart", x)
    for step in (20, 40, 60, 80):
        finger("touchMove", x + step)
    finger("touchEnd", x + 80)
    settled(page, generation)
    after = window(page)
    assert after[1] - after[0] == pytest.approx(before[1] - before[0], abs=2)
    assert after[0] < before[0], "what was on the left comes in"
    context.close()


def test_a_chart_names_its_resolution_its_gaps_and_its_freshness(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}?last=all")
    foot = page.get_by_test_id("chart-foot")
    for told in (
        "buckets: mean, min to max",
        "gaps",
        "last reading 29 May 2014",
        "to block 19,913",
    ):
        expect(foot).to_contain_text(told)
    open_chart(page, f"{server}{TEMPERATURE}?from=2013-08-15T00:00:00Z&to=2013-08-20T00:00:00Z")
    expect(foot).to_contain_text("raw readings")
