"""`tidegate-cloud serve`: the aggregator, until it is stopped."""

import click

from cloud.config import load
from protos.console import Place


@click.command()
@click.pass_obj
def command(place: Place) -> None:
    """Take in, consolidate and show history until stopped (SIGTERM or Ctrl-C ends it in order)."""
    config = load(place.home)

    import asyncio

    from cloud.memory import share_arenas
    from protos.log import log_to_stderr

    share_arenas()
    log_to_stderr(config.settings.log.format, config.settings.log.level)

    from cloud import aggregator

    asyncio.run(aggregator.serve(config))
