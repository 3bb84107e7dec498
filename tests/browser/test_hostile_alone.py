"""Names, notes and reasons that would be markup, and answers that no view can draw."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.screen import VIBRATION

pytestmark = pytest.mark.browser

MARKUP = '<img src=x onerror="window.owned=1">\'"></title></script><script>window.owned=2</script>'
OF_STRANGERS = {
    "about", "agent_version", "author", "by", "channel", "clock", "created_by", "device", "error",
    "gateway", "key_tier", "metric", "model", "name", "note", "published_by", "reason", "reasons",
    "rule", "subject", "unit", "verdict_author", "verdict_note", "version", "why",
}  # fmt: skip
"""Fields of answers that sensors, gateways or people fill."""


def hostile(told: Any, fields: set[str], of_strangers: bool = False) -> Any:
    """The same answer with markup behind each text of these fields."""
    if isinstance(told, dict):
        return {key: hostile(value, fields, key in fields) for key, value in told.items()}
    if isinstance(told, list):
        return [hostile(each, fields, of_strangers) for each in told]
    return f"{told}{MARKUP}" if of_strangers and isinstance(told, str) else told


@pytest.mark.parametrize(
    ("view", "seen"),
    [
        ("#/", "gateway-row"),
        ("#/series", "found-row"),
        ("#/models", "running-row"),
        ("#/alerts", "standing-row"),
        ("#/ledger", "ledger-row"),
        ("#/quarantine", "apart-row"),
        ("#/gateways/pump-house", "device-row"),
        ("#/gateways/pump-house/devices/pump-1", "metric-row"),
        ("#/review", "episode-item"),
        (f"{VIBRATION}?last=24h", "chart"),
    ],
)
def test_no_name_note_or_reason_of_a_stranger_becomes_markup(
    page: Page, server: str, view: str, seen: str
) -> None:
    asked_for = {"name", "gateway", "device"} if "/gateways/" in view else set()

    def told(route: Route) -> None:
        answer = route.fetch()
        said = hostile(json.loads(answer.text()), OF_STRANGERS - asked_for)
        route.fulfill(response=answer, json=said)

    def is_asked(url: str) -> bool:
        return "/api/v1/" in url and "/api/v1/live" not in url and "/api/v1/session" not in url

    page.route(is_asked, told)
    page.goto(f"{server}{view}")
    page.get_by_test_id(seen).first.wait_for()
    if seen == "episode-item":
        page.get_by_test_id(seen).first.click()
        page.get_by_test_id("verdict-form").wait_for()
    shown = page.locator("main").inner_text()
    assert "<img src=x" in shown, "it is shown as what it is"
    assert page.locator("img, main script").count() == 0
    assert page.evaluate("window.owned") is None
    page.unroute_all(behavior="ignoreErrors")


def test_an_answer_that_no_view_can_draw_leaves_the_way_elsewhere(page: Page, server: str) -> None:
    page.route(
        "**/api/v1/gateways*",
        lambda route: route.fulfill(json={"now": 1, "gateways": [None], "next": None}),
    )
    page.goto(server)
    expect(page.get_by_test_id("failure")).to_contain_text("This view could not be drawn.")
    page.get_by_role("link", name="Ledger").click()
    expect(page.get_by_test_id("ledger-sum")).to_be_visible()
    expect(page.get_by_test_id("failure")).to_have_count(0)
