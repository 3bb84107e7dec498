"""`tidegate-edge run`: the agent, until it is stopped."""

import os

import click

from edge.config import load
from protos.console import Place


@click.command()
@click.pass_obj
def command(place: Place) -> None:
    """Collect, watch and deliver until stopped (SIGTERM or Ctrl-C ends it in order)."""
    config = load(place.home)

    import asyncio

    from edge import memory
    from edge.control import sole_agent
    from protos.log import log_to_stderr

    # Its threads would only wait, each with buffers of its own: nothing here multiplies matrices.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    memory.share_arena()
    log_to_stderr(config.settings.log.format, config.settings.log.level)

    with sole_agent(config.control_path):
        memory.load("numpy", "cryptography.x509", "edge.agent")
        from edge.delivery import LINKS
        from edge.identity import is_enrolled

        if is_enrolled(config.identity_folder):
            memory.load(*LINKS)
        if config.settings.models.enabled:
            memory.load("onnxruntime")
        from edge import agent

        asyncio.run(agent.run(config))
