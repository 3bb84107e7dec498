"""What stood when the agent was last up: `watch.json`, so that a restart tells nothing twice.

It holds for each watch the ids of the series in which it found something that the world was told
of. It is on the disk before a command leaves, so that a command is sent at most once for a change,
whatever ends the process. No name stands in it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from edge.detect.command_slots import Holder
from protos.durable import put

log = logging.getLogger(__name__)

NAME: Final = "watch.json"
PAUSE_S: Final = 30.0
"""Between two writes for watches without a command: a value that flaps must not wear out a card."""
OPEN_MAX: Final = 20_000
"""Anomalies that are remembered; more at once stand for something else, and begin anew."""


class Kept(msgspec.Struct, frozen=True):
    """The file: ids of series, by the name of the watch."""

    open: dict[str, list[str]] = {}


class WatchMemory:
    """What stands; everything but `load` is to be called on its loop.

    Args:
        path: of the file.
        of_commands: the anomalies that commands were given for.
    """

    def __init__(self, path: Path, of_commands: Callable[[], Iterable[Holder]]) -> None:
        self.path = path
        self._of_commands = of_commands
        self._plain: set[Holder] = set()
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()
        self._is_told = False

    def restore(self, plain: Iterable[Holder]) -> None:
        """What stood of watches without a command."""
        self._plain |= set(plain)

    def note(self, holder: Holder, *, is_open: bool) -> None:
        """A watch without a command begins to find something, or is done with it."""
        (self._plain.add if is_open else self._plain.discard)(holder)
        self._changed.set()

    def touch(self) -> None:
        """Something of the commands changed that no command tells of."""
        self._changed.set()

    async def save(self) -> None:
        """Have what stands now on the disk; a disk that refuses is told once and stops nothing."""
        async with self._lock:
            of_commands = set(self._of_commands())  # first, for these promise something
            holders = [*sorted(of_commands), *sorted(self._plain - of_commands)][:OPEN_MAX]
            by_watch: dict[str, list[str]] = {}
            for watch, series in holders:
                by_watch.setdefault(watch, []).append(series)
            try:
                await asyncio.to_thread(put, self.path, msgspec.json.encode(Kept(by_watch)))
            except OSError as error:
                if not self._is_told:
                    log.error("could not keep what stands in %s: %s", self.path, error)
                self._is_told = True
                return
            self._is_told = False

    async def run(self) -> None:
        """Keep what changes soon, until cancelled."""
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self.save()
                await asyncio.sleep(PAUSE_S)
        finally:
            if self._changed.is_set():
                await self.save()


def load(path: Path) -> Mapping[str, frozenset[str]]:
    """Ids of series by watch, as they were kept; nothing where there is nothing to be read."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        log.error("what stood before the start, in %s, is lost: %s", path, error)
        return {}
    return {watch: frozenset(ids) for watch, ids in kept.open.items()}
