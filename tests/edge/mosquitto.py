"""A real mosquitto on loopback, a wire that can be cut, and a publisher that knows what it sent."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from deploy.demo.broker import free_port

CONF = """\
listener {port} 127.0.0.1
{access}
persistence true
persistence_location {folder}/
{more}
"""


def until(true: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Wait for a condition; the test fails with ``what`` when it does not come."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


@dataclass
class Mosquitto:
    """One broker; it keeps its sessions over ``stop`` and ``start``."""

    folder: Path
    access: str = "allow_anonymous true"
    more: str = "max_queued_messages 0\nlog_type all"
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if binary is None:
            pytest.skip("mosquitto is missing; install it: apt-get install -y mosquitto")
        conf = self.folder / "mosquitto.conf"
        text = CONF.format(port=self.port, access=self.access, folder=self.folder, more=self.more)
        conf.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen([binary, "-c", str(conf)], stdout=log, stderr=log)
        until(self._listens, "mosquitto does not listen")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)

    def log(self) -> str:
        return (self.folder / "broker.log").read_text(errors="replace")

    def publish(
        self, messages: Iterable[tuple[str, bytes]], *, qos: int = 1, retain: bool = False
    ) -> None:
        """Publish all, and return when the broker has acknowledged each."""
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.max_inflight_messages_set(1000)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        sent = [client.publish(topic, payload, qos, retain) for topic, payload in messages]
        for info in sent:
            info.wait_for_publish(30)
            assert info.is_published()
        client.disconnect()
        client.loop_stop()

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False


class Wire:
    """A TCP relay to a port; ``cut`` breaks what runs through it, losing what is under way.

    While ``deaf`` it forwards nothing towards the broker: acknowledgements stay on the wire.
    """

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.deaf = threading.Event()
        self.cuts = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self.cuts += 1
        while self._open:
            sock = self._open.pop()
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to_port))
                self._open += [near, far]
                for one, other, up in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._pump, args=(one, other, up), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if not (up and self.deaf.is_set()):
                    other.sendall(data)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)
