"""The export of what is shown, in a real Chromium: addresses, commands, and a copy of them."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import TEMPERATURE, VIBRATION, facts, open_chart

pytestmark = pytest.mark.browser

WINDOW = "?from=2013-10-15T00:00:00Z&to=2013-12-20T00:00:00Z"


def open_export(page: Page) -> None:
    page.get_by_test_id("export").locator("summary").click()
    page.get_by_test_id("export-panel").wait_for()


def asked(page: Page, at: int = 0) -> dict[str, str]:
    href = page.get_by_test_id("download").nth(at).evaluate("e => e.href")
    return {name: value for name, (value,) in parse_qs(urlsplit(href).query).items()}


def test_the_file_has_range_series_and_resolution_of_the_chart(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}{WINDOW}&bad=exclude")
    assert facts(page)["bucketUs"] == 4 * 3_600_000_000
    open_export(page)
    assert asked(page) == {
        "series": "00000000000000a1",
        "from": "2013-10-15T00:00:00Z",
        "to": "2013-12-20T00:00:00Z",
        "bucket": "4h",
        "bad": "exclude",
        "format": "csv",
    }
    for form in ("parquet", "arrow", "json"):
        page.get_by_test_id(f"form-{form}").click()
        assert asked(page)["format"] == form
        expect(page.get_by_test_id("curl")).to_contain_text(f"tidegate-4h.{form}")
    href = page.get_by_test_id("download").evaluate("e => e.href")
    assert href.startswith(server)
    assert href in page.get_by_test_id("curl").inner_text()


def test_the_commands_are_copied_as_they_stand(page: Page, server: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_chart(page, f"{server}{TEMPERATURE}{WINDOW}")
    open_export(page)
    page.get_by_test_id("copy-python").click()
    expect(page.get_by_test_id("copy-python")).to_contain_text("Copied")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied == page.get_by_test_id("python").inner_text()
    compile(copied, "copied", "exec")
    assert 'tidegate.connect("' + server.rstrip("/") + '")' in copied
    assert 'resolution="4h"' in copied
    page.get_by_test_id("copy-curl").click()
    expect(page.get_by_test_id("copy-curl")).to_contain_text("Copied")
    assert page.evaluate("() => navigator.clipboard.readText()").startswith("curl -f -o ")


def test_series_of_other_kinds_are_asked_apart(page: Page, server: str) -> None:
    others = f"{16:016x},00000000000000c3"
    page.goto(f"{server}{VIBRATION}?last=6h&with={others}")
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-testid=chart]')].length === 2"
        " && [...document.querySelectorAll('[data-testid=chart]')]"
        ".every(one => one.dataset.state === 'ready')"
    )
    open_export(page)
    links = page.get_by_test_id("download")
    kinds = [asked(page, at).get("bucket", "states") for at in range(links.count())]
    assert kinds[-1] == "states"
    assert links.last.evaluate("e => new URL(e.href).pathname") == "/api/v1/states"
    assert ".states(" in page.get_by_test_id("python").last.inner_text()
