"""Where the agent's figures are asked for from outside, if the settings name a place."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge import metrics
from edge.agent_report import Reporter
from edge.errors import OperatorError
from protos.scrape import Door

log = logging.getLogger(__name__)


@asynccontextmanager
async def told_outside(listen: str, reporter: Reporter) -> AsyncIterator[None]:
    """Offer `/metrics` and `/healthz` at `listen` while inside; nothing listens when it is empty.

    Raises:
        OperatorError: it cannot listen where the settings say.
    """
    if not listen:
        yield
        return

    async def figures() -> str:
        return metrics.text(await reporter.health())

    door = Door(listen, figures, reporter.fault)
    try:
        await door.__aenter__()
    except OSError as error:
        raise OperatorError(
            f"offer metrics on {listen}",
            (error.strerror or str(error)).lower(),
            "does something else listen there? otherwise correct metrics.listen",
        ) from error
    try:
        log.info("metrics on http://%s/metrics", listen)
        yield
    finally:
        await door.__aexit__(None, None, None)
