"""The page's ledger in a real Chromium: what became of every epoch, and why."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import tell

pytestmark = pytest.mark.browser


def accounts(page: Page) -> list[list[str]]:
    page.get_by_test_id("ledger-row").first.wait_for()
    return page.get_by_test_id("ledger-row").evaluate_all(
        "rows => rows.map(r => [r.dataset.gateway, r.dataset.epoch,"
        " ...[...r.querySelectorAll('.account li')].map(li => li.className + ': ' + li.innerText)])"
    )


def test_the_ledger_tells_of_every_epoch_what_became_of_it_and_why(page: Page, server: str) -> None:
    page.goto(server)
    page.get_by_role("link", name="Ledger").click()
    assert accounts(page) == [
        [
            "greenhouse-3",
            "1",
            "lost: 7,300 readings evicted from a full buffer, in 2 gaps",
            "apart: 1 block of 40 readings in quarantine · Show",
            "sub: block 17: body, zstd frame at byte 3: 12 plain bytes",
        ],
        ["greenhouse-3", "2", "whole: whole"],
        [
            "quay-crane-2",
            "1",
            "coming: 49 blocks still to come",
            "coming: 32 blocks not yet in the lake",
        ],
    ]
    expect(page.get_by_test_id("ledger-sum")).to_contain_text("1 of 3 epochs not whole")


def test_a_gateways_own_ledger_is_reached_from_it_and_shows_it_alone(
    page: Page, server: str
) -> None:
    page.goto(f"{server}#/gateways/quay-crane-2")
    page.get_by_role("link", name="What became of its blocks").click()
    assert [row[:2] for row in accounts(page)] == [["quay-crane-2", "1"]]
    expect(page.get_by_test_id("ledger-sum")).to_contain_text("every epoch is whole")
    figures = page.get_by_test_id("ledger-row").locator("td.num").all_inner_texts()
    assert figures == ["951", "902", "870", "900,000", "900,000"]
    assert page.title() == "Ledger · quay-crane-2 · Tidegate"


def test_a_ledger_of_nothing_says_so(page: Page, server: str) -> None:
    tell(server, "mode", {"empty": True})
    page.goto(f"{server}#/ledger")
    expect(page.locator("main")).to_contain_text("Nothing was stored yet.")


def test_what_lacks_something_is_shown_alone_and_leads_to_its_blocks(
    page: Page, server: str
) -> None:
    page.goto(f"{server}#/ledger")
    page.get_by_test_id("chip-lacking").click()
    assert [row[:2] for row in accounts(page)] == [["greenhouse-3", "1"]]
    page.get_by_role("link", name="Show", exact=True).click()
    expect(page.get_by_test_id("apart-row")).to_have_count(1)
    assert page.url.endswith("#/quarantine?gateway=greenhouse-3")
    page.go_back()
    page.get_by_test_id("chip-lacking").click()
    page.get_by_test_id("ledger-search").fill("CRANE")
    expect(page.get_by_test_id("ledger-row")).to_have_count(1)
    assert accounts(page)[0][0] == "quay-crane-2"
