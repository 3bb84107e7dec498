"""What a viewer is offered, and in whose name an operator speaks, in a real Chromium."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import TEMPERATURE, drag, facts, open_chart, tell

pytestmark = pytest.mark.browser

WINDOW = "?from=2013-08-10T00:00:00Z&to=2013-08-25T00:00:00Z"


def test_a_viewer_reads_verdicts_and_is_told_who_gives_them(page: Page, server: str) -> None:
    tell(server, "mode", {"role": "operator"})
    page.goto(f"{server}#/review?state=all")
    page.get_by_test_id("episode-item").first.click()
    page.get_by_test_id("verdict-note").fill("bearing was worn")
    page.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("verdict-now")).to_have_text("confirmed")
    tell(server, "mode", {"role": "viewer"})
    page.reload()
    verdict = page.get_by_test_id("verdict")
    for told in ("confirmed by ann", "bearing was worn", "a verdict needs an operator"):
        expect(verdict).to_contain_text(told)
    for offered in ("verdict-form", "confirm", "dismiss", "take-back"):
        expect(page.get_by_test_id(offered)).to_have_count(0)


def test_a_viewer_sees_marks_and_cannot_begin_one(page: Page, server: str) -> None:
    tell(server, "mode", {"role": "viewer"})
    open_chart(page, f"{server}{TEMPERATURE}{WINDOW}&side=marks")
    expect(page.get_by_test_id("needs-operator")).to_contain_text("a mark needs an operator")
    for offered in ("brush-mark", "mark-window"):
        expect(page.get_by_test_id(offered)).to_have_count(0)
    before = facts(page)
    page.keyboard.press("m")
    drag(page, 0.4, 0.6)
    page.wait_for_function(
        "n => Number(document.querySelector('[data-testid=chart]').dataset.generation) > n",
        arg=before["generation"],
    )
    expect(page.get_by_test_id("mark-form")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_test_id("keys-help")).not_to_contain_text("a drag over the chart marks")


def test_who_is_signed_in_marks_and_judges_in_their_own_name(page: Page, server: str) -> None:
    tell(server, "mode", {"role": "operator"})
    open_chart(page, f"{server}{TEMPERATURE}{WINDOW}&side=marks")
    page.get_by_test_id("mark-window").click()
    expect(page.get_by_test_id("mark-author")).to_have_text("In the name of ann")
    page.get_by_test_id("mark-save").click()
    expect(page.get_by_test_id("mark-item")).to_contain_text("ann")
    page.get_by_test_id("mark-withdraw").click()
    expect(page.get_by_test_id("mark-item")).to_have_count(0)
    page.get_by_test_id("side-episodes").click()
    page.get_by_test_id("episode-item").first.click()
    expect(page.get_by_test_id("verdict-author")).to_have_text("In the name of ann")
    page.get_by_test_id("dismiss").click()
    expect(page.get_by_test_id("verdict-form")).to_contain_text(re.compile("dismissed by ann"))


def test_whatever_writes_says_what_role_it_needs(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}{WINDOW}&side=marks")
    needs = "[data-needs=operator]"
    page.get_by_test_id("mark-window").and_(page.locator(needs)).click()
    page.get_by_test_id("mark-author").fill("bob")
    page.locator(needs).get_by_test_id("mark-save").click()
    page.get_by_test_id("mark-withdraw").and_(page.locator(needs)).wait_for()
    page.goto(f"{server}#/review")
    page.get_by_test_id("episode-item").first.click()
    for offered in ("confirm", "dismiss"):
        page.locator(needs).get_by_test_id(offered).wait_for()
