"""The agent as systemd's service: a real process, a real NOTIFY_SOCKET, a real broker."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.cli import console
from edge.control import ask
from tests.edge.mosquitto import Mosquitto, until

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("hanging_agent.py")
PERIOD_S = 2.0
GOODBYE = b"END=1"
COLLECTING = "STATUS=collecting; no cloud yet"


@dataclass
class Service:
    """systemd's part for one agent: its socket, its journal, its watchdog."""

    home: Path
    broker: Mosquitto
    journal: Path
    door: socket.socket
    heard: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    sent: int = 0
    listener: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.listener = threading.Thread(target=self._listen)

    def end(self) -> None:
        """Listen no more."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(GOODBYE, self.door.getsockname())
        self.listener.join()

    def start(self) -> None:
        """Start the agent as systemd would; it is ready when it says so."""
        journal = self.journal.open("ab")
        seen = os.fstat(journal.fileno())
        environment = os.environ | {
            "NOTIFY_SOCKET": str(self.door.getsockname()),
            "WATCHDOG_USEC": str(int(PERIOD_S * 1e6)),
            "JOURNAL_STREAM": f"{seen.st_dev}:{seen.st_ino}",
        }
        command = [sys.executable, str(CHILD), "--home", str(self.home), "run"]
        self.process = subprocess.Popen(command, stderr=journal, env=environment, cwd=ROOT)
        journal.close()
        self.listener.start()
        until(lambda: "READY=1" in self.heard, "it did not say that it is ready", 60)
        # Ready means that it collects; the broker's session comes a moment later.
        until(lambda: COLLECTING in self.heard, "it did not come to its broker", 60)

    def _listen(self) -> None:
        while (line := self.door.recv(4096)) != GOODBYE:
            self.heard.append(line.decode())

    def publish(self) -> None:
        """One message, so that every loop has something to do."""
        self.sent += 1
        self.broker.publish([("bay/temperature", b"%d" % self.sent)])

    def fed(self) -> int:
        """How often the watchdog was fed."""
        return self.heard.count("WATCHDOG=1")

    def feeds(self, more: int) -> bool:
        """Whether it is fed so often again, while messages come."""
        self.publish()
        return self.fed() >= more

    def readings(self) -> int:
        """How many the agent says that it committed."""
        said = ask(self.home / "run" / "control.sock", "status")
        return int(json.loads(said)["ingest"]["readings"])

    def lines(self) -> list[str]:
        return self.journal.read_text(errors="replace").splitlines()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    broker = Mosquitto(tmp_path)
    broker.start()
    home = tmp_path / "home"
    url = f"mqtt://127.0.0.1:{broker.port}"
    assert console().call(["--home", str(home), "init", "--name", "gw-1", "--broker", url]) == 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(tmp_path / "notify"))
        made = Service(home, broker, tmp_path / "journal", door)
        made.start()
        yield made
        assert made.process is not None
        if made.process.poll() is None:
            made.process.kill()
            made.process.wait(20)
        made.end()
    broker.stop()


def test_it_is_ready_is_fed_by_progress_says_how_it_is_and_stops_in_order(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    until(lambda: service.feeds(3), "it is not fed", 60)
    until(lambda: service.readings() == service.sent, "not all was taken in")
    assert service.process is not None
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(60) == 0  # the unit's TimeoutStopSec
    assert service.heard.index("READY=1") < service.heard.index("STOPPING=1")
    capsys.readouterr()
    assert console().call(["--home", str(service.home), "buffer", "stats", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == service.sent


def test_a_commit_that_hangs_starves_the_watchdog_and_tells_where_every_thread_stood(
    service: Service,
) -> None:
    until(lambda: service.feeds(2), "it is not fed", 60)
    (service.home / "hang").touch()
    until(lambda: (service.home / "hung").exists(), "it does not hang")
    said = len(service.lines())

    def is_told() -> bool:
        service.publish()
        return any("no progress" in line and "commit" in line for line in service.lines()[said:])

    until(is_told, "nobody told of it", 60)
    before = service.fed()
    service.publish()
    assert service.process is not None
    assert service.process.poll() is None  # it runs, its loop ticks, and nothing feeds
    assert service.fed() == before
    service.process.send_signal(signal.SIGABRT)  # what systemd does then
    assert service.process.wait(20) == -signal.SIGABRT
    text = "\n".join(service.lines())
    assert "Fatal Python error: Aborted" in text
    assert re.search(r'edge/store/thread\.py", line \d+ in _serve', text)


def test_the_journal_gets_lines_of_json_with_their_priority(service: Service) -> None:
    until(lambda: len(service.lines()) > 1, "it says nothing")
    for line in service.lines():
        number, told = re.fullmatch(r"<([0-7])>(\{.*\})", line).groups()  # type: ignore[union-attr]
        assert {"6": "info", "4": "warning", "3": "error"}[number] == json.loads(told)["level"]
