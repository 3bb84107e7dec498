"""What a real MQTT broker under test offers: two listeners, an account, a life that may end badly.

Each kind has a file here; all of them run the same suite, by what ``Abilities`` declares.
"""

import contextlib
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from deploy.demo.broker import free_port
from tests.brokers.certificates import client_context, make_authority

USER, PASSWORD = "gateway", "secret of a test"
START_SECONDS = 150.0


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a broker can do; the suite asks for no more, and for no less.

    ``client_certificates``: its TLS listener can insist on one. ``survives_kill``: what it
    acknowledged and holds for a session is there again after kill -9.
    """

    mqtt_5: bool
    client_certificates: bool = True
    survives_kill: bool = True
    holds_sessions: bool = True


@dataclass
class RealBroker:
    """One broker process of a test, and the folder in which it keeps its sessions."""

    folder: Path
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    kind = "none"
    abilities = Abilities(mqtt_5=False)

    def command(self) -> list[str]:
        """The command line; its files are written to ``folder``."""
        raise NotImplementedError

    def environment(self) -> dict[str, str] | None:
        """Variables of the process; None for those of the test."""
        return None

    def start(self) -> None:
        """Start it, and return when both listeners accept.

        Raises:
            AssertionError: it ended, or does not listen in time; its log is told.
        """
        if not (self.folder / "ca.crt").exists():
            make_authority(self.folder)
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                env=self.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not (self._accepts(self.port) and self._accepts(self.tls_port)):
            assert self.process.poll() is None, f"{self.kind} ended: {self.log()[-2000:]}"
            assert time.monotonic() < deadline, f"{self.kind} does not listen: {self.log()[-2000:]}"
            time.sleep(0.05)

    def stop(self) -> None:
        """End it as an operator would."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def kill(self) -> None:
        """End it as a power cut would: kill -9, no word of goodbye."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)
            self.process = None

    def log(self) -> str:
        """All it said since the first start."""
        return (self.folder / "broker.log").read_text(errors="replace")

    def tls(self, certificate: str | None = "gateway") -> ssl.SSLContext:
        """What a client trusts and shows at the TLS listener."""
        return client_context(self.folder, certificate)

    def publish(self, messages: Iterable[tuple[str, bytes]], *, qos: int = 1) -> None:
        """Publish all over the plain listener; returns when the broker acknowledged each."""
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set(USER, PASSWORD)
        client.max_inflight_messages_set(200)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        sent = [client.publish(topic, payload, qos) for topic, payload in messages]
        for one in sent:
            one.wait_for_publish(60)
            assert one.is_published(), f"{self.kind} has not acknowledged a message"
        client.disconnect()
        client.loop_stop()

    def _accepts(self, port: int) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        return False


def missing(kind: str, command: str) -> NoReturn:
    """Skip the test: a server is not here, and this command brings it. Where all must be: fail."""
    reason = f"{kind} is missing; install it: {command}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
