"""The load of the ingest benchmarks: messages kept by a real broker for a subscriber that is away.

So that a subscriber meets them at full speed and the publisher costs nothing meanwhile.
"""

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from deploy.demo.broker import Broker

READINGS_EACH = 2


def payloads(count: int, seed: int = 1) -> Iterator[str]:
    """Small flat JSON objects as a climate sensor sends them: two quantised values."""
    chance = random.Random(seed)
    temperature, humidity = 21.0, 45.0
    for _ in range(count):
        temperature += chance.gauss(0, 0.02)
        humidity += chance.gauss(0, 0.1)
        yield f'{{"temperature":{temperature:.2f},"humidity":{humidity:.1f}}}'


def hold_session(broker: Broker, client_id: str) -> None:
    """Open a persistent session on everything and leave: the broker keeps what comes."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False
    )  # MQTT 3.1.1: the session outlives the connection without an expiry
    done = []
    client.on_subscribe = lambda *_: done.append(True)
    client.connect("127.0.0.1", broker.port)
    client.subscribe("bench/#", qos=1)
    deadline = time.monotonic() + 10
    while not done:
        client.loop(0.1)
        if time.monotonic() > deadline:
            raise RuntimeError("the broker did not answer a subscription within 10 s")
    client.disconnect()
    client.loop(0.1)


def fill(broker: Broker, count: int, devices: int) -> None:
    """Publish `count` messages at QoS 1 over `devices` topics with mosquitto's own client."""
    each = count // devices
    publishers = []
    for device in range(devices):
        command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-l"]
        command += ["-t", f"bench/device{device}", "-i", f"load{device}"]
        lines = "\n".join(payloads(each, device)) + "\n"
        publisher = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        assert publisher.stdin is not None
        publisher.stdin.write(lines)
        publisher.stdin.close()
        publishers.append(publisher)
    for publisher in publishers:
        if publisher.wait(timeout=300) != 0:
            raise RuntimeError(f"mosquitto_pub ended with {publisher.returncode}")


def bytes_on_disk(folder: Path) -> int:
    """Bytes that the files of a folder take."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
