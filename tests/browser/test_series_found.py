"""The series view in a real Chromium, over a hundred thousand series in the real API."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import ROOT
from tests.browser.many_series import SERIES

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def many(built: Path) -> Iterator[str]:
    """The address of the real API over a hundred thousand series."""
    assert built.is_dir()
    command = [sys.executable, "-m", "tests.browser.many_series"]
    told = {"stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, **told) as process:  # type: ignore[call-overload]
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture
def found(browser: Browser, many: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.set_default_timeout(20_000)
    strangers: list[str] = []
    page.on("request", lambda r: r.url.startswith(many) or strangers.append(r.url))
    page.goto(f"{many}#/series")
    expect(page.get_by_test_id("found")).to_have_text(f"{SERIES:,} found")
    yield page
    context.close()
    assert strangers == []


def total(page: Page, count: int) -> None:
    expect(page.get_by_test_id("found")).to_have_attribute("data-total", str(count), timeout=20_000)


def places(page: Page) -> list[int]:
    return page.get_by_test_id("found-row").evaluate_all("all => all.map(r => +r.dataset.at)")


def test_typing_narrows_a_hundred_thousand_series_and_asks_only_when_it_pauses(
    found: Page,
) -> None:
    asked: list[str] = []
    found.on("request", lambda r: asked.append(r.url) if "/series?" in r.url else None)
    found.keyboard.press("/")
    found.keyboard.type("site-0420/meter-7/volt", delay=15)
    total(found, 1)
    row = found.get_by_test_id("found-row")
    expect(row).to_contain_text("site-0420 / meter-7 · room hall 20")
    assert len(asked) < len("site-0420/meter-7/volt"), "a search is asked for when typing pauses"
    assert found.url.endswith("#/series?q=site-0420%2Fmeter-7%2Fvolt")
    found.keyboard.press("Escape")
    total(found, SERIES)


def test_rows_are_drawn_as_far_as_the_screen_and_fetched_as_far_as_one_scrolls(
    found: Page,
) -> None:
    assert len(places(found)) < 60
    expect(found.get_by_test_id("series-found")).to_have_attribute("aria-rowcount", str(SERIES + 1))
    for _ in range(12):
        found.mouse.wheel(0, 4_000)
        found.wait_for_function(
            "() => { const at = [...document.querySelectorAll('[data-at]')];"
            " const last = at.at(-1).getBoundingClientRect();"
            " return at[0].getBoundingClientRect().top <= 860 && last.bottom >= 0; }"
        )
    found.wait_for_function("() => +document.querySelector('[data-at]').dataset.at > 300")
    shown = places(found)
    assert len(shown) < 60
    assert shown == list(range(shown[0], shown[0] + len(shown)))
    expect(found.get_by_test_id("found-end")).to_contain_text(f"of {SERIES:,} fetched")


def test_arrow_keys_lead_from_row_to_row_beyond_the_screen(found: Page) -> None:
    found.get_by_test_id("found-row").first.get_by_role("link").focus()
    at = "Number(document.activeElement.closest('[data-at]')?.dataset.at)"
    for n in range(1, 31):
        found.keyboard.press("ArrowDown")
        found.wait_for_function(f"() => {at} === {n}")
    for n in (40, 50, 60):
        found.keyboard.press("PageDown")
        found.wait_for_function(f"() => {at} === {n}")
    box = found.locator("[data-at='60']").bounding_box()
    assert box is not None
    assert 0 <= box["y"] <= 860 - box["height"]
    found.keyboard.press("Home")
    found.wait_for_function(f"() => {at} === 0")
    found.keyboard.press("Enter")
    found.wait_for_url(re.compile("gateways/site-0000/devices/meter-0/series/"))


def test_every_filter_narrows_and_stands_in_the_address(found: Page) -> None:
    found.get_by_test_id("more-fields").click()
    found.get_by_test_id("field-match").fill("site-00*/meter-1?/temp*")
    total(found, 100 * 10)
    found.get_by_test_id("field-labels").fill("room:hall 3*")
    total(found, len(_halls()) * 10)
    found.get_by_test_id("field-unit").fill("°C")
    found.get_by_test_id("field-gateway").fill("site-0003")
    total(found, 10)
    found.get_by_test_id("field-device").fill("meter-11")
    total(found, 1)
    found.get_by_test_id("chip-counter").click()
    total(found, 0)
    expect(found.get_by_test_id("none-found")).to_be_visible()
    found.get_by_test_id("chip-counter").click()
    found.get_by_test_id("field-stale").select_option("silent-3600")
    total(found, 1)
    found.get_by_test_id("field-stale").select_option("heard-60")
    total(found, 0)
    found.reload()
    total(found, 0)
    expect(found.get_by_test_id("field-gateway")).to_have_value("site-0003")
    expect(found.get_by_test_id("more-fields")).to_have_text("Filters: 6 in use")
    found.get_by_test_id("clear").click()
    total(found, SERIES)
    assert found.url.endswith("#/series")
    found.go_back()
    total(found, 0)


def _halls() -> list[int]:
    """The first hundred gateways whose hall begins with a 3."""
    return [number for number in range(100) if f"{number % 40}".startswith("3")]


def test_of_a_thousand_gateways_the_real_api_gives_all(browser: Browser, many: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto(f"{many}#/?q=site-0999")
    expect(page.get_by_test_id("gateway-row")).to_have_count(1)
    expect(page.get_by_test_id("total-gateways")).to_contain_text("1,002")
    page.get_by_role("link", name="site-0999").click()
    expect(page.get_by_test_id("device-row")).to_have_count(20)
    page.get_by_role("link", name="All 100 series of site-0999").click()
    expect(page.get_by_test_id("found")).to_have_attribute("data-total", "100")
    context.close()


def test_series_show_their_last_day_and_state_stays_in_words(page: Page, server: str) -> None:
    page.goto(f"{server}#/series?q=pump-1")
    expect(page.get_by_test_id("found-row")).to_have_count(5)
    row = page.get_by_test_id("found-row").filter(has_text="vibration")
    expect(row.locator(".spark-line")).to_have_attribute("d", re.compile("^M"))
    expect(page.get_by_test_id("found-row").filter(has_text="valve")).to_contain_text("state")
    row.get_by_role("link").click()
    expect(page.get_by_test_id("chart")).to_have_attribute("data-series", "00000000000000b2")
    page.go_back()
    expect(page.get_by_test_id("found-row")).to_have_count(5)
    expect(page.get_by_test_id("series-search")).to_have_value("pump-1")


def test_a_filter_of_the_review_is_completed_from_all_names_there_are(found: Page) -> None:
    found.goto(found.url.split("#")[0] + "#/review")
    offered = "all => all.map(one => one.value)"
    field = found.get_by_test_id("filter-metric")
    field.press_sequentially("TEMP")
    expect(found.locator("#known-metric option")).to_have_count(1)
    assert found.locator("#known-metric option").evaluate_all(offered) == ["temperature"]
    field.fill("")
    found.get_by_test_id("filter-device").fill("meter-1")
    found.get_by_test_id("filter-gateway").fill("site-042")
    expect(found.locator("#known-gateway option")).to_have_count(10)
    assert "site-0420" in found.locator("#known-gateway option").evaluate_all(offered)
