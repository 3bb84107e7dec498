"""How smoothly the chart moves under a hand: `python -m benchmarks.page`.

The built page in a real Chromium, against the stand-in server of the browser tests (a series by the
second). A window of so many readings is moved a little with every frame, to and fro, for so many
seconds: with buckets, as the page draws by itself, and with every reading on the canvas. The
baseline is the same page left alone in the same run. Figures are the time from one frame to the
next in ms, of which a screen of 60 Hz allows 16.7. The last line is one JSON object.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
SERIES = "#/gateways/pump-house/devices/pump-1/series/00000000000000b2"
READINGS = 100_000
READINGS_MAX = 120_000
"""The stand-in's series has two days; a window with room on either side is no longer than this."""
SECONDS = 10.0
BOX = {"width": 1280, "height": 860}
READY_MS = 60_000

FRAMES = """([seconds, moves]) => new Promise((done) => {
  const over = document.querySelector(".u-over");
  const { left, top, width, height } = over.getBoundingClientRect();
  const place = { clientX: left + width / 2, clientY: top + height / 2 };
  const chart = document.querySelector("[data-testid=chart]");
  const frames = [];
  let windows = 0;
  let shown;
  let last;
  let begun;
  const step = (now) => {
    begun ??= now;
    if (last !== undefined) frames.push(now - last);
    last = now;
    if (chart.dataset.from !== shown) windows += 1;
    shown = chart.dataset.from;
    if (now - begun > seconds * 1000) return done({ frames, windows });
    const way = Math.floor((now - begun) / 1000) % 2 ? 1 : -1;
    const how = { deltaX: way * width * 0.004, bubbles: true, cancelable: true, ...place };
    if (moves) over.dispatchEvent(new WheelEvent("wheel", how));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""


@contextmanager
def stand_in() -> Iterator[str]:
    """The address of the page with synthetic data behind it."""
    subprocess.run([sys.executable, ROOT / "cloud/web/build.py"], check=True, stdout=sys.stderr)
    command = [sys.executable, str(ROOT / "tests/browser/fixture_api.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


def drawn(page: Page) -> int:
    """Points in the window, as the chart itself says, once it shows what it asked for."""
    page.wait_for_function(
        "() => document.querySelector('[data-testid=chart]')?.dataset.state === 'ready'",
        timeout=READY_MS,
    )
    return int(page.get_by_test_id("chart").get_attribute("data-points") or 0)


def frames(page: Page, seconds: float, *, moves: bool) -> dict[str, float]:
    """How long frames took, ms: half of them, 95 in a hundred, all; how many windows were seen."""
    found = page.evaluate(FRAMES, [seconds, moves])
    p50, p95, most = np.percentile(found["frames"], [50, 95, 100])
    shown = {"frames": len(found["frames"]), "windows": found["windows"]}
    return {**shown, "p50": p50, "p95": p95, "max": most}


def measure(page: Page, server: str, readings: int, seconds: float) -> dict[str, Any]:
    """The same window left alone, moved with buckets, and moved with every reading drawn."""
    instants = (
        "n => [0.75, 0.25].map(k => new Date(Date.now() - 43200e3 * 2 + (0.5 - k) * n * 2e3)"
        ".toISOString())"
    )
    start, end = page.evaluate(instants, readings)
    told: dict[str, Any] = {"readings": readings, "seconds": seconds}
    for name, more in (("buckets", ""), ("every_reading", "&detail=raw")):
        page.goto("about:blank")
        page.goto(f"{server}{SERIES}?from={start}&to={end}{more}")
        points = drawn(page)
        if not more:
            told["still_ms"] = frames(page, seconds, moves=False)
        told[f"{name}_ms"] = frames(page, seconds, moves=True)
        told[f"{name}_points"] = points
    return told


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Measure and tell; the object of the last line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--readings", type=int, default=READINGS, help="in the window")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each of the three")
    of = parser.parse_args(argv)
    if not 1 <= of.readings <= READINGS_MAX:
        parser.error(f"--readings is {of.readings}: 1 to {READINGS_MAX}")
    with stand_in() as server, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport=BOX)  # type: ignore[arg-type]
        told = measure(page, server, of.readings, of.seconds)
        browser.close()
    for name in ("still_ms", "buckets_ms", "every_reading_ms"):
        shown = "  ".join(f"{key} {value:8.1f}" for key, value in told[name].items())
        print(f"{name:18} {shown}", file=sys.stderr)
        told[name] = {key: round(value, 1) for key, value in told[name].items()}
    return told


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
