import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.broker import free_port
from edge.clock import Stamp
from edge.ingest import Inbox, Ingest, Linger
from edge.ingest_broker import Broker
from protos.records import Quality
from tests.brokers.certificates import certificate
from tests.edge.mosquitto import Mosquitto, until

pytestmark = pytest.mark.broker

NOW = Stamp(0, 0, Quality.GATEWAY_UNSYNCED)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker with a plain listener for the publisher and one that asks for a certificate."""
    authority = certificate(tmp_path, "ca")
    certificate(tmp_path, "server", authority)
    certificate(tmp_path, "gateway", authority)
    certificate(tmp_path, "stranger")
    broker = Mosquitto(tmp_path)
    broker.access = (
        f"allow_anonymous true\nlistener {free_port()} 127.0.0.1\nallow_anonymous true\n"
        f"cafile {tmp_path}/ca.crt\ncertfile {tmp_path}/server.crt\n"
        f"keyfile {tmp_path}/server.key\nrequire_certificate true"
    )
    broker.start()
    yield broker
    broker.stop()


def make(ingest_type: Any, mosquitto: Mosquitto, authority: str, client: str) -> Ingest:
    context = ssl.create_default_context(cafile=mosquitto.folder / f"{authority}.crt")
    context.load_cert_chain(mosquitto.folder / f"{client}.crt", mosquitto.folder / f"{client}.key")
    return over(ingest_type, int(mosquitto.access.split("listener ")[1].split()[0]), context)


def over(ingest_type: Any, port: int, tls: ssl.SSLContext | None) -> Ingest:
    made: Ingest = ingest_type(Broker("127.0.0.1", port, "gateway", ("#",), tls=tls), lambda: NOW)
    return made


def test_readings_come_over_tls_with_a_client_certificate(
    ingest_type: Any, mosquitto: Mosquitto
) -> None:
    one, inbox = make(ingest_type, mosquitto, "ca", "gateway"), Inbox()
    one.start(inbox)
    assert one.wait_connected(10), one.state.error
    sent = [b"%d" % n for n in range(500)]
    mosquitto.publish([("a/t", payload) for payload in sent])
    until(lambda: len(inbox) == 500, "not all came")
    heard = inbox.take(Linger(0.001, 0.001))
    assert [message.payload for message in heard] == sent
    one.ack(heard)
    until(lambda: mosquitto.log().count("Received PUBACK from gateway") == 500, "not acknowledged")
    one.stop(5)


@pytest.mark.parametrize("tls", [True, False], ids=["TLS to a plain port", "plain to a TLS port"])
def test_the_wrong_scheme_for_a_port_is_told_with_the_right_one(
    ingest_type: Any, mosquitto: Mosquitto, tls: bool
) -> None:
    secure = int(mosquitto.access.split("listener ")[1].split()[0])
    context = ssl.create_default_context(cafile=mosquitto.folder / "ca.crt") if tls else None
    port = mosquitto.port if tls else secure
    one = over(ingest_type, port, context)
    one.start(Inbox())
    until(lambda: one.state.error, "no error was told")
    assert one.state.error.endswith("then mqtt://)" if tls else "then mqtts://)")
    one.stop(5)


@pytest.mark.parametrize(
    ("authority", "client", "error"),
    [("stranger", "gateway", "certificate verify failed"), ("ca", "stranger", "")],
)
def test_a_certificate_that_does_not_fit_is_told(
    ingest_type: Any, mosquitto: Mosquitto, authority: str, client: str, error: str
) -> None:
    one = make(ingest_type, mosquitto, authority, client)
    one.start(Inbox())
    until(lambda: one.state.error, "no error was told")
    assert not one.state.connected
    assert error in one.state.error
    one.stop(5)
