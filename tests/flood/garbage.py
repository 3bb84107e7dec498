"""A publisher of nonsense at full speed: `tests.flood.garbage PORT TOPIC KIND QOS SECONDS`.

Packets are made beforehand and written as the broker takes them. It ends with the number of
messages that it wrote, on a line of its own.
"""

import contextlib
import random
import socket
import sys
import threading
import time

KINDS = ("bytes", "json", "long")
BLOCK = 500


def publication(topic: str, payload: bytes, qos: int, packet_id: int) -> bytes:
    """A PUBLISH of MQTT 3.1.1."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name
    body += packet_id.to_bytes(2, "big") if qos else b""
    body += payload
    size, length = len(body), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes((0x30 | qos << 1, *length, size)) + body


def block(topic: str, kind: str, qos: int) -> bytes:
    """Some hundred messages of which none can be read: noise, broken JSON, long noise."""
    chance, made = random.Random(7), []
    for number in range(BLOCK):
        noise = bytes(128 + chance.randrange(128) for _ in range(8000 if kind == "long" else 60))
        payload = b'{"temperature":21.' + noise[:9].hex().encode() if kind == "json" else noise
        made.append(publication(topic, payload, qos, 1 + number))
    return b"".join(made)


def drain(sock: socket.socket) -> None:
    """Take the acknowledgements, so that the broker never waits for us, until it hangs up."""
    with contextlib.suppress(OSError):
        while sock.recv(1 << 16):
            pass


def main(port: int, topic: str, kind: str, qos: int, seconds: float) -> None:
    """Publish, see that the broker took all of it, and tell how much that was."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"\x10\x13\x00\x04MQTT\x04\x02\x00\x3c\x00\x07garbage")
        sock.recv(4)
        draining = threading.Thread(target=drain, args=(sock,))
        draining.start()
        made, written, until = block(topic, kind, qos), 0, time.monotonic() + seconds
        while time.monotonic() < until:
            sock.sendall(made)
            written += BLOCK
        sock.sendall(b"\xe0\x00")
        draining.join()
    print(written, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
