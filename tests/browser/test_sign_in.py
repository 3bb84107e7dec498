"""Signing in and out in a real Chromium, of a real cloud with users."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from cloud.access.password import hashed
from cloud.access.role import Role
from cloud.config import load
from cloud.registry.registry import Registry
from tests.browser.screen import serious
from tests.cloud.imports.import_home import new_home, serving
from tests.cloud.serve.signed_world import add_user

pytestmark = pytest.mark.browser

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def home(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = new_home(tmp_path_factory.mktemp("signed") / "cloud")
    registry = Registry.open(home / "registry.db")
    kept = hashed(PASSWORD)
    for name, role in (("ann", Role.OPERATOR), ("bob", Role.VIEWER)):
        add_user(registry, name, role, kept)
    registry.close()
    with serving(home):
        yield home


@pytest.fixture
def page(browser: Browser, home: Path) -> Iterator[Page]:
    """A page of that cloud alone, whose complaints are watched."""
    host, port = load(home).http_address
    context = browser.new_context(base_url=f"http://{host}:{port}/")
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "console", lambda m: complaints.append(m.text) if "Content Security" in m.text else None
    )
    yield opened
    context.close()
    assert complaints == []


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_who_is_not_signed_in_sees_the_form_and_then_what_was_asked_for(page: Page) -> None:
    page.goto("/#/ledger")
    form = page.get_by_test_id("sign-in")
    expect(form).to_be_visible()
    expect(page.get_by_label("Name")).to_be_focused()
    sign_in(page, "ann", "wrong horse")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    sign_in(page, "ann")
    expect(page.locator("main")).to_have_attribute("data-view", "ledger")
    expect(page.get_by_test_id("who")).to_contain_text("ann operator")
    page.reload()
    expect(page.get_by_test_id("who")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_serious_fault_in_the_form(
    page: Page, axe: str, theme: Any, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=theme)
    page.goto("/")
    page.get_by_test_id("sign-in").wait_for()
    assert serious(page, axe) == []
    sign_in(page, "ann", "wrong horse")
    page.get_by_role("alert").wait_for()
    assert serious(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_cookie_is_out_of_reach_of_scripts(page: Page) -> None:
    page.goto("/")
    sign_in(page, "ann")
    expect(page.get_by_test_id("who")).to_be_visible()
    assert page.evaluate("document.cookie") == ""
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")


def test_signing_out_shows_the_form_and_the_page_asks_no_more(page: Page) -> None:
    page.goto("/")
    sign_in(page, "ann")
    page.get_by_test_id("sign-out").click()
    expect(page.get_by_test_id("sign-in")).to_be_visible()
    expect(page.get_by_test_id("who")).to_have_count(0)
    assert page.context.cookies() == []


def test_a_session_that_ends_elsewhere_shows_the_form(page: Page, home: Path) -> None:
    page.goto("/")
    sign_in(page, "bob")
    expect(page.get_by_test_id("who")).to_be_visible()
    registry = Registry.open(home / "registry.db")
    with registry.transaction():
        registry._connection.execute("DELETE FROM sessions WHERE user = 'bob'")
    registry.close()
    expect(page.get_by_test_id("sign-in")).to_be_visible(timeout=30_000)


@pytest.mark.parametrize(("name", "is_shown"), [("bob", False), ("ann", True)])
def test_what_a_role_may_not_do_is_not_offered(page: Page, name: str, is_shown: bool) -> None:
    page.goto("/")
    sign_in(page, name)
    expect(page.get_by_test_id("who")).to_be_visible()
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend',"
        " '<button data-needs=operator>Mark</button><button data-needs=admin>Rule</button>')"
    )
    assert page.get_by_role("button", name="Mark").is_visible() is is_shown
    assert not page.get_by_role("button", name="Rule").is_visible()


def test_nobody_is_asked_where_there_are_no_users(
    browser: Browser, built: Path, tmp_path: Path
) -> None:
    home = new_home(tmp_path / "cloud")
    with serving(home):
        host, port = load(home).http_address
        context = browser.new_context(base_url=f"http://{host}:{port}/")
        page = context.new_page()
        page.goto("/")
        expect(page.locator("main")).to_have_attribute("data-view", "fleet")
        expect(page.get_by_test_id("sign-in")).to_have_count(0)
        expect(page.get_by_test_id("who")).to_have_count(0)
        context.close()
