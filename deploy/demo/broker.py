"""A real MQTT broker on loopback: mosquitto when the machine has it, otherwise the embedded one."""

import asyncio
import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

MOSQUITTO_PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))

# A gateway that is away for an hour must find every QoS 1 message on its return: no queue limit.
MOSQUITTO_CONF = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 1
autosave_on_changes false
max_queued_messages 0
max_inflight_messages 0
log_dest stderr
log_type warning
log_type error
"""
_PORTS = 20_000, 30_000


def free_port() -> int:
    """A TCP port on loopback that nothing listens on now.

    None of those that the kernel gives to connections: one could have it before its listener.
    """
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.randint(*_PORTS)))
            port: int = probe.getsockname()[1]
            return port


def mosquitto_path() -> str | None:
    """Where mosquitto is; Debian puts it in /usr/sbin, off an ordinary user's path."""
    return shutil.which("mosquitto", path=MOSQUITTO_PLACES)


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 20.0) -> None:
    """Return once something accepts on the port.

    Raises:
        RuntimeError: the process ended, or did not listen in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode} before listening")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{process.args!r} did not listen on port {port} within {seconds} s")


@dataclass(slots=True)
class Broker:
    """One broker process and the folder it persists in; it can be killed and started again."""

    folder: Path
    port: int
    kind: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What a gateway's configuration says."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it accepts connections."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = (self.folder / "broker.log").open("ab")
        self.process = subprocess.Popen(
            self._command(), stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        wait_for_port(self.port, self.process)

    def stop(self) -> None:
        """End it as an operator would."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=20)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=20)

    def _command(self) -> list[str]:
        if self.kind == "mosquitto":
            conf = self.folder / "mosquitto.conf"
            conf.write_text(MOSQUITTO_CONF.format(port=self.port, folder=self.folder))
            if os.geteuid() == 0:
                # mosquitto drops root for the user `mosquitto`, which cannot read this folder.
                conf.write_text(conf.read_text() + "user root\n")
            return [str(mosquitto_path()), "-c", str(conf)]
        return [sys.executable, "-m", "deploy.demo.broker", str(self.port)]


def new_broker(folder: Path, kind: str | None = None) -> Broker:
    """A broker that is not yet started: the one asked for, or the best the machine has."""
    chosen = kind or ("mosquitto" if mosquitto_path() else "embedded")
    return Broker(folder, free_port(), chosen)


async def serve_embedded(port: int) -> None:
    """Run the embedded broker (amqtt) on loopback until cancelled."""
    from amqtt.broker import Broker as Embedded

    broker = Embedded(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {
                "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
            },
        }
    )
    await broker.start()
    try:
        await asyncio.Event().wait()
    finally:
        await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(serve_embedded(int(sys.argv[1])))
