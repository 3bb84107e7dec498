"""Each broker of the suite really is one: it serves both listeners and keeps its word."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.brokers.broker import PASSWORD, USER, RealBroker
from tests.brokers.kinds import KINDS
from tests.edge.mosquitto import until

pytestmark = pytest.mark.broker


@pytest.fixture(params=sorted(KINDS))
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealBroker]:
    one = KINDS[request.param](tmp_path)
    try:
        one.start()
        yield one
    finally:
        one.stop()


@contextlib.contextmanager
def listening(broker: RealBroker, *, certificate: str | None = None) -> Iterator[list[bytes]]:
    """A session on everything; yields what came, and closes without leaving the session."""
    # A name for each: the embedded broker may still be ending an older session.
    name = f"watch-{certificate or 'plain'}"
    client = paho.Client(CallbackAPIVersion.VERSION2, name, clean_session=False)
    client.username_pw_set(USER, PASSWORD)
    heard: list[bytes] = []
    ready = Event()
    client.on_message = lambda *args: heard.append(args[2].payload)
    client.on_connect = lambda *args: client.subscribe("#", 1)
    client.on_subscribe = lambda *args: ready.set()
    port = broker.port
    if certificate is not None:
        client.tls_set_context(broker.tls(certificate))
        port = broker.tls_port
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert ready.wait(60), f"{broker.kind} has not answered the subscription"
    yield heard
    client.disconnect()
    client.loop_stop()


def test_a_message_comes_over_both_listeners(broker: RealBroker) -> None:
    for certificate in (None, "gateway"):
        with listening(broker, certificate=certificate) as heard:
            broker.publish([("a/b", b"%d" % n) for n in range(50)])
            until(lambda heard=heard: len(heard) >= 50, f"{broker.kind}: {len(heard)} of 50 came")


def test_a_stranger_is_refused_where_certificates_are_asked_for(broker: RealBroker) -> None:
    if not broker.abilities.client_certificates:
        pytest.skip(f"{broker.kind} declares that it asks for none")
    assert not is_answered(broker, "stranger")
    assert is_answered(broker, "gateway")


def is_answered(broker: RealBroker, certificate: str) -> bool:
    """Whether the TLS listener answers a CONNECT of 3.1.1 under this certificate."""
    connect = b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02id"
    try:
        with socket.create_connection(("127.0.0.1", broker.tls_port), 20) as plain:
            secured = broker.tls(certificate).wrap_socket(plain, server_hostname="127.0.0.1")
            secured.sendall(connect)
            return secured.recv(1) == b"\x20"
    except OSError:
        return False


def test_what_is_held_for_a_session_survives_kill_9(broker: RealBroker) -> None:
    if not broker.abilities.survives_kill:
        pytest.skip(f"{broker.kind} declares that it keeps nothing")
    with listening(broker):
        pass
    broker.publish([("a/b", b"%d" % n) for n in range(200)])
    broker.kill()
    broker.start()
    with listening(broker) as heard:
        until(lambda: len(set(heard)) >= 200, f"{broker.kind}: {len(set(heard))} of 200 came")
