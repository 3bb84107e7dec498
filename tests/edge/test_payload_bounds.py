"""A stranger's message takes memory and time in proportion to its bytes, whatever it repeats."""

import contextlib
import multiprocessing
import tracemalloc

import pytest

from edge.payload.rules import Rules, TopicRule
from edge.payload.said import NotData, Unreadable
from edge.recognition import Recognition
from protos import sparkplug_pb2 as pb

LONG = 20_000
MANY = 2_000
NAME = "x" * LONG
KEYS = ",".join(f'"{n}":1' for n in range(MANY))
ROWS = ",".join(['{"ts":1700000000,"values":{"a":1}}'] * MANY)
SPARKPLUG = "spBv1.0/plant/DDATA/node/device"


def _array() -> bytes:
    payload = pb.Payload(timestamp_ms=1)
    payload.metrics.add(name=NAME, datatype=26, bytes_value=b"\1" * MANY)
    return payload.SerializeToString()


def _template() -> bytes:
    payload = pb.Payload(timestamp_ms=1)
    members = payload.metrics.add(name=NAME).template.metrics
    for _ in range(MANY):
        members.add(int_value=1)
    return payload.SerializeToString()


def _senml() -> bytes:
    records = ",".join(f'{{"v":1,"t":{n + 1}}}' for n in range(MANY))
    return f'[{{"bn":"{NAME}:"}},{records}]'.encode()


BOMBS = {
    "a map": ("a/b", f'{{"{NAME}":{{{KEYS}}}}}'.encode()),
    "a map in a map": ("a/b", f'{{"a":{{"{NAME}":{{{KEYS}}}}}}}'.encode()),
    "a list": ("a/b", f'{{"{NAME}":[{",".join("1" * MANY)}]}}'.encode()),
    "a measurement": ("a/b", f"{NAME} {','.join(f'{n}=1' for n in range(MANY))}".encode()),
    "a packed array": (SPARKPLUG, _array()),
    "a template": (SPARKPLUG, _template()),
    "a base name": ("a/b", _senml()),
    "ESPHome's topic": (f"node/light/{NAME}/state", f"{{{KEYS}}}".encode()),
    "Shelly's topic": (f"shellies/plug/{NAME}", f"{{{KEYS}}}".encode()),
    "a component": (
        "shellyplus1-a8032ab12345/events/rpc",
        f'{{"src":"shellyplus1-a8032ab12345","dst":"x","method":"NotifyStatus",'
        f'"params":{{"ts":1.5,"{NAME}":{{{KEYS}}}}}}}'.encode(),
    ),
    "a GX path": (f"N/x/settings/0/{NAME}", f'{{"value":{{{KEYS}}}}}'.encode()),
    "a Z-Wave property": (
        f"zwave/node/meter/endpoint_0/{NAME}",
        f'{{"value":{{{KEYS}}}}}'.encode(),
    ),
    "a tag": ("a/b", f'{{"values":[{{"id":"{NAME}","v":{{{KEYS}}}}}]}}'.encode()),
    "a map in a row": ("a/b", f'{{"ts":1,"values":{{"{NAME}":{{{KEYS}}}}}}}'.encode()),
    "rows of a long device": (
        "a/b",
        f'{{"{NAME}":[{ROWS}]}}'.encode(),
    ),
    "a radio's channel": (
        "rtl_433/x/events",
        f'{{"model":"m","id":1,"channel":"{NAME}",{KEYS}}}'.encode(),
    ),
    "a shadow": ("a/b", f'{{"state":{{"reported":{{"{NAME}":{{{KEYS}}}}}}}}}'.encode()),
    "an address": (
        "shellyplus1-a8032ab12345/events/rpc",
        f'{{"src":"x","method":"NotifyEvent","params":{{"ts":1.5,"events":[{{"component":"script:1",'
        f'"event":"e","data":{{"address":"{NAME}",{KEYS}}}}}]}}}}'.encode(),
    ),
    "a Zigbee name": (
        "tele/bridge/SENSOR",
        f'{{"ZbReceived":{{"{NAME}":{{{KEYS}}}}}}}'.encode(),
    ),
    "a measured unit": ("a/b", f'{{"value":{{"{NAME}":{{{KEYS}}}}},"unit":"V"}}'.encode()),
    "a rule's level": (f"of/{NAME}", f"{{{KEYS}}}".encode()),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_long_name_around_many_values_is_not_repeated_for_each(bomb: str) -> None:
    topic, payload = BOMBS[bomb]
    reading = Recognition(rules=Rules([TopicRule(template="of/{metric}")]))
    tracemalloc.start()
    try:
        reading.read(topic, payload, 1_700_000_000_000_000)
        reading.plan(topic, payload)
    except (NotData, Unreadable):
        reading.plan(topic, payload)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < LONG * MANY / 4


def _read(payload: bytes) -> None:
    with contextlib.suppress(Unreadable):
        Recognition().read("a/b", payload)


def test_a_long_number_with_junk_behind_it_is_given_up_at_once() -> None:
    payload = b"a b=" + b"1" * 200_000 + b"x"  # squared, it takes the better part of an hour
    reader = multiprocessing.get_context("fork").Process(target=_read, args=(payload,))
    reader.start()
    reader.join(60)
    was_quick = reader.exitcode == 0
    reader.kill()
    reader.join()
    assert was_quick
