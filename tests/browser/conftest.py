"""What the browser tests share: the built page, a stand-in server, a watched Chromium."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium() -> Path:
    if not CHROMIUM.exists():
        missing = "no Chromium here: apt-get install -y chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return CHROMIUM


@pytest.fixture(scope="session")
def built() -> Path:
    subprocess.run([sys.executable, ROOT / "cloud/web/build.py"], check=True)
    return ROOT / "cloud/web/dist"


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of the checker."""
    build = ROOT / "cloud/web/build.py"
    subprocess.run([sys.executable, build, "--install-checkers"], check=True)
    return (ROOT / "cloud/web/node_modules/axe-core/axe.min.js").read_text()


@pytest.fixture
def server(built: Path) -> Iterator[str]:
    command = [sys.executable, HERE / "fixture_api.py"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as play:
        launched = play.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    """A page whose every request and complaint is watched: none may leave, none may be made."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, timezone_id="Asia/Tokyo")
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    strangers: list[str] = []
    complaints: list[str] = []
    opened.on("request", lambda r: r.url.startswith(server) or strangers.append(r.url))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "console", lambda m: complaints.append(m.text) if "Content Security" in m.text else None
    )
    yield opened
    context.close()
    assert strangers == []
    assert complaints == []
