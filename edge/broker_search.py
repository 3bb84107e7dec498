"""Which broker is there: asked by one MQTT 3.1.1 CONNECT, after which nothing is said.

On this machine first; then under the names that people give brokers in a local network (`.local`
where the system knows mDNS). Nothing is published, subscribed or kept.
"""

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import Final

from edge.settings_links import MQTT_PORTS, Broker

PROBE_S: Final = 2.0
HERE: Final = "mqtt://127.0.0.1:1883"
NAMES: Final = ("mqtt", "mosquitto", "broker", "homeassistant", "mqtt.local", "mosquitto.local",
                "broker.local", "homeassistant.local", "zigbee2mqtt.local")  # fmt: skip
"""Under which a broker is looked for, those of a name server before those of mDNS."""
_SESSIONLESS, _PASSWORD, _USERNAME = 0x02, 0x40, 0x80
_CONNACK, _LETS_IN, _REFUSES = 0x20, 0, (4, 5)


class Answer(Enum):
    """What became of the CONNECT."""

    OPEN = "answers"
    WANTS_PASSWORD = "wants a user name and password: see [broker] in the settings"
    REFUSES = "refuses connections"
    NO_MQTT = "something answers, but it does not speak MQTT"
    NOT_TRIED = "not tried (TLS)"
    SILENT = "no broker there now"


@dataclass(frozen=True, slots=True)
class Probed:
    """What a broker answered, and that in words."""

    answer: Answer
    told: str


def probe(broker: Broker, password: str = "") -> Probed:
    """Ask whether a broker answers at the address of ``broker``, under its user name if any."""
    if broker.tls:
        return _told(Answer.NOT_TRIED)
    try:
        with socket.create_connection((broker.host, broker.port), PROBE_S) as connection:
            connection.settimeout(PROBE_S)
            connection.sendall(_connect(broker.username, password))
            answer = connection.recv(4)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        told = f"{Answer.SILENT.value} ({reason}); the agent will keep trying"
        return Probed(Answer.SILENT, told)
    if len(answer) < 4 or answer[0] != _CONNACK:
        return _told(Answer.NO_MQTT)
    if answer[3] == _LETS_IN:
        return _told(Answer.OPEN)
    if answer[3] in _REFUSES:
        return _told(Answer.WANTS_PASSWORD)
    return Probed(Answer.REFUSES, f"{Answer.REFUSES.value} (code {answer[3]})")


def found(names: tuple[str, ...] = NAMES, port: int = MQTT_PORTS["mqtt"]) -> str | None:
    """Address of the first of the names under which a broker answers; None where none does."""
    urls = [f"mqtt://{name}:{port}" for name in names]
    with ThreadPoolExecutor(len(urls), "broker-search") as threads:
        answers = threads.map(lambda url: probe(Broker(url=url)).answer, urls)
        speaking = (Answer.OPEN, Answer.WANTS_PASSWORD)
        return next((url for url, one in zip(urls, answers, strict=True) if one in speaking), None)


def _told(answer: Answer) -> Probed:
    return Probed(answer, answer.value)


def _connect(username: str, password: str) -> bytes:
    """CONNECT of MQTT 3.1.1 (section 3.1) without a session and without a client id."""
    flags, payload = _SESSIONLESS, _text("")
    if username:
        flags |= _USERNAME | _PASSWORD
        payload += _text(username) + _text(password)
    body = _text("MQTT") + bytes((4, flags, 0, 5)) + payload
    length = (
        bytes((len(body),)) if len(body) < 128 else bytes((len(body) % 128 | 128, len(body) // 128))
    )
    return b"\x10" + length + body


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data
