"""The real page over the real system: a recording is replayed, and seen with its anomalies."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.demo.__main__ import RECORDING
from deploy.demo.broker import mosquitto_path
from deploy.demo.stack import Stack, new_stack, run, wait_until
from tests.browser.screen import drag, facts, settled

READINGS = 7267

pytestmark = [pytest.mark.broker, pytest.mark.browser]


@pytest.fixture(scope="module")
def replayed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose lake holds the whole recording."""
    if mosquitto_path() is None:
        missing = "mosquitto is missing; install it: apt-get install -y mosquitto"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    stack = new_stack(tmp_path_factory.mktemp("page") / "stack")
    try:
        stack.prepare()
        stack.start_cloud()
        stack.enroll()
        stack.start_edge()
        home = str(stack.home("edge"))
        topic = ["--topic", "plant/server-room", "--times", "max"]
        run("tidegate-edge", "--home", home, "replay", str(RECORDING), *topic)
        wait_until("the recording is in the lake", lambda: archived(stack) == READINGS, 90)
        yield stack
    finally:
        stack.close()


def archived(stack: Stack) -> int:
    return int(stack.get("/api/v1/status")["lake"]["readings"])


@pytest.fixture
def screen(browser: Browser, replayed: Stack) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 1360, "height": 860}, timezone_id="UTC", device_scale_factor=1
    )
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    opened.goto(replayed.page)
    yield opened
    context.close()


def open_series(screen: Page, replayed: Stack) -> None:
    """From the fleet to the chart, by clicking as a person does."""
    screen.get_by_test_id("gateway-row").get_by_role("link").first.click()
    screen.get_by_test_id("device-row").get_by_role("link").first.click()
    screen.get_by_test_id("metric-row").get_by_role("link").first.click()
    expect(screen.get_by_test_id("chart")).to_have_attribute("data-state", "ready")
    screen.get_by_test_id("preset-all").click()
    screen.wait_for_function(
        "() => Number(document.querySelector('[data-testid=chart]').dataset.anomaliesDrawn) > 0"
    )


def test_a_replayed_anomaly_is_drawn_and_zooming_asks_for_finer_data(
    screen: Page, replayed: Stack
) -> None:
    open_series(screen, replayed)
    whole = facts(screen)
    assert whole["anomaliesDrawn"] > 0
    found = replayed.get("/api/v1/anomalies?limit=1000")["anomalies"]
    drawn = screen.get_by_test_id("anomaly-item").evaluate_all("all => all.map(e => e.dataset.ts)")
    assert {int(ts) for ts in drawn} <= {one["ts"] for one in found}
    assert drawn

    drag(screen, 0.45, 0.55)
    near = settled(screen, whole["generation"])
    assert near["to"] - near["from"] < (whole["to"] - whole["from"]) / 4
    assert near["resolution"] == "raw" or near["bucketUs"] < whole["bucketUs"]
    assert near["points"] > 0


def test_the_chart_shows_the_very_values_of_the_recording(screen: Page, replayed: Stack) -> None:
    open_series(screen, replayed)
    (series,) = replayed.get("/api/v1/series")["series"]
    answer = replayed.get(
        f"/api/v1/history?series={series['id']}&from=0&to=4000000000000000&resolution=raw"
    )
    recorded = [float(line.split(",")[1]) for line in RECORDING.read_text().splitlines()[1:]]
    assert sorted(answer["series"][0]["v"]) == sorted(recorded)


def test_the_commands_of_the_export_fetch_what_the_chart_shows(
    screen: Page, replayed: Stack, tmp_path: Path
) -> None:
    open_series(screen, replayed)
    screen.get_by_test_id("export").locator("summary").click()
    command = screen.get_by_test_id("curl").inner_text()
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, capture_output=True)
    (file,) = tmp_path.glob("tidegate-*.csv")
    rows = file.read_text().splitlines()[1:]
    # A bucket at the window's edge is in the file by its readings, on the screen by its middle.
    assert abs(len(rows) - facts(screen)["points"]) <= 2
    program = screen.get_by_test_id("python").inner_text() + "\nprint(frame.height)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert int(done.stdout) == len(rows), "the frame has what the file has"


def test_a_mark_made_on_the_page_is_kept_by_the_cloud_and_put_back(
    screen: Page, replayed: Stack
) -> None:
    open_series(screen, replayed)
    screen.get_by_test_id("side-marks").click()
    screen.get_by_test_id("mark-window").click()
    screen.get_by_role("radio", name="Maintenance").check()
    screen.get_by_test_id("mark-note").fill("air conditioning cleaned")
    screen.get_by_test_id("mark-author").fill("ann")
    screen.get_by_test_id("mark-save").click()
    expect(screen.get_by_test_id("mark-item")).to_contain_text("air conditioning cleaned")
    (mark,) = replayed.get("/api/v1/marks")["marks"]
    assert (mark["kind"], mark["author"]) == ("maintenance", "ann")
    screen.get_by_test_id("mark-withdraw").click()
    expect(screen.get_by_test_id("mark-item")).to_have_count(0)
    assert replayed.get("/api/v1/marks")["marks"] == []
