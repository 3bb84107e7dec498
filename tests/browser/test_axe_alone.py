"""What axe finds on every view in a real Chromium, in both themes and on a phone."""

import subprocess
import sys
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import ROOT
from tests.browser.screen import TEMPERATURE, VIBRATION, drag, open_chart

pytestmark = pytest.mark.browser

OTHERS = f"{16:016x},00000000000000c3"
WINDOW = "?from=2013-08-15T00:00:00Z&to=2013-08-25T00:00:00Z"
RUN = """() => axe.run(document, {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  resultTypes: ["violations"],
}).then(({ violations }) => violations.map((one) => [
  one.impact, one.id, ...one.nodes.slice(0, 4).map((node) => `${node.html} ${node.failureSummary}`),
]))"""


@pytest.fixture(scope="session")
def axe() -> str:
    build = ROOT / "cloud/web/build.py"
    subprocess.run([sys.executable, build, "--install-checkers"], check=True)
    return (ROOT / "cloud/web/node_modules/axe-core/axe.min.js").read_text()


def serious(page: Page, axe: str) -> list[Any]:
    page.evaluate(axe)
    return [found for found in page.evaluate(RUN) if found[0] in ("serious", "critical")]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "route",
    [
        "#/",
        "#/ledger",
        "#/models",
        "#/gateways/pump-house",
        "#/gateways/pump-house/devices/pump-1",
    ],
)
def test_axe_finds_no_serious_fault_in_a_list(
    page: Page, server: str, axe: str, route: str, theme: Any
) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(f"{server}{route}")
    page.locator("tbody tr").first.wait_for()
    assert serious(page, axe) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_a_chart_and_what_opens_from_it(
    page: Page, server: str, axe: str, theme: Any
) -> None:
    page.emulate_media(color_scheme=theme)
    open_chart(page, f"{server}{TEMPERATURE}{WINDOW}&side=episodes")
    assert serious(page, axe) == []
    page.get_by_test_id("episode-bar").first.click()
    page.get_by_test_id("verdict-form").wait_for()
    page.get_by_test_id("reading-table").locator("summary").click()
    page.get_by_test_id("export").locator("summary").click()
    page.get_by_test_id("export-panel").wait_for()
    assert serious(page, axe) == []
    page.get_by_test_id("brush-mark").click()
    drag(page, 0.4, 0.6)
    page.get_by_test_id("mark-author").fill("ann")
    assert serious(page, axe) == []
    page.get_by_test_id("mark-save").click()
    page.get_by_test_id("mark-item").wait_for()
    assert serious(page, axe) == []
    page.get_by_test_id("show-keys").click()
    assert serious(page, axe) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_stacked_charts(
    page: Page, server: str, axe: str, theme: Any
) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(f"{server}{VIBRATION}?last=6h&layout=stack&with={OTHERS}")
    expect(page.get_by_test_id("chart")).to_have_count(3)
    expect(page.get_by_test_id("chart").last).to_have_attribute("data-state", "ready")
    page.get_by_test_id("add-series").click()
    page.get_by_test_id("picker-found").get_by_role("button").first.wait_for()
    assert serious(page, axe) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_the_review(
    page: Page, server: str, axe: str, theme: Any
) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(f"{server}#/review")
    page.get_by_test_id("episode-item").first.click()
    expect(page.get_by_test_id("chart")).to_have_attribute("data-state", "ready")
    assert serious(page, axe) == []


def test_axe_finds_no_serious_fault_on_a_phone_where_nothing_scrolls_sideways(
    browser: Browser, server: str, axe: str
) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    open_chart(page, f"{server}{TEMPERATURE}{WINDOW}&side=marks")
    page.get_by_test_id("mark-window").click()
    page.get_by_test_id("export").locator("summary").click()
    page.get_by_test_id("export-panel").wait_for()
    assert serious(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.goto(f"{server}#/review")
    page.get_by_test_id("episode-item").first.click()
    expect(page.get_by_test_id("chart")).to_have_attribute("data-state", "ready")
    assert serious(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.goto(f"{server}{VIBRATION}?last=6h&layout=stack&with={OTHERS}")
    expect(page.get_by_test_id("chart")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    context.close()
