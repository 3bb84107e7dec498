"""The agent as it is, whose buffer's writer hangs once a file `hang` stands in the home.

It then says so by a file `hung`. Run as `python hanging_agent.py ARGUMENTS OF tidegate-edge`.
"""

import threading
import time
from pathlib import Path

from edge.agent import Agent
from edge.cli import main
from edge.config import EdgeConfig

assemble = Agent.assemble


def wait_for_ever(told: Path) -> None:
    told.touch()
    threading.Event().wait()


def assemble_and_watch(config: EdgeConfig) -> Agent:
    made = assemble(config)

    def hang() -> None:
        while not (config.home / "hang").exists():
            time.sleep(0.02)
        made.store._call(lambda: wait_for_ever(config.home / "hung"))

    threading.Thread(target=hang, daemon=True).start()
    return made


if __name__ == "__main__":
    Agent.assemble = assemble_and_watch  # type: ignore[method-assign,assignment]
    main()
