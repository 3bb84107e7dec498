"""A machine that commands are typed at, and the one that this script itself runs on."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """One command: how it ended, what was seen, and how long it took."""

    code: int
    seen: str
    seconds: float


def type_and_run(
    command: Sequence[str], answers: Sequence[tuple[str, str]], seconds: float
) -> Done:
    """Run a command with a terminal to ask at; each answer is typed once its question is seen.

    Without answers there is no terminal, as in a script. Longer than ``seconds``: code 124.
    """
    began = time.monotonic()
    ours, theirs = pty.openpty() if answers else (-1, -1)
    process = subprocess.Popen(
        list(command), stdin=theirs if answers else subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    seen, read, left = "", 0, list(answers)
    while True:
        remaining = began + seconds - time.monotonic()
        ready, _, _ = select.select([process.stdout], [], [], max(remaining, 0))
        if not ready:
            process.kill()
            seen += "\n(it took too long)"
            break
        chunk = os.read(process.stdout.fileno(), 65536)
        if not chunk:
            break
        seen += chunk.decode(errors="replace")
        if left and left[0][0] in seen[read:]:
            read = len(seen)
            os.write(ours, left.pop(0)[1].encode() + b"\n")
    code = process.wait() if process.poll() is None else process.returncode
    process.stdout.close()
    if answers:
        os.close(ours)
        os.close(theirs)
    return Done(
        124 if seen.endswith("(it took too long)") else code, seen, time.monotonic() - began
    )


class ThisPi:
    """The machine that the script runs on, whose user types; sudo asks for no password here."""

    pretends = False

    def run(
        self, command: str, answers: Sequence[tuple[str, str]] = (), seconds: float = 900.0
    ) -> Done:
        """Type a command, and each answer once its question is there."""
        return type_and_run(["bash", "-c", f"cd; {command}"], answers, seconds)

    def root(self, command: str, seconds: float = 600.0) -> Done:
        """Run a shell line as root."""
        return type_and_run(["sudo", "-n", "bash", "-c", command], (), seconds)
