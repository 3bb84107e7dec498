"""The pictures of README and guide, taken from a running system.

`make pictures` keeps them in docs/images; the suite takes them too, and throws them away.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from deploy.demo.broker import mosquitto_path
from deploy.demo.stack import new_stack
from tests.browser.first_day import SECOND_GATEWAY, Day

pytestmark = [pytest.mark.broker, pytest.mark.browser]

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
GUIDE = ROOT / "docs" / "guide" / "first-day.md"
BYTES_MAX = 250_000
IS_KEPT = os.environ.get("TIDEGATE_PICTURES") == "1"
LIVE_S = 20 if IS_KEPT else 4
TABLE: ViewportSize = {"width": 1200, "height": 640}
CHART: ViewportSize = {"width": 1200, "height": 930}
REVIEW: ViewportSize = {"width": 1200, "height": 1160}
MODELS: ViewportSize = {"width": 1200, "height": 980}
PHONE: ViewportSize = {"width": 390, "height": 844}
FORM: ViewportSize = {"width": 1000, "height": 900}
SILENT_MS = 180_000
ROOM = "#/gateways/greenhouse-1/devices/plant%2Fserver-room/series"


@dataclass
class Album:
    """Takes pictures of a page and keeps them under their names."""

    page: Page
    address: str
    folder: Path

    def open(self, view: str) -> None:
        self.page.goto("about:blank")  # another hash alone would leave what was asked before
        self.page.goto(f"{self.address}/{view}")
        self.page.mouse.move(2, 2)

    def chart(self, view: str) -> None:
        self.page.set_viewport_size(CHART)
        self.open(view)
        expect(self.page.get_by_test_id("chart")).to_have_attribute("data-state", "ready")

    def table(self, view: str) -> None:
        self.page.set_viewport_size(TABLE)
        self.open(view)

    def take(self, name: str) -> None:
        path = self.folder / f"{name}.png"
        self.page.screenshot(path=path)
        assert path.read_bytes().startswith(b"\x89PNG")
        assert 8_000 < path.stat().st_size < BYTES_MAX, name


@pytest.fixture
def day(built: Path, tmp_path: Path) -> Iterator[Day]:
    if mosquitto_path() is None:
        missing = "mosquitto is missing; install it: apt-get install -y mosquitto"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    day = Day(new_stack(tmp_path / "stack"), silent_s=60.0 if IS_KEPT else 5.0)
    try:
        yield day
    finally:
        day.close()


@pytest.fixture
def album(browser: Browser, day: Day, tmp_path: Path) -> Iterator[Album]:
    context = browser.new_context(timezone_id="UTC", color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(30_000)
    folder = IMAGES if IS_KEPT else tmp_path
    yield Album(page, day.stack.page, folder)
    context.close()


@pytest.mark.timeout(600)
def test_a_first_day_is_seen_in_pictures(day: Day, album: Album) -> None:
    day.begin()
    enrol(album)
    day.enrol()
    day.live(LIVE_S)
    well(album)
    found(album)
    history(album, day.series("plant/server-room"))
    marked(album)
    reviewed(album)
    rolled_out(album, day)
    downloaded(album, day)
    exported(day)
    day.stop_second()
    told(album)
    stopped(album)


def enrol(album: Album) -> None:
    album.table("#/")
    expect(album.page.get_by_test_id("enrol-first")).to_be_visible()
    album.take("enrol")


def well(album: Album) -> None:
    album.table("#/")
    expect(album.page.get_by_test_id("gateway-row")).to_have_count(2)
    expect(album.page.locator("[data-health=well] >> nth=1")).to_be_visible()
    album.take("fleet")
    album.table(f"#/gateways/{SECOND_GATEWAY}/devices/plant%2Fpump1")
    expect(album.page.locator(".spark-line").first).to_have_attribute("d", re.compile("^M"))
    album.take("device")


def found(album: Album) -> None:
    album.table("#/series?q=bay&unit=&kind=gauge")
    expect(album.page.get_by_test_id("found-row").first).to_be_visible()
    album.page.locator("[data-testid=found-row] .spark-line").first.wait_for(state="attached")
    album.take("series")


def history(album: Album, series: str) -> None:
    album.chart(f"{ROOM}/{series}?last=all")
    album.page.wait_for_function(
        "() => Number(document.querySelector('[data-testid=chart]').dataset.anomaliesDrawn) > 0"
    )
    expect(album.page.get_by_test_id("side-episodes")).not_to_have_text("Episodes 0")
    album.take("page")
    album.chart(f"{ROOM}/{series}?from=2013-09-20T00:00:00Z&to=2013-10-20T00:00:00Z")
    assert album.page.get_by_test_id("chart").get_attribute("data-gaps") != "0"
    album.take("gap")
    album.chart(f"{ROOM}/{series}?last=all")
    album.page.get_by_test_id("anomaly-item").first.click()
    album.page.wait_for_url(re.compile("from="))
    expect(album.page.get_by_test_id("chart")).to_have_attribute("data-state", "ready")
    album.page.get_by_test_id("anomaly-marker").first.hover()
    expect(album.page.get_by_test_id("anomaly-tip")).to_be_visible()
    album.take("anomaly")


def marked(album: Album) -> None:
    """The window about an anomaly is said to be a fault."""
    page = album.page
    page.get_by_test_id("side-marks").click()
    page.get_by_test_id("mark-window").click()
    page.get_by_test_id("mark-note").fill("Fan stood still, replaced.")
    page.get_by_test_id("mark-author").fill("Ann")
    page.set_viewport_size(FORM)
    page.get_by_test_id("mark-form").scroll_into_view_if_needed()
    album.take("mark")
    page.set_viewport_size(CHART)
    page.get_by_test_id("mark-save").click()
    expect(page.get_by_test_id("mark-item")).to_contain_text("Fan stood still, replaced.")


def reviewed(album: Album) -> None:
    """An episode that a gateway told, with what it can be called."""
    page = album.page
    page.set_viewport_size(REVIEW)
    album.open("#/review?state=all&device=plant%2Fserver-room&order=peak")
    page.get_by_test_id("episode-item").first.click()
    expect(page.get_by_test_id("chart")).to_have_attribute("data-state", "ready")
    page.get_by_test_id("verdict-form").wait_for()
    page.get_by_test_id("episode-bar").first.wait_for()
    album.take("review")
    page.set_viewport_size(PHONE)
    page.wait_for_function(f"document.documentElement.scrollWidth === {PHONE['width']}")
    page.emulate_media(color_scheme="dark")
    album.take("review-phone")
    page.emulate_media(color_scheme="light")


def rolled_out(album: Album, day: Day) -> None:
    """A model in shadow on both gateways, which say what they do with it."""
    day.publish()
    album.page.set_viewport_size(MODELS)
    album.open("#/models")
    rows = album.page.locator("[data-testid=running-row][data-state=tried]")
    expect(rows).to_have_count(2, timeout=90_000)
    album.take("models")


def downloaded(album: Album, day: Day) -> None:
    """What the chart shows, by the very command that stands under it."""
    page = album.page
    album.chart(f"{ROOM}/{day.series('plant/server-room')}?last=all")
    page.get_by_test_id("export").locator("summary").click()
    page.get_by_test_id("export-panel").scroll_into_view_if_needed()
    album.take("export")
    for name, shell in (("curl", ["bash", "-c"]), ("python", [sys.executable, "-c"])):
        command = page.get_by_test_id(name).inner_text()
        if name == "python":
            command += "\nassert frame.height > 0"
        subprocess.run([*shell, command], check=True, cwd=day.stack.folder, capture_output=True)
    (file,) = day.stack.folder.glob("tidegate-*.csv")
    points = int(page.get_by_test_id("chart").get_attribute("data-points") or 0)
    assert points > 0
    assert abs(len(file.read_text().splitlines()) - 1 - points) <= 2


def told(album: Album) -> None:
    """A gateway that stopped is an alert, and a message that arrived."""
    album.table("#/alerts?what=silence")
    page = album.page
    page.locator("[data-what=silence]").wait_for(timeout=SILENT_MS)
    expect(page.get_by_test_id("standing")).to_contain_text(SECOND_GATEWAY)
    row = page.locator("[data-testid=notice-row][data-state=delivered]")
    row.filter(has_text=f"{SECOND_GATEWAY}: gateway is silent").wait_for()
    expect(page.get_by_test_id("alerts-badge")).to_contain_text("critical")
    album.take("alerts")


def stopped(album: Album) -> None:
    album.table("#/")
    row = album.page.locator(f"[data-gateway={SECOND_GATEWAY}]")
    row.and_(album.page.locator("[data-health=silent]")).wait_for(timeout=SILENT_MS)
    album.take("stopped")


def exported(day: Day) -> None:
    """The very commands of the guide, but for the address and the series."""
    series = day.series("plant/server-room")
    commands = re.findall(r"^    (curl .+)$", GUIDE.read_text(), re.MULTILINE)
    assert len(commands) >= 2
    for command in commands:
        told = command.replace("http://localhost:8460", day.stack.page).replace("SERIES", series)
        done = subprocess.run(
            told, shell=True, capture_output=True, text=True, check=True, cwd=day.stack.folder
        )
        assert done.returncode == 0
    rows = (day.stack.folder / "room.csv").read_text().splitlines()
    assert len(rows) == 1 + 7_267
    assert (day.stack.folder / "room.parquet").read_bytes().startswith(b"PAR1")


@pytest.mark.parametrize("path", [GUIDE, ROOT / "README.md"], ids=lambda path: path.name)
def test_every_picture_that_is_shown_is_there_and_small(path: Path) -> None:
    shown = re.findall(r"!\[([^]]+)\]\(([^)]+\.png)\)", path.read_text())
    assert shown
    for told, image in shown:
        file = (path.parent / image).resolve()
        assert file.stat().st_size < BYTES_MAX, image
        assert len(told) > 20, "who cannot see it reads what it shows"
