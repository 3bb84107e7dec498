"""A day of five messages a second: what it writes to the card, and what it sends by a metered line.

Real processes and real time: a part of the day is run at its real pace and told for all of it. The
part begins behind one send and ends behind another, so it holds whole waits; what the start wrote
and sent is added once. Nothing is run faster, so nothing that goes by time (signs of life, looks,
the kernel's own writing back) is left out.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from deploy.demo.stack import Stack, new_stack, wait_until
from edge.card import Device
from tests.card_day.card import mounted
from tests.card_day.line import Line
from tests.card_day.sensors import Sensors

DAY_S: Final = 86_400
MB: Final = 1_000_000
PER_S: Final = 5
WRITTEN_MAX: Final = 1000 * MB
SENT_MAX: Final = 5 * MB
ERROR_MAX: Final = 0.1
PROFILE_LINGER_S: Final = 900.0
LOOK_S: Final = 0.5


@dataclass(frozen=True)
class Look:
    """All counts at one moment: the kernel's, the line's, and what `status` says of the same."""

    at_s: float
    written: int
    device: int
    sent: int
    received: int
    messages: int
    status: dict[str, Any]


@dataclass
class Day:
    """One run; `run` gives the figures, ``faults`` what is not as promised."""

    folder: Path
    sends: int
    linger_s: float
    say: Callable[[str], None] = print
    faults: list[str] = field(default_factory=list)
    _card_before: int = 0

    def run(self) -> dict[str, Any]:
        """All of it; the figures."""
        stack = new_stack(self.folder / "stack", "mosquitto")
        home = stack.home("edge")
        with mounted(self.folder, home) as card:
            try:
                return self._judged(*self._measured(stack, card))
            finally:
                stack.close()

    def _measured(self, stack: Stack, card: Device | None) -> tuple[Look, Look]:
        stack.prepare()
        settings = stack.home("edge") / "edge.toml"
        settings.write_text(
            settings.read_text()
            + f'\n[uplink]\nprofile = "metered"\nlinger_s = {self.linger_s}\n'
            + f"\n[budget]\nwritten_bytes_per_day = {WRITTEN_MAX}\n"
        )
        stack.start_cloud()
        stack.enroll()
        line = Line(stack.sync_port)
        os.sync()
        self._card_before = 0 if card is None else card.written() or 0
        stack.start_edge()
        sensors = Sensors(stack.broker.port, PER_S)
        try:
            self._until_sent(stack, 1)
            begin = self._look(stack, card, line, sensors)
            for n in range(self.sends):
                self._until_sent(stack, 1)
                self.say(f"{n + 1} of {self.sends} sends")
            return begin, self._look(stack, card, line, sensors)
        finally:
            sensors.stop()
            line.stop()

    def _until_sent(self, stack: Stack, more: int) -> None:
        """Until so many waits more are over, and what was sent is archived."""
        before = stack.edge_status()["cloud"]["blocks_sent"]
        deadline_s = 3 * self.linger_s + 60

        def is_sent() -> bool:
            time.sleep(LOOK_S)
            cloud = stack.edge_status()["cloud"]
            return cloud["blocks_sent"] >= before + more and cloud["archived"] == cloud["head"]

        wait_until("a batch is sent", is_sent, deadline_s)

    def _look(self, stack: Stack, card: Device | None, line: Line, sensors: Sensors) -> Look:
        assert stack.edge.process is not None
        pid = stack.edge.process.pid
        os.sync()
        status = stack.edge_status()
        io = Path(f"/proc/{pid}/io").read_text()
        written = next(int(row.split()[1]) for row in io.splitlines() if "write_bytes" in row)
        device = 0 if card is None else (card.written() or 0) - self._card_before
        now_s = time.monotonic()
        return Look(now_s, written, device, line.sent, line.received, sensors.sent, status)

    def _judged(self, begin: Look, end: Look) -> dict[str, Any]:
        seconds = end.at_s - begin.at_s
        day = DAY_S / seconds

        def told(name: str, once: int = 0) -> float:
            part = getattr(end, name) - getattr(begin, name)
            return round((once + part * day) / MB, 2)

        budget = end.status["budget"]
        commits = end.status["buffer"]["commits"] - begin.status["buffer"]["commits"]
        figures = {
            "seconds": round(seconds),
            "sends": self.sends,
            "linger_s": self.linger_s,
            "messages_per_s": round((end.messages - begin.messages) / seconds, 2),
            "written_mb_day": told("written", begin.written),
            "device_mb_day": told("device", begin.device),
            "sent_mb_day": told("sent", begin.sent),
            "received_mb_day": told("received", begin.received),
            "written_bytes_a_reading": round(
                (end.written - begin.written) / (end.messages - begin.messages)
            ),
            "commits_a_day": round(commits * day),
            "commit_spacing_s": budget["commit_spacing_s"],
            "status_error_written": _error(budget["written_bytes"], end.written),
            "status_error_device": _error(budget["device_written_bytes"] or 0, end.device),
            "status_error_sent": _error(budget["sent_bytes"], end.sent),
            "status_error_received": _error(budget["received_bytes"], end.received),
            "sent_bytes": end.sent,
            "rss_mb": round(budget["memory_bytes"] / MB, 1),
        }
        self._judge(figures, has_card=end.device > 0)
        return figures

    def _judge(self, figures: dict[str, Any], *, has_card: bool) -> None:
        most = max(figures["written_mb_day"], figures["device_mb_day"])
        if most * MB > WRITTEN_MAX:
            self.faults.append(f"{most} MB a day are written")
        if self.linger_s >= PROFILE_LINGER_S and figures["sent_mb_day"] * MB > SENT_MAX:
            self.faults.append(f"{figures['sent_mb_day']} MB a day are sent")
        shown = ["written", "sent", "received", *(["device"] if has_card else [])]
        for name in shown:
            if figures[f"status_error_{name}"] > ERROR_MAX:
                self.faults.append(f"status is off by more than a tenth: {name}")
        if abs(figures["messages_per_s"] - PER_S) > PER_S / 20:
            self.faults.append("the sensors did not keep their pace")


def _error(said: int, counted: int) -> float:
    return round(abs(said - counted) / max(counted, 1), 3)


def line_of(figures: dict[str, Any], faults: list[str]) -> str:
    """The one JSON line at the end."""
    return json.dumps(figures | ({"faults": faults} if faults else {}))
