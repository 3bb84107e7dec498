"""`tidegate-edge run`: the agent, until it is stopped."""

import contextlib
import os
from typing import TYPE_CHECKING

import click

from edge.config import load
from protos.console import Place

if TYPE_CHECKING:
    from edge.config import EdgeConfig


@click.command()
@click.pass_obj
def command(place: Place) -> None:
    """Collect, watch and deliver until stopped (SIGTERM or Ctrl-C ends it in order)."""
    config = load(place.home)

    import asyncio
    import faulthandler

    from edge import memory
    from edge.control import sole_agent
    from edge.notify import Notifier
    from protos.log import log_to_stderr

    # Its threads would only wait, each with buffers of its own: nothing here multiplies matrices.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    memory.share_arena()
    log_to_stderr(config.settings.log.format, config.settings.log.level)
    faulthandler.enable()  # where each thread stood, should systemd's watchdog end us
    notifier = Notifier.taken_from(os.environ)

    with sole_agent(config.control_path):
        memory.load("numpy", "cryptography.x509", "edge.agent")
        _load_early(config)
        from edge import agent

        asyncio.run(agent.run(config, notifier))


def _load_early(config: "EdgeConfig") -> None:
    """Load what is heavy before there is anything else to hold.

    What does not load ends nothing: it is told where it is needed, and collecting goes on.
    """
    from edge import memory
    from edge.delivery import LINKS
    from edge.errors import LibraryError
    from edge.identity import is_enrolled

    for names, is_needed in (
        (LINKS, is_enrolled(config.identity_folder)),
        (("onnxruntime",), config.settings.models.enabled),
    ):
        if is_needed:
            with contextlib.suppress(LibraryError):
                memory.load(*names)
