"""Ten sensors that publish a measured value each, so many messages a second in all, on time."""

import random
import threading
import time
from typing import Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

DEVICES: Final = 10


class Sensors:
    """Publishes on a thread of its own until it is stopped; ``sent`` counts."""

    def __init__(self, port: int, per_s: float) -> None:
        self.sent = 0
        self._each_s = 1 / per_s
        self._stopped = threading.Event()
        self._chance = random.Random(8)
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="card-day-sensors")
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run, name="sensors")
        self._thread.start()

    def _run(self) -> None:
        next_s = time.monotonic()
        while not self._stopped.wait(max(0.0, next_s - time.monotonic())):
            device = self.sent % DEVICES
            value = 20 + device + self._chance.gauss(0, 0.3)
            self._client.publish(f"site/d{device}", f'{{"temperature":{value:.2f}}}', qos=1)
            self.sent += 1
            next_s += self._each_s

    def stop(self) -> None:
        """Publish no more, and leave."""
        self._stopped.set()
        self._thread.join()
        self._client.loop_stop()
        self._client.disconnect()
