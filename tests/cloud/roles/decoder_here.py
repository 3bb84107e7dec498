"""The decoder as its parent has it, in a thread of the parent's own process."""

import socket
import threading
from pathlib import Path
from typing import Any

from cloud.live.step import Stepper
from cloud.roles.decoder import Decoder, answer_all
from cloud.roles.decoder_keeper import DecoderProcess
from cloud.roles.decoder_wire import Ready, Start
from cloud.roles.reader_wire import GoneError, Link
from protos.log import LogFormat, LogLevel


class Thread:
    """What passes for its process: it ends when its parent lets go of the socket."""

    pid = -1

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        link = Link(self._end)
        try:
            decoder = Decoder(link.receive())
            link.send(Ready())
            answer_all(link, self._end, decoder)
        except GoneError:
            decoder.close()
        finally:
            self._end.close()

    def kill(self) -> None:
        """Nothing: who lets go of the socket ends it."""

    def wait(self) -> int:
        """See it end."""
        self._thread.join()
        return 0


def decoder_here(root: Path, here: Stepper) -> DecoderProcess:
    """Of the cloud whose folders are in ``root``."""
    (root / "lake").mkdir(exist_ok=True)
    marker = str(root / "lake" / "attempt-live.json")
    start = Start(str(root / "journal"), marker, LogFormat.TEXT, LogLevel.INFO)

    def started() -> Any:
        ours, theirs = socket.socketpair()
        return Thread(theirs), ours

    return DecoderProcess(start, here, started)
