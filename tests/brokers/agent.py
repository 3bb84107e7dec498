"""A real agent before a broker of the suite, with a wire between them that sees every PUBACK."""

import json
import secrets
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.demo.stack import BIN, Half, StackError, run
from tests.brokers.broker import PASSWORD, USER, RealBroker
from tests.crash.line import Line, Loop
from tests.crash.mqtt_tap import MqttTap
from tests.crash.verdict import METRICS, PREFIX, Heard
from tests.edge.mosquitto import until


@dataclass
class Agent:
    """`tidegate-edge run` in a home of its own, never enrolled: what it takes stays with it.

    Over the plain listener its packets are read by the wire; TLS keeps them from it.
    """

    folder: Path
    broker: RealBroker
    tls: bool = False
    client: str = ""
    version: str = ""
    heard: Heard = field(default_factory=Heard)
    loop: Loop = field(default_factory=Loop)

    def __post_init__(self) -> None:
        self.home = self.folder / "edge"
        self.name = f"bench-{secrets.token_hex(4)}"
        self.half = Half(
            [str(BIN / "tidegate-edge"), "--home", str(self.home), "run"],
            self.folder / "edge.log",
        )
        to_port = self.broker.tls_port if self.tls else self.broker.port
        self.line = Line(self.loop, to_port, None if self.tls else lambda: MqttTap(self.heard))
        self.tidegate("init", "--name", self.name)
        (self.folder / "password").write_text(PASSWORD + "\n")
        (self.home / "edge.toml").write_text(self._settings())

    def start(self) -> None:
        """Start it, and return when it hears its broker."""
        self.half.start()
        until(self.is_connected, f"no connection to {self.broker.kind}: {self.half.tail()}", 60)

    def is_connected(self) -> bool:
        """Whether it stands subscribed before its broker."""
        try:
            return bool(self.status()["broker"]["connected"])
        except (StackError, KeyError):
            return False

    def status(self) -> dict[str, Any]:
        """What `status --json` says."""
        said: dict[str, Any] = json.loads(self.tidegate("status", "--json"))
        return said

    def sessions(self) -> int:
        """How often it connected to its broker, as it says; -1 while it does not say."""
        try:
            return int(self.status()["broker"]["sessions"])
        except (StackError, KeyError):
            return -1

    def rows(self) -> int:
        """Readings in its buffer."""
        return int(self.status()["buffer"]["rows"])

    def kept(self) -> Counter[int]:
        """How often each numbered message is in the buffer; the agent is stopped for it."""
        assert self.half.stop() == 0, self.half.tail()
        found: Counter[int] = Counter()
        for line in self.tidegate("buffer", "export", "-", "--format", "jsonl").splitlines():
            row = json.loads(line)
            if row["device"].startswith(PREFIX):
                found[int(row["value"] - METRICS[row["metric"]])] += 1
        return found

    def close(self) -> None:
        """End whatever still runs."""
        self.half.kill()
        self.loop.close()

    def tidegate(self, *words: str) -> str:
        """One command over this home, and what it printed."""
        return run("tidegate-edge", "--home", str(self.home), *words)

    def _settings(self) -> str:
        scheme = "mqtts" if self.tls else "mqtt"
        lines = [
            f'[gateway]\nname = "{self.name}"\n\n[broker]',
            f'url = "{scheme}://127.0.0.1:{self.line.port}"',
            f'username = "{USER}"\npassword_file = "{self.folder}/password"',
        ]
        asked = {"client": self.client, "version": self.version}
        lines.extend(f'{key} = "{value}"' for key, value in asked.items() if value)
        if self.tls:
            lines.append(f'ca_file = "{self.broker.folder}/ca.crt"')
        if self.tls and self.broker.abilities.client_certificates:
            lines.append(f'cert_file = "{self.broker.folder}/gateway.crt"')
            lines.append(f'key_file = "{self.broker.folder}/gateway.key"')
        return "\n".join(lines) + "\n"
