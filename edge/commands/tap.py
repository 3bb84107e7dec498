"""`tidegate-edge tap`: how each message is read, live; nothing is kept and nothing acknowledged."""

import asyncio
import secrets
from collections.abc import Iterator

import click

from edge.commands.connection import connected
from edge.config import EdgeConfig, load
from edge.topic import filter_problem
from protos.console import Place
from protos.shown import printable, shown_time

SHOWN_BYTES_MAX = 120


def _filter(_ctx: click.Context, _param: click.Parameter, text: str) -> str:
    problem = filter_problem(text)
    if problem:
        raise click.BadParameter(f"{text!r} is no topic filter: {problem}")
    return text


@click.command()
@click.argument("topic", default="#", callback=_filter)
@click.option("--count", type=click.IntRange(1), help="Stop after so many messages.")
@click.pass_obj
def command(place: Place, topic: str, count: int | None) -> None:
    """Show live how each message on TOPIC is read (a filter, default everything)."""
    config = load(place.home)
    asyncio.run(_tap(config, topic, count))


async def _tap(config: EdgeConfig, topic: str, count: int | None) -> None:
    explain = Explainer(config)
    async with connected(config, f"listen to {topic!r}") as client:
        await client.subscribe(topic, qos=0)
        click.echo(f"listening to {topic} at {config.settings.broker.url}; Ctrl-C ends", err=True)
        left = count
        async for message in client.messages:
            payload = bytes(message.payload) if isinstance(message.payload, bytes) else b""
            lines = explain.lines(str(message.topic), payload, retained=bool(message.retain))
            for line in lines:
                click.echo(line)
            left = None if left is None else left - 1
            if left == 0:
                return


class Explainer:
    """Tells in words what the agent would make of a message; it keeps nothing."""

    def __init__(self, config: EdgeConfig) -> None:
        from edge.catalog import Catalog
        from edge.payload.said import ReadingLimits
        from edge.reading import OWN_PREFIX, Reader
        from edge.redelivery import Redelivery
        from edge.topic import TopicFilters

        ingest = config.settings.ingest
        self._own = (OWN_PREFIX, "$", f"{config.settings.alerts.topic}/")
        self._ignored = TopicFilters(ingest.ignore)
        self._reader = Reader(
            Catalog(salt=lambda: secrets.token_bytes(16)),
            Redelivery(secrets.token_bytes(32), messages_max=0),
            limits=ReadingLimits(payload_bytes_max=ingest.payload_bytes_max),
        )

    def lines(self, topic: str, payload: bytes, *, retained: bool) -> Iterator[str]:
        """One line for the message, then one for each value, or why there is none."""
        from edge.payload.said import Unreadable

        text = payload[:SHOWN_BYTES_MAX].decode("utf-8", "backslashreplace")
        more = "…" if len(payload) > SHOWN_BYTES_MAX else ""
        yield f"{click.style(printable(topic), bold=True)} {printable(text)}{more}"
        why = self._why_not(topic, retained=retained)
        if why:
            yield f"    {why}"
            return
        try:
            told = self._reader.explain(topic, payload)
        except Unreadable as error:
            yield click.style(f"    rejected: {printable(error.reason)}", fg="red")
            return
        for said in told:
            at = "on arrival" if said.at_us is None else shown_time(said.at_us)
            for (metric, kind, unit, labels), value in (*said.numbers, *said.texts):
                tags = "".join(f" {name}={label}" for name, label in labels)
                shown = repr(value) if isinstance(value, str) else f"{value:.12g}"
                told_unit = f" {unit}" if unit else ""
                line = f"    {said.device} · {metric}{tags} = {shown}{told_unit}"
                yield f"{printable(line)}  ({kind.name.lower()}, {at})"
            if said.missing:
                yield f"    {said.missing} values are null or not finite"
            for fault in said.faults:
                yield click.style(f"    rejected in part: {printable(fault)}", fg="red")

    def _why_not(self, topic: str, *, retained: bool) -> str:
        if retained:
            return "retained: the last value kept by the broker, not a new reading"
        if topic.startswith(self._own):
            return "ignored: a topic of the broker or of this agent"
        return "ignored by ingest.ignore" if self._ignored.match(topic) else ""
