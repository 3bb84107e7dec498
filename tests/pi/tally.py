"""What passed, what failed, and how long a newcomer waits for each command."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field


def say(text: str) -> None:
    """One line for who watches."""
    print(text, flush=True)


@dataclass(slots=True)
class Tally:
    """Counts over all suites; `suite` runs now, and history began after `there` seconds of it."""

    passed: int = 0
    failed: int = 0
    suite: str = ""
    waits: list[tuple[str, float]] = field(default_factory=list)
    there: float = 0.0

    def check(self, what: str, holds: bool, told: str = "") -> bool:
        """Count one thing that must hold; say what was seen where it does not."""
        self.passed += holds
        self.failed += not holds
        say(f"  {'ok    ' if holds else 'FAILED'} {what}")
        if not holds and told:
            say("".join(f"         {line}\n" for line in told.strip().splitlines()[-30:]))
        return holds

    def wait(self, command: str, seconds: float) -> None:
        """Note how long a command of the guide took."""
        self.waits.append((command, seconds))

    def arrive(self) -> None:
        """Note that the newcomer's first reading is in history now."""
        self.there = self.there or sum(seconds for _, seconds in self.waits)

    def print_waits(self) -> None:
        """The newcomer's wall time, command by command."""
        say(f"\n{self.suite}: wall time of a newcomer's commands")
        for command, seconds in self.waits:
            say(f"  {seconds:7.1f} s  {command[:100]}")
        say(f"  {sum(seconds for _, seconds in self.waits):7.1f} s  together")
        if self.there:
            say(f"  {self.there:7.1f} s  from the first command to history on the page")
        self.waits.clear()
        self.there = 0.0

    def end(self) -> int:
        """The last line, and the exit code."""
        say(f"\n{self.passed} passed, {self.failed} failed")
        sys.stdout.flush()
        return 0 if self.failed == 0 and self.passed else 1


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition of a real machine, asked twice a second; whether it came."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True
