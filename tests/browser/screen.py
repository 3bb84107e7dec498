"""Questions that the browser tests put to a chart and to the stand-in server."""

import json
import urllib.request
from typing import Any

from playwright.sync_api import Page, expect

TEMPERATURE = "#/gateways/greenhouse-3/devices/air-handler/series/00000000000000a1"
VIBRATION = "#/gateways/pump-house/devices/pump-1/series/00000000000000b2"
HOUR = 3_600_000_000
_AXE = """() => axe.run(document, {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  resultTypes: ["violations"],
}).then(({ violations }) => violations.map((one) => [
  one.impact, one.id, ...one.nodes.slice(0, 4).map((node) => `${node.html} ${node.failureSummary}`),
]))"""


def tell(server: str, route: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(f"{server}fixture/{route}", json.dumps(body).encode())
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def asked(server: str) -> list[dict[str, str]]:
    with urllib.request.urlopen(f"{server}fixture/asked") as answer:
        return list(json.load(answer))


def open_chart(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_test_id("chart")).to_have_attribute("data-state", "ready")


def facts(page: Page) -> dict[str, Any]:
    """The chart's own account of what it shows."""
    found = page.get_by_test_id("chart").evaluate("e => ({...e.dataset})")
    numbers = ("bucketUs", "from", "to", "points", "gaps", "anomaliesDrawn", "generation")
    return {**found, **{name: int(found[name]) for name in numbers if name in found}}


def settled(page: Page, generation: int) -> dict[str, Any]:
    """Wait for an answer newer than this generation and return the chart's account."""
    page.wait_for_function(
        "n => { const d = document.querySelector('[data-testid=chart]').dataset;"
        " return Number(d.generation) > n && d.state !== 'loading' }",
        arg=generation,
    )
    return facts(page)


def drag(page: Page, start: float, end: float) -> None:
    """Select from one share of the plot's width to another."""
    box = page.locator(".u-over").first.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * start, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, y, steps=6)
    page.mouse.up()


def serious(page: Page, axe: str) -> list[Any]:
    """What axe, given as its script, calls serious or critical on the page as it is."""
    page.evaluate(axe)
    return [found for found in page.evaluate(_AXE) if found[0] in ("serious", "critical")]
