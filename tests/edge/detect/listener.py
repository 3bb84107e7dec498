"""Somebody at the broker who hears what is published, and when; and an agent before that broker."""

import json
import queue
import secrets
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from deploy.demo.stack import BIN, Half, run
from tests.edge.mosquitto import Mosquitto, until


@dataclass(frozen=True)
class Heard:
    """One message: the topic, what its JSON says, its flags, and when it came."""

    topic: str
    said: Any
    qos: int
    retain: bool
    at_s: float


class Listener:
    """Subscribed to everything once it is made."""

    def __init__(self, port: int) -> None:
        self.every: list[Heard] = []
        self._new: queue.Queue[Heard] = queue.Queue()
        subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._heard
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("#", 2)
        self._client.loop_start()
        assert subscribed.wait(20), "not subscribed"

    def _heard(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        said = json.loads(message.payload or b"null")
        one = Heard(message.topic, said, message.qos, message.retain, time.monotonic())
        self.every.append(one)
        self._new.put(one)

    def next(self, prefix: str, seconds: float = 20.0) -> Heard:
        """The next message below a topic; AssertionError when none comes."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                one = self._new.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"nothing came below {prefix}") from None
            if one.topic.startswith(prefix):
                return one

    def below(self, prefix: str) -> list[Any]:
        """What was said below a topic so far."""
        return [one.said for one in self.every if one.topic.startswith(prefix)]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@dataclass
class Offline:
    """An agent that is not enrolled, before a broker of its own."""

    folder: Path
    settings: str
    environment: tuple[str, ...] = ()
    broker: Mosquitto = field(init=False)
    half: Half = field(init=False)

    def __post_init__(self) -> None:
        self.home = self.folder / "edge"
        self.name = f"hut-{secrets.token_hex(3)}"
        self.broker = Mosquitto(self.folder)
        command = [str(BIN / "tidegate-edge"), "--home", str(self.home), "run"]
        if self.environment:
            command = ["env", *self.environment, *command]
        self.half = Half(command, self.folder / "edge.log")
        self.tidegate("init", "--name", self.name)
        self.configure(self.settings)

    def configure(self, settings: str) -> None:
        """Write the settings anew."""
        (self.home / "edge.toml").write_text(
            f'[gateway]\nname = "{self.name}"\n[models]\nenabled = false\n'
            f'[broker]\nurl = "mqtt://127.0.0.1:{self.broker.port}"\n{settings}'
        )

    def start(self) -> None:
        """Start it, and return when it hears its broker."""
        self.half.start()
        until(self._is_connected, f"not connected: {self.half.tail()}", 60)

    def status(self) -> dict[str, Any]:
        """What `status --json` says."""
        said: dict[str, Any] = json.loads(self.tidegate("status", "--json"))
        return said

    def publish(self, topic: str, **values: float) -> float:
        """Publish a reading; returns when the broker had it, by the monotonic clock."""
        self.broker.publish([(topic, json.dumps(values).encode())])
        return time.monotonic()

    def kept(self) -> int:
        """Messages that are committed."""
        return int(self.status()["ingest"]["accepted"])

    def tidegate(self, *words: str) -> str:
        """One command over this home, and what it printed."""
        return run("tidegate-edge", "--home", str(self.home), *words)

    def close(self) -> None:
        """End whatever still runs."""
        self.half.kill()
        self.broker.stop()

    def _is_connected(self) -> bool:
        said = self.status()
        return bool(said["running"] and said["broker"]["connected"])
