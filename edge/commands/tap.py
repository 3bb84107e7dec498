"""`tidegate-edge tap`: how each message is read, live; nothing is kept and nothing acknowledged."""

import asyncio
import time

import click
import msgspec

from edge.commands.connection import connected, wanted_filter
from edge.config import EdgeConfig, load
from protos.console import Place


@click.command()
@click.argument("topic", default="#", callback=wanted_filter)
@click.option("--count", type=click.IntRange(1), help="Stop after so many messages.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a message, for machines.")
@click.pass_obj
def command(place: Place, topic: str, count: int | None, as_json: bool) -> None:
    """Show live how each message on TOPIC is read (a filter, default everything)."""
    config = load(place.home)
    asyncio.run(_tap(config, topic, count, as_json=as_json))


async def _tap(config: EdgeConfig, topic: str, count: int | None, *, as_json: bool) -> None:
    from edge.explain import Explainer, lines

    explainer = Explainer(config)
    async with connected(config, f"listen to {topic!r}") as client:
        await client.subscribe(topic, qos=0)
        click.echo(f"listening to {topic} at {config.settings.broker.url}; Ctrl-C ends", err=True)
        left = count
        async for message in client.messages:
            payload = bytes(message.payload) if isinstance(message.payload, bytes) else b""
            told = explainer.explain(
                str(message.topic),
                payload,
                retained=bool(message.retain),
                arrival_us=time.time_ns() // 1000,
            )
            if as_json:
                click.echo(msgspec.json.encode(told))
            else:
                click.echo("\n".join(lines(told, payload)))
            left = None if left is None else left - 1
            if left == 0:
                return
