"""Sensors that cost nearly nothing: PUBLISH packets made beforehand, written in bursts.

`python -m benchmarks.publisher PORT PREFIX SHAPE COUNT RATE SPIKES` publishes with QoS 1.
RATE 0 is as fast as the broker takes it. With SPIKES, every so many messages one holds a value that
is far off; for each of those `topic seconds` is printed at the moment it leaves.
"""

import json
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from protos import sparkplug_pb2 as pb

DEVICES: Final = 20
BLOCK: Final = 20 * 256
"""Messages made beforehand: a whole turn of Sparkplug's `seq` for each device."""
SPIKE: Final = 987.5
READINGS: Final = {"small": 2, "zigbee": 5, "array": 50, "sparkplug": 50}
"""Readings in one message of each shape."""
_INT64, _DOUBLE = 4, 10  # datatypes of Sparkplug


def topics(prefix: str, shape: str) -> list[str]:
    """Where the devices publish; in Sparkplug each hangs on a node of its own."""
    if shape == "sparkplug":
        return [f"spBv1.0/{prefix}/DDATA/node{number}/device" for number in range(DEVICES)]
    return [f"{prefix}/device{number}" for number in range(DEVICES)]


def payload_maker(shape: str) -> Callable[[int], bytes]:
    """Payloads of one shape: a climate sensor, a Zigbee2MQTT object, 50 numbers or Sparkplug."""
    chance = random.Random(1)
    level = [21.0 + chance.random() for _ in range(DEVICES)]

    def small(device: int) -> bytes:
        level[device] += chance.gauss(0, 0.02)
        return f'{{"temperature":{level[device]:.2f},"humidity":{45 + level[device]:.1f}}}'.encode()

    def zigbee(device: int) -> bytes:
        level[device] += chance.gauss(0, 0.02)
        told = {"battery": 97, "humidity": round(45 + level[device], 2), "linkquality": 84,
                "temperature": round(level[device], 2), "voltage": 2985}  # fmt: skip
        return json.dumps(told).encode()

    def array(device: int) -> bytes:
        level[device] += chance.gauss(0, 0.02)
        values = [round(level[device] + chance.gauss(0, 0.1), 2) for _ in range(50)]
        return json.dumps({"values": values}, separators=(",", ":")).encode()

    heard = [1] * DEVICES  # the last `seq` of each node, which its births used
    start_ms = time.time_ns() // 1_000_000

    def sparkplug(device: int) -> bytes:
        level[device] += chance.gauss(0, 0.02)
        heard[device] += 1
        at_ms = start_ms + heard[device]
        payload = pb.Payload(timestamp_ms=at_ms, seq=heard[device] % 256)
        for alias in range(1, READINGS["sparkplug"] + 1):
            value = round(level[device] + chance.gauss(0, 0.1), 2)
            payload.metrics.add(
                alias=alias, timestamp_ms=at_ms, datatype=_DOUBLE, double_value=value
            )
        return payload.SerializeToString()

    makers = {"small": small, "zigbee": zigbee, "array": array, "sparkplug": sparkplug}
    return makers[shape]


def payloads(shape: str, count: int) -> Iterator[str]:
    """Payloads that are text, of the devices in turn."""
    make = payload_maker(shape)
    return (make(number % DEVICES).decode() for number in range(count))


def births(prefix: str, shape: str) -> list[bytes]:
    """What nodes of Sparkplug say before any data."""
    if shape != "sparkplug":
        return []
    packets: list[bytes] = []
    now_ms = time.time_ns() // 1_000_000
    for number in range(DEVICES):
        node = pb.Payload(timestamp_ms=now_ms, seq=0)
        node.metrics.add(name="bdSeq", timestamp_ms=now_ms, datatype=_INT64, long_value=0)
        device = pb.Payload(timestamp_ms=now_ms, seq=1)
        for alias in range(1, READINGS["sparkplug"] + 1):
            device.metrics.add(
                name=f"value{alias}", alias=alias, timestamp_ms=now_ms, datatype=_DOUBLE,
                double_value=20.0,
            )  # fmt: skip
        where = f"spBv1.0/{prefix}/{{}}/node{number}"
        for verb, payload in (("NBIRTH", node), ("DBIRTH", device)):
            topic = where.format(verb) + ("/device" if verb == "DBIRTH" else "")
            packets.append(publish_packet(topic, payload.SerializeToString(), len(packets) + 1))
    return packets


def publish_packet(topic: str, payload: bytes, packet_id: int) -> bytes:
    """A PUBLISH of MQTT 3.1.1 with QoS 1."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + packet_id.to_bytes(2, "big") + payload
    size, length = len(body), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return b"\x32" + bytes(length) + body


def connected(port: int) -> socket.socket:
    """A connection whose answers are read and thrown away."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    name = b"load"
    body = b"\x00\x04MQTT\x04\x02\x00\x00" + len(name).to_bytes(2, "big") + name
    sock.sendall(b"\x10" + bytes((len(body),)) + body)
    if sock.recv(4) != b"\x20\x02\x00\x00":
        raise RuntimeError("the broker refused the load")

    def drain() -> None:
        while sock.recv(1 << 16):
            pass

    threading.Thread(target=drain, daemon=True).start()
    return sock


def flood(sock: socket.socket, packets: Sequence[bytes], count: int) -> None:
    """As fast as the broker takes it."""
    block = b"".join(packets)
    for _ in range(count // len(packets)):
        sock.sendall(block)
    sock.sendall(b"".join(packets[: count % len(packets)]))


def pace(
    sock: socket.socket,
    packets: Sequence[bytes],
    names: Sequence[str],
    count: int,
    rate: int,
    spikes: int,
) -> None:
    """At a steady rate, each message by itself up to 1,000 a second."""
    start = time.perf_counter()
    at_once = max(1, rate // 1000)
    for number in range(0, count, at_once):
        wait_s = start + number / rate - time.perf_counter()
        if wait_s > 0:
            time.sleep(wait_s)
        if spikes and number % spikes == spikes - 1:
            topic = names[number // spikes % DEVICES]
            value = SPIKE + number
            packet = publish_packet(topic, f'{{"temperature":{value},"humidity":45.0}}'.encode(), 1)
            print(f"{topic} {value} {time.monotonic()}", flush=True)
            sock.sendall(packet)
        else:
            at = number % len(packets)
            sock.sendall(b"".join(packets[at : at + at_once]))


def main(port: int, prefix: str, shape: str, count: int, rate: int, spikes: int) -> None:
    """Publish, and leave once the broker has answered what it will."""
    make, names = payload_maker(shape), topics(prefix, shape)
    packets = [
        publish_packet(names[n % DEVICES], make(n % DEVICES), n % 60_000 + 1) for n in range(BLOCK)
    ]
    sock = connected(port)
    print("ready", flush=True)
    sys.stdin.readline()
    sock.sendall(b"".join(births(prefix, shape)))
    if rate:
        pace(sock, packets, names, count, rate, spikes)
    else:
        flood(sock, packets, count)
    print("done", flush=True)
    sys.stdin.readline()  # stay connected: what the broker has not read yet would be lost


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], *map(int, sys.argv[4:7]))
