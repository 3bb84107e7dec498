"""Keys and time zones of the chart in a real Chromium, whose own zone is Tokyo's."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import TEMPERATURE, facts, open_chart, settled

pytestmark = pytest.mark.browser

# Clocks in Berlin went back at 01:00 UTC on 27 October 2013.
AUTUMN = "?from=2013-10-26T20:00:00Z&to=2013-10-27T06:00:00Z"
DRAWN = """() => {
  window.drawn = []; const own = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
    window.drawn.push(text); return own.call(this, text, ...rest);
  };
}"""


def labels(page: Page) -> list[str]:
    """What the canvas wrote since it was asked to note it down."""
    return list(page.evaluate("() => window.drawn"))


def test_the_axis_tells_the_time_of_the_chosen_zone_over_a_change(page: Page, server: str) -> None:
    page.add_init_script(f"({DRAWN})()")
    open_chart(page, f"{server}{TEMPERATURE}{AUTUMN}")
    expect(page.get_by_test_id("zone-name")).to_contain_text("Asia/Tokyo, UTC+9")
    page.evaluate("() => { window.drawn.length = 0 }")
    page.get_by_test_id("zone-site").click()
    expect(page.get_by_test_id("zone-name")).to_contain_text("Europe/Berlin, UTC+2 then UTC+1")
    page.wait_for_function("() => window.drawn.includes('UTC+1')")
    assert labels(page).count("02:00") >= 2, "the hour that comes twice is there twice"
    page.evaluate("() => { window.drawn.length = 0 }")
    page.get_by_test_id("zone-utc").click()
    page.wait_for_function("() => window.drawn.includes('00:00')")
    assert "UTC+1" not in labels(page)
    expect(page.get_by_test_id("readout")).to_contain_text("26 Oct 2013 20:00")


def test_the_table_tells_the_time_of_the_chosen_zone(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}{AUTUMN}&zone=site")
    table = page.get_by_test_id("reading-table")
    table.locator("summary").click()
    times = table.locator("tbody th").all_inner_texts()
    assert len([one for one in times if one.startswith("27 Oct 2013 02:")]) == 2
    page.get_by_test_id("zone-utc").click()
    expect(table.locator("tbody th").first).to_contain_text("27 Oct 2013 06:")


def test_arrows_plus_and_minus_work_wherever_the_focus_is(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}?last=30d")
    before = facts(page)
    page.keyboard.press("ArrowLeft")
    earlier = settled(page, before["generation"])
    span = before["to"] - before["from"]
    assert earlier["from"] == pytest.approx(before["from"] - 0.1 * span, abs=1e6)
    page.keyboard.press("-")
    wider = settled(page, earlier["generation"])
    assert wider["to"] - wider["from"] == pytest.approx(span / 0.6, rel=0.01)
    page.keyboard.press("+")
    closer = settled(page, wider["generation"])
    assert closer["to"] - closer["from"] == pytest.approx(span, rel=0.01)


def test_the_question_mark_lists_the_keys_and_escape_closes_them(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}?last=30d")
    page.keyboard.press("?")
    help_ = page.get_by_test_id("keys-help")
    expect(help_).to_be_visible()
    for says in ("earlier, by a tenth", "zoom in", "next episode", "let go"):
        expect(help_).to_contain_text(says)
    before = facts(page)
    page.keyboard.press("Escape")
    expect(help_).not_to_be_visible()
    page.get_by_test_id("show-keys").click()
    expect(help_).to_be_visible()
    help_.get_by_role("button", name="Close").click()
    expect(help_).not_to_be_visible()
    assert facts(page)["from"] == before["from"]


def test_keys_with_ctrl_are_the_browsers(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}?last=all")
    expect(page.get_by_test_id("episode-bar")).to_have_count(6)
    before = facts(page)
    page.keyboard.press("Control+ArrowLeft")
    page.keyboard.press("n")
    page.wait_for_url(lambda url: "episode=" in url)
    assert facts(page)["from"] == before["from"]
