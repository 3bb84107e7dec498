"""What is known of a gateway before anybody looks: its settings, its agent, the machine's files.

Files of the system (`/proc`, `/sys`, `/etc`, `/run`) are looked for below ``root``, so that a test,
or somebody with another machine's card in the reader, may say where they are.
"""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Final

import msgspec

from edge.clock import kernel_synced, wall_us
from edge.config import EdgeConfig, load
from edge.control import ask
from edge.errors import OperatorError, PeerError, TidegateError, UnreachableError
from edge.health import Health

OPEN_S: Final = 12.0
"""Most that reading the settings and asking the agent may take."""
FILE_BYTES_MAX: Final = 256 * 1024
"""Most that is read of a file of the system."""


@dataclass(frozen=True, slots=True)
class Case:
    """One gateway to look at.

    ``loaded`` is None when the settings cannot be used, and ``trouble`` says why. ``health`` is the
    running agent's word, None when there is none, and ``silence`` says why it said nothing.
    ``is_left``: whoever was to find these out still waits for an answer.
    """

    home: Path
    loaded: EdgeConfig | None = None
    trouble: TidegateError | None = None
    health: Health | None = None
    silence: TidegateError | None = None
    root: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    kernel_synced: Callable[[], bool | None] = kernel_synced
    now_us: Callable[[], int] = wall_us
    is_left: bool = False

    @property
    def config(self) -> EdgeConfig:
        """The settings, for themes that are only asked when there are any."""
        assert self.loaded is not None
        return self.loaded

    @property
    def is_running(self) -> bool:
        """Whether an agent has this home: it answers, or it is there and does not."""
        return self.health is not None or (self.loaded is not None and self._has_door)

    @property
    def _has_door(self) -> bool:
        return self.silence is not None and "no agent is running" not in self.silence.cause

    def system(self, path: str) -> Path:
        """Where a file of the system is, by its absolute path."""
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str | None:
        """The beginning of a file of the system; None when it is not there or not ours to read."""
        try:
            with self.system(path).open("rb") as file:
                return file.read(FILE_BYTES_MAX).decode(errors="replace").strip()
        except OSError:
            return None

    def number(self, path: str) -> int | None:
        """The whole number that a file of the system holds; None when it holds none."""
        text = self.text(path)
        try:
            return None if text is None else int(text.split()[0], 0)
        except (ValueError, IndexError):
            return None


def of_home(home: Path, root: Path = Path("/"), limit_s: float = OPEN_S) -> Case:
    """The gateway of a home; whatever is wrong with it stands in the case, and is never raised.

    A file that the settings name may lie where nothing answers: then it is a case without settings.
    """
    made: Queue[Case | Exception] = Queue()

    def open_it() -> None:
        try:
            made.put(_opened(home, root))
        except Exception as error:  # noqa: BLE001 - a fault of ours: raised to who asked
            made.put(error)

    threading.Thread(target=open_it, daemon=True).start()
    try:
        found = made.get(timeout=limit_s)
    except Empty:
        cause, hint = (
            f"no answer within {limit_s:.0f} s",
            "a file that they name hangs: see `mount`",
        )
        told = UnreachableError(f"read the settings in {home}, or ask the agent", cause, hint)
        return Case(home, trouble=told, root=root, is_left=True)
    if isinstance(found, Exception):
        raise found
    return found


def _opened(home: Path, root: Path) -> Case:
    try:
        config = load(home)
    except OperatorError as error:
        return Case(home, trouble=error, root=root)
    except OSError as error:
        hint = "call it as the user that the agent runs as, or as root"
        shut = OperatorError(f"look into the home {home}", error.strerror or str(error), hint)
        return Case(home, trouble=shut, root=root)
    try:
        health = msgspec.json.decode(ask(config.control_path, "status"), type=Health)
    except (UnreachableError, PeerError) as error:
        return Case(home, config, silence=error, root=root)
    except msgspec.MsgspecError as error:
        cause = f"its answer is of another version: {error}"
        told = PeerError(f"ask the agent at {config.control_path}", cause, "restart the agent")
        return Case(home, config, silence=told, root=root)
    return Case(home, config, health=health, root=root)
