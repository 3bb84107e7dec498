"""The baselines: subscribers that acknowledge and count, and do nothing else.

`python -m benchmarks.count_only paho|aiomqtt PORT 4|5 COUNT` subscribes to `count/#` with QoS 1,
prints `ready`, takes COUNT messages, prints one JSON line of what they cost, and ends.
"""

import asyncio
import json
import resource
import sys
import time

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

WINDOW = 8000
TOPIC = "count/#"


def properties() -> Properties:
    """What an MQTT 5 client asks for so that the window does not slow it."""
    asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    asked.ReceiveMaximum = WINDOW
    return asked


def with_paho(port: int, version: int, count: int) -> float:
    """Count with paho's own loop; seconds from the first message to the last."""
    v5 = version == 5
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id="count-paho",
        protocol=MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311,
    )
    heard, first = 0, 0.0

    def on_message(*_: object) -> None:
        nonlocal heard, first
        heard += 1
        if heard == 1:
            first = time.perf_counter()

    client.on_message = on_message
    client.on_connect = lambda *_: client.subscribe(TOPIC, qos=1)
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.connect("127.0.0.1", port, properties=properties() if v5 else None)
    while heard < count:
        client.loop(1.0)
    return time.perf_counter() - first


async def with_aiomqtt(port: int, version: int, count: int) -> float:
    """Count with aiomqtt; seconds from the first message to the last."""
    v5 = version == 5
    async with aiomqtt.Client(
        "127.0.0.1",
        port,
        identifier="count-aiomqtt",
        protocol=aiomqtt.ProtocolVersion.V5 if v5 else aiomqtt.ProtocolVersion.V311,
        properties=properties() if v5 else None,
        max_queued_incoming_messages=0,
    ) as client:
        await client.subscribe(TOPIC, qos=1)
        print("ready", flush=True)
        heard, first = 0, 0.0
        async for _ in client.messages:
            heard += 1
            if heard == 1:
                first = time.perf_counter()
            if heard == count:
                return time.perf_counter() - first
    raise RuntimeError("the connection ended")


def cpu_s() -> float:
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    which, *numbers = sys.argv[1:]
    port, version, count = map(int, numbers)
    before = cpu_s()
    if which == "paho":
        seconds = with_paho(port, version, count)
    else:
        seconds = asyncio.run(with_aiomqtt(port, version, count))
    each = (cpu_s() - before) * 1e6 / count
    print(json.dumps({"msgs_per_s": count / seconds, "us_per_msg": each}))
