"""The whole system on one machine: broker, cloud and gateway as real processes over real TLS.

The demo, the end-to-end tests and the benchmarks all run this same stack, through the same two
commands an operator types.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.demo.broker import Broker, free_port, new_broker, wait_for_port

BIN = Path(sys.executable).parent


class StackError(Exception):
    """A part of the stack did not do what it was asked; the text holds its own words."""


def run(*command: str, seconds: float = 60.0) -> str:
    """Run one Tidegate command to its end and return what it printed.

    Raises:
        StackError: it exited with another code than 0.
    """
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        capture_output=True, text=True, timeout=seconds, check=False, start_new_session=True,
    )  # fmt: skip
    if done.returncode != 0:
        raise StackError(
            f"{' '.join(command)} → exit {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def wait_until(what: str, condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return once the condition holds; raise StackError naming it after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise StackError(f"waited {seconds:.0f} s in vain until {what}")
        time.sleep(0.05)


@dataclass(slots=True)
class Half:
    """One of the two commands as a process with its log; it can be killed and started again."""

    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its words go to the log."""
        with self.log.open("ab") as log:
            # In a session of its own: Ctrl-C is for us, who end the parts in order.
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self, seconds: float = 60.0) -> int:
        """End it as an operator would and return its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=seconds)

    def kill(self) -> None:
        """End it by SIGKILL: as near to a power cut as a process comes."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=20)

    def end(self) -> None:
        """End it whatever state it is in, by SIGKILL if it does not end by itself."""
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def tail(self, lines: int = 30) -> str:
        """The last words of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass(slots=True)
class Stack:
    """One broker, one cloud, one gateway below a folder."""

    folder: Path
    broker: Broker
    http_port: int
    sync_port: int
    enrol_port: int
    gateway: str = "greenhouse-1"
    cloud: Half = field(init=False)
    edge: Half = field(init=False)

    def __post_init__(self) -> None:
        self.cloud = self._half("cloud", "serve")
        self.edge = self._half("edge", "run")

    @property
    def page(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self.http_port}"

    def home(self, half: str) -> Path:
        """The folder that holds everything of one half."""
        return self.folder / half

    def prepare(self) -> None:
        """Start the broker, make both homes and their configurations."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.broker.start()
        run("tidegate-cloud", "--home", str(self.home("cloud")), "init")
        (self.home("cloud") / "cloud.toml").write_text(
            f'[listen]\nsync = "127.0.0.1:{self.sync_port}"\n'
            f'enrol = "127.0.0.1:{self.enrol_port}"\n'
            f'http = "127.0.0.1:{self.http_port}"\n\n[lake]\ninterval_s = 2.0\n'
        )
        run("tidegate-edge", "--home", str(self.home("edge")), "init", "--name", self.gateway)
        (self.home("edge") / "edge.toml").write_text(
            f'[gateway]\nname = "{self.gateway}"\n\n[broker]\nurl = "{self.broker.url}"\n'
        )

    def start_cloud(self) -> None:
        """Start the cloud and wait until its page answers."""
        self.cloud.start()
        assert self.cloud.process is not None
        try:
            wait_for_port(self.http_port, self.cloud.process, 60)
            wait_for_port(self.sync_port, self.cloud.process, 60)
        except RuntimeError as error:
            raise StackError(f"{error}\n{self.cloud.tail()}") from error

    def enroll(self) -> None:
        """One token, pasted once."""
        token = run(
            "tidegate-cloud", "--home", str(self.home("cloud")), "token", "create", self.gateway
        )
        run("tidegate-edge", "--home", str(self.home("edge")), "enroll", token.split()[-1])

    def start_edge(self) -> None:
        """Start the gateway and wait until it hears the broker."""
        self.edge.start()
        wait_until("the gateway hears its broker", self._edge_is_listening)

    def edge_status(self) -> dict[str, Any]:
        """What `tidegate-edge status --json` says."""
        said = run("tidegate-edge", "--home", str(self.home("edge")), "status", "--json")
        status: dict[str, Any] = json.loads(said)
        return status

    def get(self, path: str) -> Any:
        """One answer of the HTTP API."""
        with urllib.request.urlopen(f"{self.page}{path}", timeout=60) as answer:
            return json.load(answer)

    def try_get(self, path: str) -> Any:
        """One answer of the HTTP API, or None while the cloud is away."""
        try:
            return self.get(path)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def close(self) -> None:
        """End every process, gateway first, whatever state it is in."""
        for half in (self.edge, self.cloud):
            half.end()
        if self.broker.process is not None and self.broker.process.poll() is None:
            self.broker.stop()

    def _half(self, half: str, verb: str) -> Half:
        command = [str(BIN / f"tidegate-{half}"), "--home", str(self.home(half)), verb]
        return Half(command, self.folder / f"{half}.log")

    def _edge_is_listening(self) -> bool:
        assert self.edge.process is not None
        if self.edge.process.poll() is not None:
            raise StackError(f"the gateway ended at its start\n{self.edge.tail()}")
        try:
            return bool(self.edge_status()["broker"]["connected"])
        except (StackError, KeyError):
            return False


def new_stack(folder: Path, broker: str | None = None) -> Stack:
    """A stack on free ports of loopback; nothing is started yet."""
    http_port = int(os.environ.get("DEMO_PORT", 0)) or free_port()
    return Stack(folder, new_broker(folder / "broker", broker), http_port, free_port(), free_port())
