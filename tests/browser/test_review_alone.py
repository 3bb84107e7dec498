"""The review of episodes in a real Chromium: filtered, gone through by keys, judged with a note."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import TEMPERATURE, VIBRATION, open_chart, tell

pytestmark = pytest.mark.browser


def open_review(page: Page, server: str, query: str = "") -> None:
    page.goto(f"{server}#/review{query}")
    page.get_by_test_id("episode-item").first.wait_for()


def listed(page: Page) -> list[str]:
    return list(
        page.get_by_test_id("episode-item").evaluate_all("all => all.map(e => e.dataset.episode)")
    )


def chosen(page: Page) -> str | None:
    return page.locator("[data-testid=episode-item][aria-pressed=true]").get_attribute(
        "data-episode"
    )


def test_the_review_is_reached_from_everywhere(page: Page, server: str) -> None:
    page.goto(server)
    page.get_by_role("link", name="Review").click()
    page.get_by_test_id("episode-item").first.wait_for()
    assert page.title() == "Review · Tidegate"


def test_episodes_are_listed_newest_first_or_by_score(page: Page, server: str) -> None:
    open_review(page, server)
    assert len(listed(page)) == 8
    newest = listed(page)
    page.get_by_test_id("order-peak").click()
    page.wait_for_url(re.compile("order=peak"))
    scores = ".anomaly-value"
    page.wait_for_function(
        "s => { const all = [...document.querySelectorAll(s)].map(e => Number(e.innerText));"
        " return all.length === 8 && all.every((v, i) => i === 0 || v <= all[i - 1]) }",
        arg=scores,
    )
    assert sorted(listed(page)) == sorted(newest)


def test_filters_leave_what_they_say_and_stand_in_the_address(page: Page, server: str) -> None:
    open_review(page, server)
    page.get_by_test_id("filter-device").fill("pump-1")
    expect(page.get_by_test_id("episode-item")).to_have_count(2)
    page.get_by_test_id("filter-device").fill("")
    expect(page.get_by_test_id("episode-item")).to_have_count(8)
    page.get_by_test_id("filter-metric").fill("temperature")
    page.get_by_test_id("filter-model").fill("window-residual-1.0")
    page.get_by_test_id("filter-score").fill("11")
    page.wait_for_url(re.compile("metric=temperature.*score=11"))
    expect(page.get_by_test_id("episode-item")).to_have_count(3)
    kept = listed(page)
    page.reload()
    expect(page.get_by_test_id("episode-item")).to_have_count(3)
    assert listed(page) == kept
    page.get_by_test_id("filter-model").fill("another")
    expect(page.get_by_text("No episode is like this")).to_be_visible()


def test_n_and_p_go_through_the_list_and_a_link_shows_the_same_episode(
    page: Page, server: str
) -> None:
    open_review(page, server)
    ids = listed(page)
    for press, at in (("n", 0), ("n", 1), ("n", 2), ("p", 1)):
        page.keyboard.press(press)
        page.wait_for_url(re.compile(f"episode={ids[at]}"))
        assert chosen(page) == ids[at]
    page.get_by_test_id("next").click()
    page.wait_for_url(re.compile(f"episode={ids[2]}"))
    expect(page.get_by_test_id("chart")).to_have_attribute("data-state", "ready")
    expect(page.locator(".episode-ground")).to_have_count(1)
    page.reload()
    expect(page.get_by_test_id("reviewed")).to_be_visible()
    assert chosen(page) == ids[2]
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("reviewed")).to_have_count(0)


def test_an_episode_is_confirmed_with_a_note_and_stays_where_the_reviewer_is(
    page: Page, server: str
) -> None:
    open_review(page, server)
    page.keyboard.press("n")
    first = chosen(page)
    expect(page.get_by_test_id("confirm")).to_be_disabled()
    page.get_by_test_id("verdict-note").fill("bearing was worn")
    page.get_by_test_id("verdict-author").fill("ann")
    page.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("verdict-now")).to_have_text("confirmed")
    assert chosen(page) == first
    page.get_by_test_id("next").click()
    expect(page.get_by_test_id("verdict-author")).to_have_value("ann")
    page.get_by_test_id("dismiss").click()
    expect(page.get_by_test_id("verdict-now")).to_have_text("dismissed")
    page.get_by_test_id("state-confirmed").click()
    expect(page.get_by_test_id("episode-item")).to_have_count(1)
    assert listed(page) == [first]
    page.keyboard.press("n")
    expect(page.get_by_test_id("verdict-note")).to_have_value("bearing was worn")
    page.get_by_test_id("take-back").click()
    expect(page.get_by_test_id("verdict-now")).to_have_text("not reviewed")
    page.get_by_test_id("state-open").click()
    expect(page.get_by_test_id("episode-item")).to_have_count(7)


def test_where_nothing_is_left_the_review_says_so(page: Page, server: str) -> None:
    tell(server, "mode", {"empty": True})
    page.goto(f"{server}#/review")
    nothing = page.get_by_text("Nothing is left to review.")
    expect(nothing).to_be_visible()
    expect(page.get_by_text("Choose an episode")).to_have_count(0)
    page.get_by_test_id("state-dismissed").click()
    expect(nothing).to_have_count(0)
    expect(page.get_by_text("No episode is like this.")).to_be_visible()


def test_letters_typed_into_a_field_move_nothing(page: Page, server: str) -> None:
    open_review(page, server)
    page.keyboard.press("n")
    before = chosen(page)
    page.get_by_test_id("verdict-note").press_sequentially("no pump?")
    assert chosen(page) == before
    expect(page.get_by_test_id("keys-help")).not_to_be_visible()


def test_an_episode_is_judged_beside_the_chart_too(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}?last=all&side=episodes")
    expect(page.get_by_test_id("episode-bar")).to_have_count(6)
    page.get_by_test_id("episode-bar").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("episode=[0-9a-f]{32}"))
    page.get_by_test_id("verdict-author").fill("bob")
    page.get_by_test_id("dismiss").click()
    expect(page.locator("[data-testid=episode-bar][data-verdict=dismissed]")).to_have_count(1)
    expect(page.get_by_test_id("verdict-now")).to_have_text("dismissed")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("verdict-form")).to_have_count(0)
    assert "episode=" not in page.url


def test_a_link_to_an_episode_of_a_chart_shows_it(page: Page, server: str) -> None:
    open_chart(page, f"{server}{VIBRATION}?last=24h&side=episodes")
    item = page.get_by_test_id("episode-item").first
    expect(item).to_contain_text("9.61")
    expect(item).to_contain_text("window-residual-1.0")
    id_ = item.get_attribute("data-episode")
    open_chart(page, f"{server}{VIBRATION}?last=24h&side=episodes&episode={id_}")
    expect(page.get_by_test_id("verdict-form")).to_be_visible()
    assert chosen(page) == id_
