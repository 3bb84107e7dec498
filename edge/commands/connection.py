"""A connection to the configured broker for the verbs that are not the agent."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import aiomqtt
import click

from edge.config import EdgeConfig
from edge.errors import UnreachableError
from edge.topic import filter_problem

IN_FLIGHT_MAX: Final = 200
"""Publications sent and not yet acknowledged."""


def wanted_filter(_ctx: click.Context, _param: click.Parameter, text: str) -> str:
    """A topic filter from the command line; BadParameter when it is none."""
    problem = filter_problem(text)
    if problem:
        raise click.BadParameter(f"{text!r} is no topic filter: {problem}")
    return text


@asynccontextmanager
async def connected(config: EdgeConfig, tried: str) -> AsyncIterator[aiomqtt.Client]:
    """Be connected to the broker, under a client id of our own.

    Raises:
        UnreachableError: the broker does not answer, refuses, or goes away in between.
        OperatorError: the TLS files or the password file cannot be used.
    """
    broker = config.settings.broker
    logger = logging.getLogger("aiomqtt")
    logger.setLevel(logging.ERROR)  # it warns of every publication in flight beyond ten
    entered: aiomqtt.Client | None = None
    try:
        async with aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username or None,
            password=config.broker_password(),
            tls_context=config.broker_tls(),
            max_inflight_messages=IN_FLIGHT_MAX,
            logger=logger,
        ) as client:
            entered = client
            yield client
    except aiomqtt.MqttError as error:
        other = "mqtt:// where it has none" if broker.tls else "mqtts:// where it wants TLS"
        hint = f"is the broker running, and is [broker] in the settings right? ({other})"
        raise UnreachableError(f"{tried} at {broker.url}", _cause(error), hint) from error
    finally:
        if entered is not None:
            await _take_end(entered)


def _cause(error: aiomqtt.MqttError) -> str:
    """What went wrong, in the words of the system without its number."""
    inner = error.__cause__ or error.__context__
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror.lower()
    return re.sub(r"^\[Errno -?[0-9]+\] ", "", str(error))


async def _take_end(client: aiomqtt.Client) -> None:
    """Take what is left of a connection that is over: the error that ended it, for one.

    Who leaves after the broker has gone is told nothing by aiomqtt: the error stays with a future,
    and asyncio would print it as one that nobody asked for. Only `messages` hands it out; a future
    that a time limit cancelled comes out as CancelledError.
    """
    with suppress(aiomqtt.MqttError, asyncio.CancelledError):
        async for _ in client.messages:
            pass
