"""The report of a backtest in Chromium: nothing is asked for, nothing complained of, all fits."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.cloud.models.history_world import history_world
from tests.cloud.models.test_backtest import faulty, learned

pytestmark = pytest.mark.browser


@pytest.fixture
def report(tmp_path: Path, monkeypatch, capsys) -> Path:
    world = history_world(tmp_path, monkeypatch, capsys)
    faulty(world)
    learned(world)
    path = tmp_path / "report.html"
    world.call("model", "backtest", "cavitation", "--report", str(path))
    world.world.close()
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_report_shows_everything_and_asks_nobody(
    browser: Browser, report: Path, scheme: str, width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=True
    )
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(report.as_uri())
    assert page.get_by_role("heading", name="Backtest of cavitation@1").is_visible()
    assert page.get_by_role("img").count() == 2
    assert page.locator("svg rect.false").count() == 1
    assert page.locator("svg rect.known").count() == 2
    if folder := _pictures():
        page.screenshot(path=folder / f"backtest-{scheme}-{width}.png", full_page=True)
    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wider <= 0
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    context.close()
    assert asked == [report.as_uri()]
    assert complaints == []


def _pictures() -> Path | None:
    """Where to leave pictures for somebody to look at, if anybody wants to."""
    import os

    folder = os.environ.get("TIDEGATE_PICTURES")
    return Path(folder) if folder else None
