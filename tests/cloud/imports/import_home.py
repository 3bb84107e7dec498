"""A cloud's home for imports: made, served by a process of its own, and counted."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from cloud.cli import console
from cloud.client.history import HistoryApi
from cloud.client.wire import own_wire
from cloud.config import load
from cloud.errors import OperatorError
from cloud.verify.whole import verify
from tests.cloud.imports.import_world import World, write

PROGRAM = [sys.executable, "-c", "from cloud.cli import main; main()"]
T = 1_700_000_000


def call(home: Path, *arguments: str) -> int:
    return console().call(["--home", str(home), *arguments])


def new_home(home: Path) -> Path:
    """A cloud's home, whose ports are free ones."""
    assert call(home, "init") == 0
    with socket.socket() as one, socket.socket() as two, socket.socket() as three:
        ports = []
        for each in (one, two, three):
            each.bind(("127.0.0.1", 0))
            ports.append(each.getsockname()[1])
    path = home / "cloud.toml"
    text = path.read_text()
    for key, old, port in zip(("sync", "enrol", "http"), (8461, 8462, 8460), ports, strict=True):
        text = text.replace(f'# {key} = "127.0.0.1:{old}"', f'{key} = "127.0.0.1:{port}"')
    path.write_text(text)
    return home


@contextmanager
def serving(home: Path) -> Iterator[HistoryApi]:
    """A cloud in a process of its own, as long as this lasts."""
    cloud = started(home)
    try:
        yield HistoryApi.of(load(home))
    finally:
        cloud.send_signal(signal.SIGTERM)
        cloud.wait(60)


def started(home: Path) -> "subprocess.Popen[bytes]":
    """A cloud's process, once it answers."""
    cloud = subprocess.Popen([*PROGRAM, "--home", str(home), "serve"], stderr=subprocess.DEVNULL)
    for _ in range(600):
        assert cloud.poll() is None
        with suppress(OSError, OperatorError):  # its certificate may not be made yet
            wire = own_wire(load(home))
            connection = wire.connection()
            connection.request("GET", "/healthz", headers=wire.beside)
            assert connection.getresponse().status == 200
            return cloud
        time.sleep(0.1)
    cloud.kill()
    raise AssertionError("the cloud does not answer")


def table(path: Path, rows: range, device: str = "pump") -> Path:
    lines = "".join(f"{T + at},{at}.5\n" for at in rows)
    return write(path, f"time,{device}\n{lines}")


def stored(home: Path) -> int:
    """Readings in journal and lake, which agree with each other."""
    found = verify(home / "journal", home / "lake")
    assert found.is_whole, found.faults
    with closing(World(home).journal()) as journal:
        return sum(tally.total.readings for tally in journal.counts().values())
