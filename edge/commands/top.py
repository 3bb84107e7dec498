"""`tidegate-edge top`: which topics, devices and conventions are the busiest, live."""

import time
from collections import defaultdict
from enum import StrEnum
from typing import Final

import click
import msgspec

from edge.config import EdgeConfig, load
from edge.control import ask
from edge.traffic import Rates
from protos.console import Place
from protos.shown import printable

NAME_CHARS: Final = 60


class By(StrEnum):
    """What messages are counted by."""

    TOPIC = "topic"
    DEVICE = "device"
    CONVENTION = "convention"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line: messages per second of a topic, a device or a convention."""

    name: str
    per_s: float
    messages: int
    topics: int


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown at once: everything that came in ``seconds``, the busiest first."""

    seconds: float
    per_s: float
    topics: int
    by: By
    lines: list[Line]


@click.command()
@click.option(
    "--by", type=click.Choice([by.value for by in By]), default=By.TOPIC.value, show_default=True
)
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option(
    "--interval",
    type=click.FloatRange(0.2, 60.0),
    default=2.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option("--count", type=click.IntRange(1), help="Stop after so many looks.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a look, for machines.")
@click.pass_obj
def command(
    place: Place, by: str, limit: int, interval: float, count: int | None, as_json: bool
) -> None:
    """Show live how many messages come, by topic, device or convention (asks the agent)."""
    config = load(place.home)
    _look(config)  # begins to count
    left = count
    while left is None or left > 0:
        time.sleep(interval)
        page = arranged(_look(config), By(by), limit)
        click.echo(msgspec.json.encode(page) if as_json else _text(page))
        left = None if left is None else left - 1


def _look(config: EdgeConfig) -> Rates:
    return msgspec.json.decode(ask(config.control_path, "top"), type=Rates)


def arranged(rates: Rates, by: By, limit: int) -> Page:
    """The rates by what is asked for, the busiest first."""
    seconds = max(rates.seconds, 1e-3)
    messages: dict[str, int] = defaultdict(int)
    topics: dict[str, int] = defaultdict(int)
    for rate in rates.rates:
        name = getattr(rate, by.value) or "(not read)"
        messages[name] += rate.messages
        topics[name] += 1
    if rates.others:
        messages["(other topics)"] = rates.others
    busiest = sorted(messages.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
    return Page(
        seconds=rates.seconds,
        per_s=rates.messages / seconds,
        topics=rates.topics,
        by=by,
        lines=[
            Line(name=name, per_s=told / seconds, messages=told, topics=topics[name])
            for name, told in busiest
        ],
    )


def _text(page: Page) -> str:
    lines = [f"{page.per_s:,.1f} messages/s on {page.topics:,} topics, by {page.by.value}"]
    for line in page.lines:
        name = printable(line.name)
        shown = name if len(name) <= NAME_CHARS else f"…{name[1 - NAME_CHARS :]}"
        lines.append(f"{line.per_s:12,.1f}/s  {shown}")
    return "\n".join(lines)
