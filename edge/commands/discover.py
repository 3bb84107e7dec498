"""`tidegate-edge discover`: listen for a while, tell who speaks how, and propose rules."""

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
import msgspec

from edge.commands.connection import connected, wanted_filter
from edge.config import RULES_NAME, EdgeConfig, load
from edge.proposal import Listened, Proposed, proposals
from protos.console import Place
from protos.settings import toml_value
from protos.shown import printable

if TYPE_CHECKING:
    from edge.explain import Explainer

REJECTED_SHOWN_MAX = 20


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: messages by convention, devices by convention, rules worth writing."""

    seconds: float
    conventions: dict[str, int]
    devices: dict[str, list[str]]
    ignored: dict[str, int]
    rejected: dict[str, str]
    rules: list[dict[str, str]]


@click.command()
@click.argument("topic", default="#", callback=wanted_filter)
@click.option(
    "--seconds", type=click.FloatRange(0.1, 86_400.0), default=30.0, show_default=True,
    help="How long to listen.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
def command(place: Place, topic: str, seconds: float, as_json: bool) -> None:
    """Listen on TOPIC for a while and propose the rules file; nothing is kept or changed."""
    listened = heard(load(place.home), topic, seconds)
    rules = proposals(listened)
    if as_json:
        click.echo(msgspec.json.encode(_found(listened, rules, seconds)))
    else:
        click.echo("\n".join(_text(listened, rules)))


def heard(config: EdgeConfig, topic: str, seconds: float) -> Listened:
    """Listen to the broker for a while.

    Raises:
        UnreachableError: the broker does not answer, refuses, or goes away in between.
    """
    listened = Listened()
    asyncio.run(_listen(config, topic, seconds, listened))
    return listened


def proposal(listened: Listened) -> str:
    """The rules file that is worth writing; empty where none is."""
    rules = proposals(listened)
    return "\n".join(_text(listened, rules)) if rules else ""


def summary(listened: Listened, seconds: float) -> str:
    """What was heard, in one line."""
    devices = sum(len(names) for names in _devices(listened).values())
    told = [f"{name} {count}" for name, count in listened.conventions.most_common()]
    text = f"{devices} {'device' if devices == 1 else 'devices'} in {seconds:g} s"
    text += f" (messages: {', '.join(told)})" if told else ""
    if listened.ignored:
        text += f"; {listened.ignored.total()} messages that are no reading"
    if listened.rejected:
        text += f"; {len(listened.rejected)} topics that cannot be read"
    return text


async def _listen(config: EdgeConfig, topic: str, seconds: float, listened: Listened) -> None:
    from edge.explain import Explainer

    explainer = Explainer(config)
    async with connected(config, f"listen to {topic!r}") as client:
        await client.subscribe(topic, qos=0)
        click.echo(f"listening to {topic} for {seconds:g} s …", err=True)
        try:
            async with asyncio.timeout(seconds):
                async for message in client.messages:
                    payload = bytes(message.payload) if isinstance(message.payload, bytes) else b""
                    _take(explainer, listened, str(message.topic), payload, bool(message.retain))
        except TimeoutError:
            return


def _take(
    explainer: "Explainer", listened: Listened, topic: str, payload: bytes, kept: bool
) -> None:
    from edge.payload import json_text
    from edge.payload.said import Unreadable

    told = explainer.explain(topic, payload, retained=kept, arrival_us=time.time_ns() // 1000)
    if told.outcome == "rejected":
        listened.reject(topic, told.why)
    elif told.outcome != "read":
        listened.ignored[told.why] += 1
    else:
        try:
            tree = json_text.decode(payload) if json_text.opening(payload) == b"{" else None
        except Unreadable:
            tree = None
        listened.add(topic, told.convention, {one.device for one in told.readings}, tree)


def _devices(listened: Listened) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for topic in listened.topics.values():
        found.setdefault(topic.convention, set()).update(topic.devices)
    return {name: sorted(devices) for name, devices in sorted(found.items())}


def _found(listened: Listened, rules: list[Proposed], seconds: float) -> Discovery:
    return Discovery(
        seconds=seconds,
        conventions=dict(listened.conventions.most_common()),
        devices=_devices(listened),
        ignored=dict(listened.ignored.most_common()),
        rejected=listened.rejected,
        rules=[
            {"template": rule.template} | ({"time": rule.time} if rule.time else {})
            for rule in rules
        ],
    )


def _text(listened: Listened, rules: list[Proposed]) -> Iterator[str]:
    """The proposal as a rules file: what needs no rule is a comment."""
    yield f"# Proposed for {RULES_NAME} by `tidegate-edge discover`: keep what is right."
    for convention, devices in _devices(listened).items():
        names = ", ".join(printable(name) for name in devices[:8])
        more = f" and {len(devices) - 8} more" if len(devices) > 8 else ""
        yield f"# {convention}: {listened.conventions[convention]} messages of {names}{more}"
    for why, count in listened.ignored.most_common():
        yield f"# no reading, {count}: {printable(why)}"
    for topic, reason in list(listened.rejected.items())[:REJECTED_SHOWN_MAX]:
        yield f"# cannot be read: {printable(topic)}: {printable(reason)}"
    if listened.local_times:
        yield ""
        yield "# Some devices tell local times without an offset; name their zone to use them:"
        yield '# time_zone = "Europe/Berlin"'
    for rule in rules:
        yield ""
        yield f"# {rule.topics} topics like {printable(rule.example)}"
        yield "[[topic]]"
        yield f"template = {toml_value(rule.template)}"
        if rule.time:
            yield f"time = {toml_value(rule.time)}"
