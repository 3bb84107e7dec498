"""How much script each view of the page fetches before anything is seen, in a real Chromium."""

import gzip
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.screen import VIBRATION

pytestmark = pytest.mark.browser

SCRIPT_GZIP_BYTES_MAX = 60 * 1024


@pytest.mark.parametrize(
    ("route", "seen"),
    [
        ("", "gateway-row"),
        (f"{VIBRATION}?last=24h&with={16:016x}", "chart"),
        ("#/review", "episode-item"),
    ],
)
def test_no_view_fetches_more_script_than_it_may(
    page: Page, server: str, built: Path, route: str, seen: str
) -> None:
    fetched: set[str] = set()
    page.on("request", lambda r: r.url.endswith(".js") and fetched.add(r.url.split("/")[-1]))
    page.goto(f"{server}{route}")
    page.get_by_test_id(seen).first.wait_for()
    size = sum(len(gzip.compress((built / "assets" / name).read_bytes(), 9)) for name in fetched)
    assert 0 < size <= SCRIPT_GZIP_BYTES_MAX, fetched
