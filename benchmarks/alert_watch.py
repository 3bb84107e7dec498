"""How soon an anomaly is told on the broker: from its PUBLISH to the alert, by a subscriber."""

import statistics
import threading
import time
from types import TracebackType
from typing import Any

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion


class AlertWatch:
    """Listens for alerts while a publisher tells when it sent what is far off."""

    def __init__(self, port: int) -> None:
        self._sent: dict[tuple[str, float], float] = {}
        self._heard: dict[tuple[str, float], float] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._ready = threading.Event()
        self._port = port

    def __enter__(self) -> "AlertWatch":
        self._client.on_connect = lambda *_: self._client.subscribe("tidegate/anomaly/#", qos=0)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        self._ready.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        now, told = time.monotonic(), msgspec.json.decode(message.payload)
        self._heard.setdefault((told["device"], told["value"]), now)

    def follow(self, publisher: Any) -> None:
        """Note what the publisher says until it is done."""
        for line in publisher.stdout:
            if line.startswith("done"):
                return
            topic, value, at = line.split()
            self._sent[topic, float(value)] = float(at)

    def figures(self) -> dict[str, float]:
        """Milliseconds from the PUBLISH to the alert, and how many were told at all."""
        took = sorted(
            (self._heard[spike] - at) * 1000 for spike, at in self._sent.items()
            if spike in self._heard
        )  # fmt: skip
        if len(took) < 2:
            return {}
        return {
            "alert_ms_p50": statistics.median(took),
            "alert_ms_p99": took[min(len(took) - 1, round(len(took) * 0.99))],
            "alerts_told": len(took),
            "alerts_awaited": len(self._sent),
        }
