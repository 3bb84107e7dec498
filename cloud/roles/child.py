"""One process of a role: how it is started, and how it is seen to end."""

import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cloud.roles.wire import Channel

PROGRAM: Final = "cloud.roles.consolidator"


@dataclass(frozen=True, slots=True)
class Child:
    """One process of the role, and the way to it."""

    process: "subprocess.Popen[bytes]"
    channel: Channel

    def reap(self) -> str:
        """See it end; how it did."""
        self.channel.close()
        code = self.process.wait()
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


Spawn = Callable[[], Child]


def spawn(program: str = PROGRAM, environment: Mapping[str, str] | None = None) -> Child:
    """Start a process of the role, which ends when this one does; None is our own environment."""
    process, ours = launch(program, environment)
    return Child(process, Channel(ours))


def launch(
    program: str, environment: Mapping[str, str] | None
) -> "tuple[subprocess.Popen[bytes], socket.socket]":
    """A process that runs a program of ours, and the socket whose other end it was given."""
    ours, theirs = socket.socketpair()
    with theirs:
        fd = theirs.fileno()
        # -P: a folder named `cloud` where the operator happens to stand is not ours.
        command = [sys.executable, "-P", "-m", program, str(fd)]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, pass_fds=[fd], env=environment
        )
    return process, ours
