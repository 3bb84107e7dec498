"""Gateway, device and quarantine in a real Chromium: all that is known, and what was set apart."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.screen import tell

pytestmark = pytest.mark.browser

HELD = "a1" * 32


def blocks(page: Page) -> list[str]:
    page.get_by_test_id("apart-row").first.wait_for()
    return page.get_by_test_id("apart-row").evaluate_all("all => all.map(r => r.dataset.block)")


def test_blocks_set_apart_are_told_with_their_reason_and_looked_at(page: Page, server: str) -> None:
    page.goto(server)
    page.get_by_role("link", name="Quarantine").click()
    assert blocks(page) == [HELD, "b2" * 32, "c3" * 32]
    row = page.locator(f"[data-block={HELD}]")
    expect(row).to_contain_text("body, zstd frame at byte 3: 12 plain bytes")
    expect(page.locator(f"[data-block={'c3' * 32}]")).to_contain_text("a bad card, replaced")
    row.get_by_role("button").click()
    sheet = page.get_by_test_id("block-sheet")
    expect(sheet).to_contain_text("40 numeric")
    expect(sheet).to_contain_text("tidegate-cloud quarantine release a1a1a1a1a1a1")
    expect(sheet.get_by_role("heading")).to_be_focused()
    assert page.url.endswith(f"#/quarantine?block={HELD}")
    page.reload()
    expect(sheet).to_contain_text("greenhouse-3, epoch 1, block 17")
    sheet.get_by_role("button", name="Close").click()
    expect(sheet).to_have_count(0)


def test_another_stream_is_not_to_be_released(page: Page, server: str) -> None:
    page.goto(f"{server}#/quarantine?block={'b2' * 32}")
    sheet = page.get_by_test_id("block-sheet")
    expect(sheet).to_contain_text("gateways pardon")
    expect(sheet).not_to_contain_text("quarantine release")


def test_blocks_are_filtered_by_state_and_words_and_the_address_says_so(
    page: Page, server: str
) -> None:
    page.goto(f"{server}#/quarantine")
    page.get_by_test_id("chip-discarded").click()
    expect(page.get_by_test_id("apart-row")).to_have_count(1)
    page.get_by_test_id("apart-search").fill("nothing like it")
    expect(page.get_by_test_id("none-found")).to_be_visible()
    page.wait_for_url(re.compile("state=discarded&q=nothing"))
    page.reload()
    expect(page.get_by_test_id("apart-search")).to_have_value("nothing like it")
    page.goto(f"{server}#/quarantine?gateway=pump-house")
    expect(page.get_by_test_id("apart-row")).to_have_count(1)
    page.get_by_test_id("all-gateways").click()
    expect(page.get_by_test_id("apart-row")).to_have_count(3)


def test_what_gateways_refused_is_counted_and_leads_to_them(page: Page, server: str) -> None:
    page.goto(f"{server}#/quarantine")
    rows = page.get_by_test_id("refused-row")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("83")
    rows.first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("quay-crane-2")


def test_an_empty_quarantine_says_what_would_stand_there(page: Page, server: str) -> None:
    tell(server, "mode", {"empty": True})
    page.goto(f"{server}#/quarantine")
    expect(page.get_by_test_id("none-found")).to_contain_text("Nothing is set apart")
    expect(page.get_by_test_id("refused")).to_contain_text("every message was understood")


def test_a_gateways_page_tells_all_that_is_known_of_it(page: Page, server: str) -> None:
    page.goto(f"{server}#/gateways/quay-crane-2")
    for plate, told in {
        "waiting": "gone in 49 min, buffer 86 % full",
        "lag": "259 not yet archived",
        "clock": "unsynced",
        "key": "file",
        "certificate": "issued 55 d ago",
        "rejected": "tidegate-edge rejects",
    }.items():
        expect(page.get_by_test_id(f"plate-{plate}")).to_contain_text(told)


def test_a_gateways_gaps_devices_and_series_are_on_its_page(page: Page, server: str) -> None:
    page.goto(f"{server}#/gateways/greenhouse-3")
    expect(page.get_by_test_id("gap-row")).to_have_count(2)
    expect(page.get_by_test_id("gap-row").first).to_contain_text("evicted from a full buffer")
    page.goto(f"{server}#/gateways/pump-house")
    expect(page.get_by_test_id("gaps")).to_contain_text("never declared anything lost")
    expect(page.get_by_test_id("metric-row")).to_have_count(8)
    expect(page.locator(".spark-line").first).to_have_attribute("d", re.compile("^M"))
    page.get_by_test_id("device-search").fill("BAY")
    expect(page.get_by_test_id("device-row")).to_have_count(2)
    page.get_by_test_id("sort-device").click()
    names = page.get_by_test_id("device-row").evaluate_all("all => all.map(r => r.dataset.device)")
    assert names == ["hall/bay10", "hall/bay2"]
    assert page.url.endswith("#/gateways/pump-house?q=BAY&sort=-device")
    page.get_by_role("link", name="Search in them").click()
    expect(page.get_by_test_id("found-row")).to_have_count(8)
    expect(page.get_by_test_id("field-gateway")).to_have_value("pump-house")


def test_a_device_tells_how_its_gateway_does(page: Page, server: str) -> None:
    page.goto(f"{server}#/gateways/greenhouse-3/devices/air-handler")
    gateway = page.get_by_test_id("its-gateway")
    expect(gateway.get_by_test_id("health")).to_have_text("Silent")
    expect(gateway.get_by_test_id("plate-key")).to_contain_text("tpm")
    expect(page.get_by_test_id("gap-row")).to_have_count(2)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_stand_out_from_their_ground_in_both_themes(
    browser: Browser, server: str, scheme: str
) -> None:
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    for view in ("#/", "#/series", "#/ledger", f"#/quarantine?block={HELD}"):
        page.goto(f"{server}{view}")
        page.locator("tbody tr").first.wait_for()
        assert page.evaluate(CONTRAST) >= 4.5, view
    context.close()


CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgb('white');
  };
  const worst = (e) => {
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const told = [...document.querySelectorAll('main *, header *')].filter((e) =>
    [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && !e.matches(':disabled'));
  return Math.min(...told.map(worst));
}"""
"""The least contrast of all letters on the page."""
