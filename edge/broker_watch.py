"""Tells of brokers that are away, once of each cause, and of those that are back."""

import asyncio
import logging
from typing import Final

from edge import agent_parts as parts
from edge.config import EdgeConfig
from edge.ingest import Ingest

log = logging.getLogger(__name__)

BROKER_PATIENCE_S: Final = 5.0
WATCH_S: Final = 1.0
CAUSES_MAX: Final = 16
"""Causes told of one broker until it is back: its own words may be others each time."""


async def watch_brokers(config: EdgeConfig, ingest: Ingest) -> None:
    """Tell once of each cause for which a broker is away, and once when it is back."""
    await asyncio.to_thread(ingest.wait_connected, BROKER_PATIENCE_S)
    told: dict[str, set[str]] = {one.name: set() for one in config.brokers}
    while True:
        states = ingest.states
        for one in config.brokers:
            state, known = states[one.name], told[one.name]
            if state.connected and known:
                log.info("the broker %sis back", f"{one.name} " if one.name else "")
                known.clear()
            elif not state.connected and state.error and _is_news(state.error, known):
                known.add(state.error)
                log.error("%s", parts.unreachable(config, one, state.error))
        await asyncio.sleep(WATCH_S)


def _is_news(error: str, known: set[str]) -> bool:
    return error not in known and len(known) < CAUSES_MAX
