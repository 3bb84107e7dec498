"""`tidegate-edge replay`: a recorded CSV, published as a sensor would.

QoS 1, in the file's order, at the recorded pace or N times faster; what is counted as published
was acknowledged by the broker (PUBACK).
"""

import asyncio
import contextlib
import json
import math
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiomqtt
import click

from edge.commands.connection import IN_FLIGHT_MAX, connected
from edge.config import EdgeConfig, load
from edge.errors import OperatorError, UnreachableError
from edge.recording import Recording, Row
from protos.console import Place

PUBACK_S: Final = 60.0


@dataclass(slots=True)
class Told:
    """What the broker acknowledged: messages, values in them; and rows that held no value."""

    published: int = 0
    values: int = 0
    skipped: int = 0


def _times(_ctx: click.Context, _param: click.Parameter, text: str) -> float:
    if text == "max":
        return math.inf
    with contextlib.suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise click.BadParameter(f"{text!r} is neither a positive number nor `max`")


def _topic(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
    if text is not None and (not text or set(text) & set("+#\0")):
        raise click.BadParameter(f"{text!r} cannot be published to")
    return text


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--topic", callback=_topic, help="Where to publish. [default: replay/FILE's name]")
@click.option(
    "--times", callback=_times, default="1", show_default=True, help="How much faster, or `max`."
)
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object of the counts.")
@click.pass_obj
def command(
    place: Place,
    file: Path,
    topic: str | None,
    times: float,
    as_json: bool,
) -> None:
    """Publish the recorded FILE (CSV: time, then named values) as a sensor would."""
    config = load(place.home)
    recording = Recording(file)
    topic = topic or f"replay/{file.stem}"
    told, began = Told(), time.monotonic()
    with click.progressbar(
        length=recording.rows_expected,
        label=topic,
        file=sys.stderr,
        show_pos=True,
        hidden=not sys.stderr.isatty(),
    ) as bar:
        asyncio.run(_publish(config, recording, topic, times, told, bar.update))
    seconds = time.monotonic() - began
    if as_json:
        counts = {"published": told.published, "values": told.values, "skipped": told.skipped}
        click.echo(json.dumps(counts | {"topic": topic, "seconds": round(seconds, 3)}))
    else:
        click.echo(
            f"published {told.published:,} messages with {told.values:,} values to {topic} in "
            f"{seconds:.1f} s" + (f"; {told.skipped:,} rows held no value" if told.skipped else "")
        )


async def _publish(
    config: EdgeConfig,
    recording: Recording,
    topic: str,
    times: float,
    told: Told,
    step: Callable[[int], None],
) -> None:
    try:
        async with connected(config, f"replay to {topic}") as client:
            await _send_all(client, recording, topic, times, told, step)
    except (OperatorError, UnreachableError) as error:
        cause = f"{error.cause}; {told.published:,} messages were acknowledged before"
        raise type(error)(error.tried, cause, error.hint) from error


async def _send_all(
    client: aiomqtt.Client,
    recording: Recording,
    topic: str,
    times: float,
    told: Told,
    step: Callable[[int], None],
) -> None:
    pace = Pace(times)
    flying: deque[tuple[Row, asyncio.Task[None]]] = deque()

    async def land() -> None:
        row, task = flying.popleft()
        await task
        told.published += 1
        told.values += row.values
        step(1)

    try:
        for row in recording.rows():
            while flying and (len(flying) >= IN_FLIGHT_MAX or flying[0][1].done()):
                await land()
            if not row.values:
                told.skipped += 1
                step(1)
                continue
            await pace.wait(row.at_s)
            sending = client.publish(topic, row.payload, qos=1, timeout=PUBACK_S)
            flying.append((row, asyncio.create_task(sending, name="replay-publish")))
        while flying:
            await land()
    except OperatorError:  # a bad row: what was sent before it is seen through, and counted
        while flying:
            await land()
        raise
    finally:
        left = [task for _, task in flying]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


class Pace:
    """Waits until a recorded moment comes round again, `times` faster than it did then."""

    def __init__(self, times: float) -> None:
        self._times = times
        self._began = time.monotonic()
        self._first_s = math.nan

    async def wait(self, at_s: float) -> None:
        """Return when `at_s` is due; at once when it is past."""
        if math.isnan(self._first_s):
            self._first_s = at_s
        due = self._began + (at_s - self._first_s) / self._times
        await asyncio.sleep(max(0.0, due - time.monotonic()))
