"""What the doctor learns of broker, cloud and agent, and that it disturbs none of them."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge.clock import Clock
from edge.health import BrokerHealth, BufferHealth, CloudHealth, Health, IngestHealth, ModelHealth
from edge.identity import load as load_identity
from edge.uplink import Uplink
from edge.uplink_channel import Endpoint
from edge.uplink_state import Line
from protos import sync_pb2 as pb
from tests.edge.answering_agent import agent
from tests.edge.conftest import BufferWorld
from tests.edge.doctor import plants
from tests.edge.doctor.patient import NAME, Patient
from tests.edge.mosquitto import until as waited


@contextmanager
def mute() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_a_broker_and_a_cloud_that_take_connections_and_stay_silent_are_told(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.doctor.broker_talk.STEP_S", 0.3)
    monkeypatch.setattr("edge.doctor.cloud.STEP_S", 0.3)
    with mute() as port:
        patient.set("broker", f'url = "mqtt://127.0.0.1:{port}"')
        patient.set("cloud", f'address = "127.0.0.1:{port}"')
        found = patient.examined()
    assert "did not answer" in found.of("broker.mute").found
    assert "timed out" in found.of("cloud.tls").found


def test_an_agent_that_does_not_answer_its_door_is_a_fault(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.control.TIMEOUT_S", 0.3)
    plants.kept_buffer(patient)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(patient.home / "run" / "control.sock"))
        door.listen()
        found = patient.examined()
    assert "does not answer" in found.of("agent.silent").found
    assert "journalctl" in found.of("agent.silent").to_do
    assert "an agent has it" in found.of("buffer.none").found  # and it was not opened
    assert found.code == 3


def test_what_the_agent_says_of_itself_is_told(patient: Patient) -> None:
    said = Health(
        gateway=NAME, version="0", running=True, pid=7,
        ingest=IngestHealth(rejected=3, clocks_ahead=2),
        broker=BrokerHealth(error="the connection was lost: Session taken over"),
        buffer=BufferHealth(held=True, retries=9, evicted=5, quarantined=2, bytes_max=1 << 29),
        cloud=CloudHealth(enrolled=True, error="fenced", hint="stop the copy", failures=4),
        models=[ModelHealth(name="m", version="1", failure="it raised")],
    )  # fmt: skip
    patient.file("/proc/7/status", "VmHWM:  200000 kB\nVmRSS:  190000 kB\n")
    patient.file("/proc/7/cgroup", "0::/system.slice/tidegate-edge.service\n")
    group = "/sys/fs/cgroup/system.slice/tidegate-edge.service"
    patient.file(f"{group}/memory.max", f"{160 << 20}\n")
    patient.file(f"{group}/memory.events", "oom_kill 0\n")
    with agent(patient.home, {"status": [said], "settings": [{}]}):
        found = patient.examined()
    wanted = {
        "agent.rejects": "rejects", "agent.device-clocks": "time_zone", "broker.agent": "client_id",
        "buffer.full": "cloud is reached", "buffer.evicted": "bytes_max",
        "buffer.quarantine": "selftest", "cloud.delivery": "stop the copy",
        "model.failed": "model check", "memory.large": "restart",
    }  # fmt: skip
    for name, remedy in wanted.items():
        assert remedy in found.of(name).to_do
    assert found.code == 5


def test_messages_that_a_broker_dropped_are_seen_in_its_own_figures(patient: Patient) -> None:
    broker = patient.broker
    broker.stop()
    broker.more = "max_queued_messages 1\nsys_interval 1"
    broker.start()
    plants.leave_a_subscriber(broker)
    broker.publish([("a/b", b"%d" % n) for n in range(20)])
    waited(lambda: "broker.dropped" in patient.examined().names, "nothing was dropped", 30)
    found = patient.examined().of("broker.dropped")
    assert "max_queued_messages 0" in found.to_do


async def test_a_session_of_the_agent_stays_as_it_is_while_the_doctor_asks(
    patient: Patient, world: BufferWorld
) -> None:
    who = load_identity(patient.home / "identity", NAME)
    endpoint = Endpoint(
        who.sync_address, who.cloud_name, who.authority_pem, who.certificate_pem, who.key_pem
    )
    uplink = Uplink(
        gateway=NAME, endpoint=endpoint, buffer=world.open(), clock=Clock(boot_id=bytes(16)),
        agent_version="a test", report=pb.Status,
    )  # fmt: skip
    task = asyncio.create_task(uplink.run())
    async with asyncio.timeout(20):
        while uplink.state.line is not Line.LIVE:
            await asyncio.sleep(0.02)
    session = uplink.state.session
    for _ in range(3):
        found = await asyncio.to_thread(patient.examined)
        assert "cloud.reached" in found.names
    assert (uplink.state.line, uplink.state.session) == (Line.LIVE, session)
    assert uplink.state.attempts == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_cloud_of_another_protocol_is_told_from_one_that_is_only_away(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.journal.hello.PROTOCOL_MIN", 8)
    monkeypatch.setattr("cloud.journal.hello.PROTOCOL_MAX", 9)
    found = patient.examined().of("cloud.protocol")
    assert "this cloud 8–9" in found.found
    assert "upgrade the gateway" in found.to_do


def test_the_way_through_a_proxy_is_gone_as_the_agent_goes_it(patient: Patient) -> None:
    with plants.proxy("u:right") as through:
        for password, name in (("right", "cloud.reached"), ("wrong", "cloud.proxy")):
            (patient.home / "proxy.password").write_text(password)
            patient.set(
                "cloud", f'proxy = "{through.url}"', 'proxy_username = "u"',
                'proxy_password_file = "proxy.password"',
            )  # fmt: skip
            assert name in patient.examined().names
    assert through.refused
