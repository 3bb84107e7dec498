"""The fleet in a real Chromium: order, filter, search, a thousand gateways, all in the address."""

import gzip
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.browser.screen import tell

pytestmark = pytest.mark.browser

SCRIPT_GZIP_BYTES_MAX = 60 * 1024
FIRST_LOAD_GZIP_BYTES_MAX = 24 * 1024
"""The fleet alone: what a phone fetches before it sees whether all is well."""


def gateways(page: Page) -> list[str]:
    page.get_by_test_id("gateway-row").first.wait_for()
    return page.get_by_test_id("gateway-row").evaluate_all("all => all.map(r => r.dataset.gateway)")


def test_the_first_load_fetches_no_more_script_than_it_may(page: Page, server: str) -> None:
    answers: list[Response] = []
    page.on("response", lambda one: answers.append(one))
    page.goto(server)
    gateways(page)
    page.wait_for_load_state("networkidle")
    scripts = {one.url: one.body() for one in answers if ".js" in one.url}
    size = sum(len(gzip.compress(body, 9)) for body in scripts.values())
    assert scripts
    assert size <= FIRST_LOAD_GZIP_BYTES_MAX < SCRIPT_GZIP_BYTES_MAX
    # A view's own script comes when it is opened.
    with page.expect_response(lambda one: ".js" in one.url and one.url not in scripts):
        page.get_by_role("link", name="Series", exact=True).click()
    page.get_by_test_id("found").wait_for()


def test_a_gateway_shows_all_that_is_known_of_it(page: Page, server: str) -> None:
    page.goto(server)
    row = page.locator("[data-gateway=quay-crane-2]")
    expect(row).to_contain_text("unsynced")
    expect(row).to_contain_text("12 d left")
    expect(row).to_contain_text("gone in 49 min")
    expect(row).to_contain_text("−259")
    expect(row).to_contain_text("buffer 86 % full")
    expect(page.locator("[data-gateway=greenhouse-3]")).to_contain_text("tpm")
    expect(page.locator("[data-gateway=greenhouse-3]")).to_contain_text("3 h ago")


def test_columns_order_the_fleet_both_ways_and_the_address_says_so(page: Page, server: str) -> None:
    page.goto(server)
    page.get_by_test_id("sort-backlog").click()
    assert gateways(page)[0] == "quay-crane-2"
    assert gateways(page)[-1] == "boiler-annex", "nobody knows how much waits there"
    head = page.get_by_role("columnheader", name="Delivery")
    expect(head).to_have_attribute("aria-sort", "descending")
    page.get_by_test_id("sort-backlog").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert page.url.endswith("#/?sort=-backlog")
    found = gateways(page)
    page.reload()
    assert gateways(page) == found
    page.go_back()
    page.go_back()
    assert gateways(page)[0] == "greenhouse-3"
    page.get_by_test_id("fleet-sort").select_option("lag")
    assert gateways(page)[0] == "quay-crane-2"


def test_health_filters_and_words_narrow_the_fleet(page: Page, server: str) -> None:
    page.goto(server)
    page.get_by_test_id("chip-silent").click()
    assert gateways(page) == ["greenhouse-3"]
    page.get_by_test_id("chip-new").click()
    assert gateways(page) == ["greenhouse-3", "boiler-annex"]
    expect(page.get_by_test_id("chip-new")).to_have_attribute("aria-pressed", "true")
    page.get_by_test_id("fleet-search").fill("unsynced")
    expect(page.get_by_test_id("none-found")).to_contain_text("None of 5 gateways")
    page.wait_for_url(re.compile(r"q=unsynced"))
    page.get_by_role("button", name="Show all").click()
    assert len(gateways(page)) == 5
    page.get_by_test_id("fleet-search").fill("clock not")
    expect(page.get_by_test_id("gateway-row")).to_have_count(1)
    expect(page.get_by_test_id("fleet-found")).to_have_text("1 of 5 gateways")


def test_the_keyboard_alone_finds_a_gateway(page: Page, server: str) -> None:
    page.goto(server)
    gateways(page)
    page.keyboard.press("/")
    page.keyboard.type("pump")
    expect(page.get_by_test_id("gateway-row")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("gateway-row")).to_have_count(5)
    page.keyboard.type("pump/")
    expect(page.get_by_test_id("none-found")).to_be_visible()
    page.keyboard.press("Backspace")
    expect(page.get_by_test_id("gateway-row")).to_have_count(1)
    link = page.get_by_role("link", name="pump-house")
    for _ in range(24):
        page.keyboard.press("Tab")
        if link.evaluate("a => a === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("pump-house")
    page.keyboard.press("/")
    expect(page.get_by_test_id("device-search")).to_be_focused()


@pytest.fixture
def large(page: Page, server: str) -> Iterator[Page]:
    tell(server, "mode", {"gateways": 995})
    page.goto(server)
    yield page
    tell(server, "mode", {"gateways": 0})


def test_of_a_thousand_gateways_the_silent_are_on_the_first_page(large: Page) -> None:
    found = gateways(large)
    assert len(found) == 100
    silent = large.locator("[data-testid=gateway-row][data-health=silent]")
    expect(silent).to_have_count(21)
    assert found[:2] == ["greenhouse-3", "mast-7"]
    pager = large.get_by_test_id("pager")
    expect(pager).to_contain_text("1–100 of 1,000 gateways")
    large.get_by_role("button", name="Next page").click()
    expect(pager).to_contain_text("101–200 of 1,000")
    large.get_by_role("button", name="Last page").click()
    expect(pager).to_contain_text("901–1,000 of 1,000")
    assert large.url.endswith("page=10")
    large.get_by_test_id("fleet-search").fill("mast-99")
    expect(large.get_by_test_id("gateway-row")).to_have_count(6)
    expect(pager).to_have_count(0)
    assert "page" not in large.url


def test_a_thousand_gateways_are_drawn_and_searched_without_a_stall(large: Page) -> None:
    gateways(large)
    took = large.evaluate(
        """async () => {
            const field = document.querySelector('[data-testid=fleet-search]');
            const began = performance.now();
            field.value = 'mast-500';
            field.dispatchEvent(new InputEvent('input', { bubbles: true }));
            field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
            const rows = () => document.querySelectorAll('[data-testid=gateway-row]').length;
            while (rows() !== 1) await new Promise(requestAnimationFrame);
            return performance.now() - began;
        }"""
    )
    assert took < 1_000, "a thousand rows are searched and one is drawn"


def test_a_part_of_the_page_that_cannot_be_fetched_says_so(browser: Browser, server: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route(re.compile(r"ledger-view.*\.js"), lambda route: route.abort())
    page.goto(f"{server}#/ledger")
    expect(page.get_by_test_id("failure")).to_contain_text("A part of this page could not")
    page.unroute(re.compile(r"ledger-view.*\.js"))
    page.get_by_role("button", name="Load the page again").click()
    expect(page.get_by_test_id("ledger-sum")).to_be_visible()
    context.close()
