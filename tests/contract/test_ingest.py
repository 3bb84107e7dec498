import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.broker import free_port
from edge.ingest import Inbox
from edge.ingest_broker import Broker
from edge.message import Message
from edge.mqtt_version import MqttVersion
from tests.contract.listener import NOW, Listener
from tests.edge.mosquitto import Mosquitto, Wire, until

BOTH = pytest.mark.parametrize("version", [MqttVersion.V5, MqttVersion.V311])

Connect = Callable[..., "Listener"]


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def connect(ingest_type: Any) -> Iterator[Connect]:
    """Makes listeners; each is connected when it is returned."""
    made: list[Listener] = []

    def listener(
        port: int, *, inbox: Inbox | None = None, wait: bool = True, **fields: Any
    ) -> Listener:
        plain: dict[str, Any] = {"client_id": "gateway", "topics": ("#",)}
        broker = Broker("127.0.0.1", port, **(plain | fields))
        made.append(Listener(ingest_type, broker, Inbox() if inbox is None else inbox))
        if wait:
            assert made[-1].ingest.wait_connected(10), made[-1].ingest.state.error
        return made[-1]

    yield listener
    for one in made:
        one.ingest.stop(5)


@pytest.mark.broker
@BOTH
def test_messages_arrive_as_they_were_published(
    mosquitto: Mosquitto, connect: Connect, version: MqttVersion
) -> None:
    listener = connect(mosquitto.port, version=version)
    sent = [(f"plant/größe {n}/t", b"%d" % n) for n in range(500)]
    threading.Thread(target=mosquitto.publish, args=(sent,)).start()
    heard: list[Message] = []
    while len(heard) < 500:  # the window of MQTT 3.1.1 asks for acknowledgements on the way
        heard += (some := listener.hear(min(20, 500 - len(heard))))
        listener.ack(some)
    assert [(message.topic, message.payload) for message in heard] == sent
    assert {(m.qos, m.retain, m.dup, m.arrival_us, m.quality) for m in heard} == {
        (1, False, False, NOW.wall_us, int(NOW.quality))
    }
    assert all(message.packet_id for message in heard)
    state = listener.ingest.state
    assert (state.connected, state.error) == (True, "")
    assert state.protocol == f"MQTT {version.value}"


@pytest.mark.broker
def test_qos_2_comes_as_qos_1_and_qos_0_has_nothing_to_acknowledge(
    mosquitto: Mosquitto, connect: Connect
) -> None:
    listener = connect(mosquitto.port)
    mosquitto.publish([("a/t", b"2")], qos=2)
    mosquitto.publish([("a/t", b"0")], qos=0)
    two, zero = listener.hear(2)
    assert (two.qos, two.payload) == (1, b"2")
    assert (zero.qos, zero.packet_id) == (0, 0)


@pytest.mark.broker
@BOTH
def test_what_was_not_acknowledged_comes_again_with_dup_and_its_packet_id(
    mosquitto: Mosquitto, connect: Connect, version: MqttVersion
) -> None:
    wire = Wire(mosquitto.port)
    listener = connect(wire.port, version=version)
    mosquitto.publish([("a/t", b"%d" % n) for n in range(5)])
    heard = listener.hear(5)
    listener.ack(heard[:2])
    until(lambda: _acked(mosquitto, 2), "no acknowledgement")
    wire.cut()
    again = listener.hear(3)
    assert [(m.payload, m.packet_id) for m in again] == [
        (m.payload, m.packet_id) for m in heard[2:]
    ]
    assert all(message.dup for message in again)
    assert {message.session for message in again} == {heard[0].session + 1}
    assert listener.ingest.wait_connected(10)
    assert listener.ingest.state.resumed
    wire.close()


def _acked(mosquitto: Mosquitto, count: int) -> bool:
    return mosquitto.log().count("Received PUBACK from gateway") >= count


@pytest.mark.broker
def test_an_acknowledgement_of_an_earlier_connection_is_never_sent_on_a_later_one(
    mosquitto: Mosquitto, connect: Connect
) -> None:
    wire = Wire(mosquitto.port)
    listener = connect(wire.port)
    mosquitto.publish([("a/t", b"%d" % n) for n in range(3)])
    first = listener.hear(3)
    wire.cut()
    second = listener.hear(3)
    listener.ack(first)
    until(lambda: listener.ingest.state.stale_acks == 3, "they were not dropped")
    assert not _acked(mosquitto, 1)
    listener.ack(second)
    until(lambda: _acked(mosquitto, 3), "the new ones were not acknowledged")
    wire.close()


@pytest.mark.broker
def test_a_new_process_resumes_the_session_and_gets_what_came_meanwhile(
    mosquitto: Mosquitto, connect: Connect
) -> None:
    first = connect(mosquitto.port)
    assert not first.ingest.state.resumed
    first.ingest.stop(5)
    mosquitto.publish([("a/t", b"1"), ("a/t", b"2")])
    second = connect(mosquitto.port)
    assert second.ingest.state.resumed
    assert [message.payload for message in second.hear(2)] == [b"1", b"2"]


@pytest.mark.broker
def test_a_restart_of_the_broker_loses_nothing(mosquitto: Mosquitto, connect: Connect) -> None:
    listener = connect(mosquitto.port)
    mosquitto.publish([("a/t", b"1")])
    (one,) = listener.hear(1)
    mosquitto.stop()
    until(lambda: not listener.ingest.state.connected, "the loss was not noticed")
    assert listener.ingest.state.error
    mosquitto.start()
    mosquitto.publish([("a/t", b"2")])
    again = listener.hear(2)
    assert [message.payload for message in again] == [b"1", b"2"]
    assert again[0].dup
    assert again[0].session > one.session
    assert listener.ingest.wait_connected(10)


