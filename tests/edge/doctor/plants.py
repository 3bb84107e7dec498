"""What breaks a gateway that is well, one way each."""

import asyncio
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import apsw
import msgspec
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from cloud.ingest.identity import Authority
from cloud.registry.registry import Admission
from edge.identity import load
from edge.identity_next import fingerprint
from edge.keys import find_key, make_key_file
from edge.renewal import Record
from edge.timeline import Kept
from protos.model import write_package
from protos.model_key import make_key
from tests.edge.conftest import BufferWorld
from tests.edge.connect_proxy import ConnectProxy, connect_proxy
from tests.edge.detect.graphs import MANIFEST, spread
from tests.edge.doctor.patient import NAME, NOW_US, Patient
from tests.edge.mosquitto import Mosquitto
from tests.sim.site import enrol

DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Planted:
    """A fault, how it is planted, the finding that names it, a word of its remedy, exit code."""

    what: str
    plant: Callable[[Patient], object]
    name: str
    remedy: str
    code: int


def with_mode(path: str, mode: int) -> Callable[[Patient], object]:
    return lambda patient: (patient.home / path).chmod(mode)


def with_file(path: str, text: str) -> Callable[[Patient], object]:
    return lambda patient: patient.file(path, text)


def mounted(kind: str, options: str) -> Callable[[Patient], object]:
    return lambda patient: patient.mount(kind, options, kind)


def settings(section: str, *lines: str) -> Callable[[Patient], object]:
    return lambda patient: patient.set(section, *lines)


def where(**parts: Any) -> Callable[[Patient], object]:
    return lambda patient: patient.case.update(parts)


def unsynchronised(patient: Patient) -> None:
    (patient.root / "run/systemd/timesync/synchronized").unlink()


def kept_buffer(patient: Patient, *, killed: bool = False) -> Path:
    """A buffer with something in it, closed in order, or as a power cut leaves it."""
    world = BufferWorld(patient.home, random.Random(7), key_of(patient))
    store = world.open()
    for _ in range(3):
        store.commit(world.chunk(50, new_series=1)).result()
    files = [world.path, world.path.with_name("buffer.db-wal")]
    left = [file.read_bytes() for file in files]
    store.close()
    if killed:
        for file, data in zip(files, left, strict=True):
            file.write_bytes(data)
    return world.path


def key_of(patient: Patient) -> Any:
    return find_key(patient.home / "keys" / "buffer.key", {})


def flipped(patient: Patient) -> None:
    db = apsw.Connection(str(kept_buffer(patient)))
    ((data,),) = db.execute("SELECT data FROM chunks WHERE no = 2").fetchall()
    db.execute("UPDATE chunks SET data = ? WHERE no = 2", (data[:-1] + bytes([data[-1] ^ 1]),))
    db.close()


def newer(patient: Patient) -> None:
    db = apsw.Connection(str(kept_buffer(patient)))
    db.pragma("user_version", 99)
    db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    db.close()


def torn(patient: Patient) -> None:
    with kept_buffer(patient).open("r+b") as file:
        file.write(bytes(4096))


def other_key(patient: Patient) -> None:
    kept_buffer(patient)
    (patient.home / "keys" / "buffer.key").unlink()
    make_key_file(patient.home / "keys" / "buffer.key")


def wants_a_password(patient: Patient) -> None:
    patient.broker.stop()
    patient.broker.access = "allow_anonymous false"
    patient.broker.start()


def at_the_cloud(patient: Patient) -> None:
    patient.set("broker", f'url = "mqtt://127.0.0.1:{patient.site.port}"')


def by_tls(patient: Patient) -> None:
    patient.set("broker", f'url = "mqtts://127.0.0.1:{patient.broker.port}"')


def old_record(left_days: int) -> Callable[[Patient], None]:
    def plant(patient: Patient) -> None:
        who = load(patient.home / "identity", NAME)
        record = Record(
            certificate=fingerprint(who), life_us=730 * DAY_US, left_us=left_days * DAY_US
        )
        (patient.home / "renewal.json").write_bytes(msgspec.json.encode(record))

    return plant


def key_of_another(patient: Patient) -> None:
    papers = enrol(patient.site.authority, NAME)
    (patient.home / "identity" / "gateway.key").write_bytes(papers.key_pem)


def authority_of_another(patient: Patient) -> None:
    other = Authority.create(patient.folder / "other-ca", "another")
    (patient.home / "identity" / "ca.crt").write_bytes(other.pem)


def elsewhere(patient: Patient) -> None:
    """Another cloud answers at the address."""
    other = Authority.create(patient.folder / "other-ca", "another")
    patient.enrol(enrol(other, NAME), other)


def revoked(patient: Patient) -> None:
    patient.site.barred[NAME] = Admission.REVOKED


def stranger(patient: Patient) -> None:
    (patient.home / "models" / "tried-1.tgm").write_bytes(
        write_package(MANIFEST, spread().SerializeToString(), make_key())
    )


def behind(patient: Patient) -> None:
    kept = Kept(boot_id=bytes(16), floor_us=NOW_US + 400 * DAY_US)
    (patient.home / "clock.json").write_bytes(msgspec.json.encode(kept))


def worn(patient: Patient) -> None:
    patient.device("device/life_time", "0x0b 0x01\n")


def file_system_errors(patient: Patient) -> None:
    patient.file(f"/sys/fs/ext4/{patient.device_name}/errors_count", "3\n")


def not_at_boot(patient: Patient) -> None:
    shutil.rmtree(patient.root / "etc/systemd/system/multi-user.target.wants")


def dated_rtc(patient: Patient) -> None:
    patient.file("/sys/class/rtc/rtc0/since_epoch", "946684800\n")


UNIT = "/etc/systemd/system/tidegate-edge.service"
EVENTS = "/sys/fs/cgroup/system.slice/tidegate-edge.service/memory.events"
CONF = "/etc/mosquitto/conf.d/tidegate.conf"


def leave_a_subscriber(broker: Mosquitto) -> None:
    """Leave a session at a broker whose client is gone."""
    client = paho.Client(CallbackAPIVersion.VERSION2, "absent", clean_session=False)
    done = threading.Event()
    client.on_subscribe = lambda *_: done.set()
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.subscribe("a/#", 1)
    assert done.wait(10)
    client.disconnect()
    client.loop_stop()


@contextmanager
def proxy(credentials: str) -> Iterator[ConnectProxy]:
    """A proxy that runs on a thread of its own."""
    loop, stop, made = asyncio.new_event_loop(), asyncio.Event(), Queue[ConnectProxy]()

    async def serve() -> None:
        async with connect_proxy(credentials) as one:
            made.put(one)
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        yield made.get(timeout=10)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
