"""Several series in one chart, in a real Chromium: compared, stacked, one cursor, one address."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import VIBRATION, drag, tell

pytestmark = pytest.mark.browser

VIBRATION_ID, PRESSURE, FLOW, BEARING, VALVE = (
    "00000000000000b2",
    f"{16:016x}",
    f"{18:016x}",
    f"{21:016x}",
    "00000000000000c3",
)
STATES = ("open", "closing", "shut")


def open_charts(page: Page, address: str, panels: int) -> None:
    page.goto(address)
    expect(page.get_by_test_id("chart")).to_have_count(panels)
    ready(page)


def ready(page: Page) -> None:
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-testid=chart]')]"
        ".every(one => one.dataset.state === 'ready')"
    )


def panels(page: Page) -> list[dict[str, str]]:
    return list(page.get_by_test_id("chart").evaluate_all("all => all.map(e => ({...e.dataset}))"))


def test_series_of_two_units_share_a_plot_and_a_third_unit_begins_another(
    page: Page, server: str
) -> None:
    others = f"{PRESSURE},{FLOW},{BEARING}"
    open_charts(page, f"{server}{VIBRATION}?last=24h&with={others}", 2)
    shown = [one["series"].split(",") for one in panels(page)]
    assert shown == [[VIBRATION_ID, PRESSURE], [FLOW, BEARING]]
    assert len({(one["from"], one["to"]) for one in panels(page)}) == 1


def test_stacked_each_series_has_its_plot_below_the_other(page: Page, server: str) -> None:
    open_charts(page, f"{server}{VIBRATION}?last=24h&with={PRESSURE},{VALVE}", 2)
    page.get_by_test_id("layout-stack").click()
    expect(page.get_by_test_id("chart")).to_have_count(3)
    page.wait_for_url(re.compile("layout=stack"))
    ready(page)
    over = page.locator(".u-over").evaluate_all(
        "all => all.map(e => { const b = e.getBoundingClientRect();"
        " return [Math.round(b.left), Math.round(b.width)] })"
    )
    assert len({tuple(one) for one in over}) == 1, "they begin and end at the same place"
    assert panels(page)[2]["stretches"] != "0", "the valve's words are bars"


def test_a_state_is_named_inside_its_bar(page: Page, server: str) -> None:
    page.add_init_script(
        "window.said = []; const own = CanvasRenderingContext2D.prototype.fillText;"
        "CanvasRenderingContext2D.prototype.fillText = function (text, ...at) {"
        " window.said.push([text, this.textAlign]); return own.call(this, text, ...at) }"
    )
    open_charts(page, f"{server}{VIBRATION.replace('b2', 'c3')}?last=2h", 1)
    words = {(w, at) for w, at in page.evaluate("() => window.said") if w in STATES}
    assert words == {(word, "left") for word in STATES}


def test_the_cursor_stands_on_one_instant_in_every_plot(page: Page, server: str) -> None:
    address = f"{server}{VIBRATION}?last=24h&with={PRESSURE},{VALVE}&layout=stack"
    open_charts(page, address, 3)
    box = page.locator(".u-over").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 30)
    page.wait_for_function(
        "() => document.querySelectorAll('[data-testid=chart][data-cursor-us]').length === 3"
    )
    assert len({one["cursorUs"] for one in panels(page)}) == 1
    left = page.locator(".u-cursor-x").evaluate_all(
        "all => all.map(e => Math.round(new DOMMatrix(getComputedStyle(e).transform).e))"
    )
    assert max(left) - min(left) <= 1
    readout = page.get_by_test_id("readout")
    for id_ in (VIBRATION_ID, PRESSURE, VALVE):
        assert readout.locator(f"[data-series='{id_}']").inner_text().split()[-1] != "–"
    page.mouse.move(2, 2)
    expect(page.locator("[data-testid=chart][data-cursor-us]")).to_have_count(0)


def test_zooming_one_plot_zooms_all(page: Page, server: str) -> None:
    open_charts(page, f"{server}{VIBRATION}?last=24h&with={PRESSURE}&layout=stack", 2)
    before = panels(page)
    drag(page, 0.4, 0.6)
    page.wait_for_url(re.compile("from="))
    ready(page)
    after = panels(page)
    assert len({(one["from"], one["to"]) for one in after}) == 1
    assert int(after[0]["to"]) - int(after[0]["from"]) < 0.3 * (
        int(before[0]["to"]) - int(before[0]["from"])
    )


def test_a_series_is_found_by_its_name_added_and_removed(page: Page, server: str) -> None:
    open_charts(page, f"{server}{VIBRATION}?last=24h", 1)
    page.get_by_test_id("add-series").click()
    page.get_by_test_id("picker-field").fill("PRESS")
    found = page.get_by_test_id("picker-found").get_by_role("button")
    expect(found).to_have_count(2)
    found.filter(has_text="pump-1").click()
    page.wait_for_url(re.compile(f"with={PRESSURE}"))
    expect(page.get_by_test_id("legend-item")).to_have_count(2)
    both = f"{VIBRATION_ID},{PRESSURE}"
    expect(page.get_by_test_id("chart")).to_have_attribute("data-series", both)
    ready(page)
    page.get_by_role("button", name="Remove pump-1 · pressure").click()
    expect(page.get_by_test_id("legend-item")).to_have_count(0)
    assert "with=" not in page.url


def test_a_pasted_link_shows_the_same(page: Page, server: str) -> None:
    state = f"with={PRESSURE},{FLOW}&layout=stack&zone=utc&side=marks"
    open_charts(page, f"{server}{VIBRATION}?last=6h&{state}", 3)
    page.get_by_test_id("detail-raw").click()
    page.wait_for_url(re.compile("detail=raw"))
    ready(page)
    link = page.url
    seen = ["series", "resolution", "state"]
    before = [[one[name] for name in seen] for one in panels(page)]
    assert all(one[1] == "raw" for one in before)
    page.goto("about:blank")
    open_charts(page, link, 3)
    assert [[one[name] for name in seen] for one in panels(page)] == before
    assert page.url == link
    for id_ in ("layout-stack", "zone-utc", "detail-raw", "side-marks"):
        expect(page.get_by_test_id(id_)).to_have_attribute("aria-pressed", "true")


def test_a_table_for_each_series_says_what_the_plots_show(page: Page, server: str) -> None:
    open_charts(page, f"{server}{VIBRATION}?last=1h&with={PRESSURE}", 1)
    table = page.get_by_test_id("reading-table")
    table.locator("summary").click()
    expect(table.locator("table")).to_have_count(2)
    expect(table.locator("caption").nth(1)).to_contain_text("pump-1 · pressure")
    rows = table.locator("table").nth(1).locator("tbody tr")
    assert 55 <= rows.count() <= 61


def test_the_series_that_is_silent_longest_is_named(page: Page, server: str) -> None:
    open_charts(page, f"{server}{VIBRATION}?last=24h&with=00000000000000a1", 1)
    expect(page.get_by_test_id("chart-foot")).to_contain_text(
        re.compile(r"of temperature \d+ y ago")
    )


def test_live_readings_of_every_series_arrive(page: Page, server: str) -> None:
    open_charts(page, f"{server}{VIBRATION}?last=10m&with={PRESSURE}", 1)
    expect(page.get_by_test_id("chart")).to_have_attribute("data-live", "open")
    before = int(panels(page)[0]["points"])
    for series in (VIBRATION_ID, PRESSURE):
        now = page.evaluate("Date.now() * 1000")
        tell(server, "push", {"series": series, "ts": now, "v": 3.5})
    page.wait_for_function(
        "n => Number(document.querySelector('[data-testid=chart]').dataset.points) >= n",
        arg=before + 1,
    )
