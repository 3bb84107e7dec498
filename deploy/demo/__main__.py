"""`make demo`: one reading's whole journey, with every real part, on this machine.

Runs a broker, the cloud, one enrolled gateway, simulated sensors and the replay of a recorded
series until Ctrl-C. With DEMO_SECONDS set it ends by itself: the sensors stop, the gateway drains,
and the last line printed is one JSON object of counts. Exit 0 only if published = stored =
archived = history.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from deploy.demo import sensors, tally
from deploy.demo.stack import BIN, Stack, StackError, new_stack, wait_until
from protos.series import SeriesKey, series_id

RECORDING = Path(__file__).parent / "data" / "ambient_temperature_system_failure.csv"
RECORDED_DEVICE = "plant/server-room"
# Hourly values at this speed: ten months pass in about 26 s.
REPLAY_TIMES = 1_000_000
DRAIN_SECONDS = 120
INTERRUPTED = 130


def say(text: str) -> None:
    """One line for the person watching."""
    print(text, flush=True)


def seconds_asked() -> float | None:
    """DEMO_SECONDS as a number, or None for 'until Ctrl-C'.

    Raises:
        SystemExit: it is set and is no positive number.
    """
    text = os.environ.get("DEMO_SECONDS")
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e9:
        raise SystemExit(f"DEMO_SECONDS={text!r} is no number of seconds; try DEMO_SECONDS=45")
    return seconds


async def replay(stack: Stack, told: sensors.Told) -> None:
    """Publish the recorded series through the gateway's own `replay` command."""
    process = await asyncio.create_subprocess_exec(
        str(BIN / "tidegate-edge"), "--home", str(stack.home("edge")), "replay", str(RECORDING),
        "--topic", RECORDED_DEVICE, "--times", str(REPLAY_TIMES), "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if process.returncode != 0:
        raise StackError(f"tidegate-edge replay → exit {process.returncode}\n{errors.decode()}")
    said = json.loads(output.decode().splitlines()[-1])
    told.messages += said["published"]
    told.readings += said["published"]


async def live(stack: Stack, seconds: float | None) -> int:
    """Let sensors publish for the asked time; return the readings the broker acknowledged."""
    told, recorded, stop = sensors.Told(), sensors.Told(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        say("stopping …")
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sensors.publish(stack.broker.port, told, stop), name="sensors")
        playing = tasks.create_task(replay(stack, recorded), name="replay")
        if seconds is not None:
            loop.call_later(seconds, stop.set)
        await stop.wait()
        if seconds is None:
            playing.cancel()
    return told.readings + recorded.readings


def run_live(stack: Stack, seconds: float | None) -> int:
    """Run `live` to its end.

    Raises:
        StackError: a sensor or the replay failed.
    """
    try:
        return asyncio.run(live(stack, seconds))
    except ExceptionGroup as failures:
        raise StackError("; ".join(map(str, failures.exceptions))) from failures


def drained(stack: Stack, published: int) -> bool:
    """Whether everything published is stored, the gateway is empty and the lake has all of it."""
    edge, cloud = stack.edge_status(), stack.try_get("/api/v1/status")
    return (
        cloud is not None
        and cloud["journal"]["readings"] >= published
        and edge["buffer"]["rows"] == 0
        and edge["ingest"]["waiting"] == 0
        and cloud["journal"]["head"] == cloud["journal"]["archived"]
    )


def count(stack: Stack, published: int) -> dict[str, int]:
    """The counts of the last line: what each hop says it has, and what history really holds."""
    status = stack.get("/api/v1/status")
    edge = stack.edge_status()
    return {
        "published": published,
        "stored": status["journal"]["readings"],
        "archived": status["lake"]["readings"],
        "history": tally.history_count(stack),
        "anomalies": status["history"]["anomalies"],
        "rejected": edge["ingest"]["rejected"],
    }


def recorded_at(stack: Stack) -> str:
    """Where on the page the replayed series is."""
    number = series_id(stack.gateway, SeriesKey(RECORDED_DEVICE, "value"))
    device = quote(RECORDED_DEVICE, safe="")
    return f"#/gateways/{stack.gateway}/devices/{device}/series/{number:016x}?last=all"


def prepare(stack: Stack) -> None:
    """Start everything, saying what it is."""
    say(f"broker   {stack.broker.kind} on {stack.broker.url}")
    stack.prepare()
    stack.start_cloud()
    stack.enroll()
    stack.start_edge()
    say(f"cloud    gRPC with mutual TLS on 127.0.0.1:{stack.sync_port}")
    say(f"gateway  {stack.gateway}, enrolled; its buffer is encrypted")
    say(f"replay   {RECORDING.stem}: ten months of a real building in half a minute")
    say(f"\n    open  {stack.page}")
    say(f"    the replayed series, as it grows:\n          {stack.page}/{recorded_at(stack)}\n")


def main() -> int:
    """Run the demo; see the module's own words."""
    seconds = seconds_asked()
    folder = Path(tempfile.mkdtemp(prefix="tidegate-demo-"))
    stack = new_stack(folder)
    started = time.monotonic()
    try:
        prepare(stack)
        published = run_live(stack, seconds)
        if seconds is None:
            return 0
        say(f"sensors stopped after {time.monotonic() - started:.0f} s; draining …")
        try:
            wait_until("all is archived", lambda: drained(stack, published), DRAIN_SECONDS)
        except StackError as error:
            say(f"demo: {error}; the counts tell what is missing")
        counts = count(stack, published)
    except KeyboardInterrupt:
        return INTERRUPTED
    except StackError as error:
        print(f"demo: {error}", file=sys.stderr)
        for half in (stack.edge, stack.cloud):
            if half.log.exists():
                print(f"--- {half.log.name}\n{half.tail()}", file=sys.stderr)
        return 1
    finally:
        # Once more Ctrl-C would leave processes and their folder behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stack.close()
        shutil.rmtree(folder, ignore_errors=True)
    whole = {counts[hop] for hop in ("published", "stored", "archived", "history")}
    print(json.dumps(counts), flush=True)
    return 0 if len(whole) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