@pytest.mark.broker
def test_a_broker_that_is_away_at_the_start_is_a_state_and_is_found_when_it_comes(
    tmp_path: Path, connect: Connect
) -> None:
    broker = Mosquitto(tmp_path)
    listener = connect(broker.port, wait=False)
    assert not listener.ingest.wait_connected(0.2)
    until(lambda: "refused" in listener.ingest.state.error, "no error was told")
    broker.start()
    assert listener.ingest.wait_connected(10)
    assert listener.ingest.state.error == ""
    broker.stop()


@pytest.mark.broker
@BOTH
def test_a_wrong_password_is_told_with_the_way_out(
    tmp_path: Path, connect: Connect, version: MqttVersion
) -> None:
    (tmp_path / "users").write_text("")
    broker = Mosquitto(tmp_path, f"allow_anonymous false\npassword_file {tmp_path}/users")
    broker.start()
    listener = connect(broker.port, wait=False, username="u", password="p", version=version)
    until(lambda: listener.ingest.state.error, "no error was told")
    assert "the broker refused the connection: Not authorized" in listener.ingest.state.error
    assert "broker.username" in listener.ingest.state.error
    broker.stop()


@pytest.mark.broker
def test_a_full_inbox_stops_reading_and_loses_nothing(
    mosquitto: Mosquitto, connect: Connect
) -> None:
    listener = connect(mosquitto.port, inbox=Inbox(messages_max=10))
    mosquitto.publish([("a/t", b"%d" % n) for n in range(100)])
    until(lambda: not listener.inbox.has_room, "it was never full")
    heard = listener.hear(100)
    assert [message.payload for message in heard] == [b"%d" % n for n in range(100)]
    assert {message.session for message in heard} == {1}


@pytest.mark.broker
def test_a_backlog_that_comes_before_the_brokers_answer_is_no_silence(
    mosquitto: Mosquitto, connect: Connect
) -> None:
    connect(mosquitto.port).ingest.stop(5)
    mosquitto.publish([("a/t", b"%d" % n) for n in range(1000)])
    listener = connect(mosquitto.port, inbox=Inbox(messages_max=10), wait=False, timeout_s=0.2)
    until(lambda: not listener.inbox.has_room, "it was never full")
    threading.Event().wait(1.0)  # five times as long as a broker may be silent
    heard = listener.hear(1000)
    assert {message.session for message in heard} == {1}
    assert listener.ingest.wait_connected(10)


@pytest.mark.broker
def test_an_inbox_full_for_too_long_leaves_the_broker_and_comes_back(
    mosquitto: Mosquitto, connect: Connect
) -> None:
    listener = connect(mosquitto.port, inbox=Inbox(messages_max=10), keepalive_s=1)
    mosquitto.publish([("a/t", b"%d" % n) for n in range(30)])
    until(lambda: "paused" in listener.ingest.state.error, "it did not say that it waits")
    heard: list[Message] = []
    while sum(message.session == 2 for message in heard) < 30:
        heard += listener.hear(1)
    first = [m.payload for m in heard if m.session == 1]
    assert first == [b"%d" % n for n in range(len(first))]
    assert len(first) >= 10
    assert [m.payload for m in heard if m.session == 2] == [b"%d" % n for n in range(30)]


@pytest.mark.broker
def test_retained_values_say_so_and_come_once_per_subscription(
    mosquitto: Mosquitto, connect: Connect
) -> None:
    mosquitto.publish([("a/t", b"old")], retain=True)
    first = connect(mosquitto.port)
    (old,) = first.hear(1)
    assert old.retain
    mosquitto.publish([("a/t", b"new")], retain=True)
    (new,) = first.hear(1)
    assert not new.retain, "published while we listen, it is a reading"
    first.ack([old, new])
    first.ingest.stop(5)
    second = connect(mosquitto.port)
    mosquitto.publish([("a/t", b"newer")])
    assert [message.payload for message in second.hear(1)] == [b"newer"]


@pytest.mark.broker
def test_several_filters_are_subscribed_and_nothing_else(
    mosquitto: Mosquitto, connect: Connect
) -> None:
    listener = connect(mosquitto.port, topics=("plant/#", "+/temp"))
    mosquitto.publish([("plant/a/b", b"1"), ("hall/temp", b"2"), ("hall/x", b"3"), ("plant", b"4")])
    assert [message.payload for message in listener.hear(3)] == [b"1", b"2", b"4"]


def serve_fake(answers: list[bytes | None]) -> tuple[int, list[int]]:
    """A broker that answers each CONNECT as told; returns its port and the versions it was asked.

    None hangs up without a word; after a good CONNACK every SUBSCRIBE is granted.
    """
    listener = socket.create_server(("127.0.0.1", free_port()))
    asked: list[int] = []

    def serve() -> None:
        for answer in answers:
            sock, _ = listener.accept()
            with sock:
                connect = sock.recv(4096)
                asked.append(connect[connect.index(b"MQTT") + 4])
                if answer is None:
                    continue
                sock.sendall(answer)
                if answer[3] == 0:
                    subscribe = sock.recv(4096)
                    sock.sendall(b"\x90\x03" + subscribe[2:4] + b"\x01")
                    sock.recv(4096)

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1]), asked


@pytest.mark.parametrize("refusals", [[b"\x20\x02\x00\x01"], [None, None]])
def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1(
    connect: Connect, refusals: list[bytes | None]
) -> None:
    port, asked = serve_fake([*refusals, b"\x20\x02\x00\x00"])
    listener = connect(port)
    assert asked == [5] * len(refusals) + [4]
    assert listener.ingest.state.protocol == "MQTT 3.1.1"
    assert listener.ingest.state.window == 20
