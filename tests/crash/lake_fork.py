"""A process that does one thing for the campaign of the lake, and tells what it came to."""

import json
import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

STUCK_S: Final = 120


@dataclass(frozen=True, slots=True)
class Forked:
    """A process that does one thing and tells what it came to; 0 seconds are no limit."""

    pid: int
    pipe: int

    @classmethod
    def begin(cls, work: Callable[[], Any], limit_s: int = STUCK_S) -> "Forked":
        """Start it; nothing here may have a thread yet."""
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid:
            os.close(theirs)
            return cls(pid, ours)
        os.close(ours)
        signal.alarm(limit_s)
        try:
            told = {"done": work()}
        except BaseException:  # noqa: BLE001 - the supervisor of a round gets all of it
            told = {"failed": traceback.format_exc(limit=-6)}
        with os.fdopen(theirs, "w") as pipe:
            json.dump(told, pipe)
        os._exit(0)

    def end(self) -> tuple[int, dict[str, Any]]:
        """Wait for it: the signal it died of, 0 for none, and ``done`` or ``failed`` if it told."""
        with os.fdopen(self.pipe) as pipe:
            said = pipe.read()
        _, status = os.waitpid(self.pid, 0)
        ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        return ended, {} if ended or not said else json.loads(said)
