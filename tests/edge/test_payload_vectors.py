"""The corpus: what each convention's documentation says a message means, one vector a message.

A vector of `vectors/CONVENTION.toml` has a `topic`, a `payload` (or `hex`, or `sparkplug` as a
tree), and what is to come of it: `readings`, `rejects`, `not_data` or `repeated`. `before` are
messages that came earlier. In a reading `m` is the metric, `v` the value, `u` the unit, `k` the
kind (gauge for numbers, state for texts), `d` the device (the vector's `device`), `l` labels, `t`
the time (the vector's `at`; none: that of arrival). ``holds`` names the example of a family's own
documentation, or the lesson of those examples, that the vector stands for.
"""

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.json_format import ParseDict

from edge.payload.registry import CONVENTIONS
from edge.payload.rules import Rules, TopicRule
from edge.payload.said import NotData, Repeated, Said, Unreadable
from edge.recognition import Recognition
from protos import sparkplug_pb2
from protos.series import SeriesKind

FOLDER = Path(__file__).parent / "vectors"
ARRIVAL = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
ARRIVAL_US = 1_700_000_000_000_000

HELD = frozenset({
    "NDEATH carries bdSeq and no seq",
    "NaN",
    "NaN and null among values",
    "STATE",
    "SenML base fields",
    "SenML in CBOR",
    "SenML relative times",
    "SetOption52",
    "TempUnit",
    "a template names device and metric",
    "abbreviated keys and the base",
    "backdated rows",
    "birth values are readings",
    "clocks never set",
    "commands",
    "configuration",
    "data by alias",
    "datasets",
    "deep",
    "example: ChirpStack v4",
    "example: ESPHome's state",
    "example: ESPHome's status",
    "example: Home Assistant discovery",
    "example: Home Assistant's device form",
    "example: Influx line protocol",
    "example: Milesight",
    "example: OpenMQTTGateway's distance",
    "example: OpenMQTTGateway's values",
    "example: SenML",
    "example: Shelly's RPC",
    "example: Shelly's status",
    "example: Tasmota's LWT",
    "example: Tasmota's SENSOR",
    "example: The Things Network",
    "example: Zigbee2MQTT occupancy",
    "example: Zigbee2MQTT values",
    "example: Zigbee2MQTT's bridge",
    "example: a plain scalar",
    "example: flat JSON",
    "friendly names hold slashes and blanks",
    "future times",
    "historical values",
    "huge",
    "last wills",
    "local times",
    "local times in a zone",
    "nan is sent",
    "nested maps",
    "not UTF-8",
    "null",
    "numeric strings",
    "omitted fields",
    "one seq for node and devices",
    "reordering, then a rebirth",
    "seq wraps and an NBIRTH carries any",
    "templates",
    "texts are readings",
    "the bridge is no data",
    "the same value arrives twice",
    "times in ISO 8601",
    "times in ms",
    "times in ns",
    "times in µs",
    "truncated",
    "unknown aliases",
})  # fmt: skip
"""Every example of the families' documentation, and every lesson that they teach: none may go."""

Vector = dict[str, object]
Row = tuple[object, ...]


def vectors() -> list[tuple[str, Vector]]:
    return [
        (path.stem, vector)
        for path in sorted(FOLDER.glob("*.toml"))
        for vector in tomllib.loads(path.read_text())["vector"]
    ]


VECTORS = vectors()
NAMES = [f"{stem}: {vector['name']}" for stem, vector in VECTORS]


def payload(vector: Vector) -> bytes:
    if "hex" in vector:
        return bytes.fromhex(str(vector["hex"]))
    if "sparkplug" in vector:
        tree = vector["sparkplug"]
        assert isinstance(tree, dict)
        return ParseDict(tree, sparkplug_pb2.Payload()).SerializeToString()
    return str(vector["payload"]).encode() * int(str(vector.get("times", 1)))


def recognition(vector: Vector) -> Recognition:
    named = vector.get("rules", [])
    assert isinstance(named, list)
    rules = [TopicRule(**rule) for rule in named]
    zones = {rule.time_zone: ZoneInfo(rule.time_zone) for rule in rules if rule.time_zone}
    zone = ZoneInfo(str(vector["zone"])) if "zone" in vector else None
    return Recognition(rules=Rules(rules, zones, zone))


def moment_us(text: object) -> int:
    at = datetime.fromisoformat(str(text)) if not isinstance(text, datetime) else text
    return round((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)


def rows(told: list[Said]) -> list[Row]:
    return [
        (said.device, metric, kind.name.lower(), unit, dict(labels), value, said.at_us)
        for said in told
        for (metric, kind, unit, labels), value in (*said.numbers, *said.texts)
    ]


def expected(vector: Vector) -> list[Row]:
    readings = vector["readings"]
    assert isinstance(readings, list)
    found: list[Row] = []
    for one in readings:
        value = one["v"]
        kind = one.get("k", "state" if isinstance(value, str) else "gauge")
        at = one.get("t", vector.get("at"))
        found.append((
            one.get("d", vector.get("device", vector["topic"])), one["m"],
            SeriesKind[kind.upper()].name.lower(), one.get("u", ""), one.get("l", {}),
            value if isinstance(value, str) else float(value),
            None if at is None else moment_us(at),
        ))  # fmt: skip
    return found


def by_name(row: Row) -> str:
    return repr((row[6], row[0], row[1], row[4]))


def hear_before(vector: Vector, reader: Recognition) -> None:
    before = vector.get("before", [])
    assert isinstance(before, list)
    for one in before:
        try:
            if one.get("retained"):
                reader.learn(one["topic"], payload(one))
            else:
                at_us = ARRIVAL_US + int(one.get("after_s", 0)) * 1_000_000
                reader.read(one["topic"], payload(one), at_us)
        except (NotData, Unreadable):
            continue


@pytest.mark.parametrize(("stem", "vector"), VECTORS, ids=NAMES)
def test_a_message_is_read_as_its_convention_has_it(stem: str, vector: Vector) -> None:
    reader = recognition(vector)
    hear_before(vector, reader)
    reader.take_asked()
    at_us = ARRIVAL_US + int(str(vector.get("after_s", 0))) * 1_000_000
    outcome, told = "readings", list[Said]()
    try:
        if vector.get("retained"):
            reader.learn(str(vector["topic"]), payload(vector))
            raise NotData("retained")  # as `Reader` has it, whatever the convention
        told = list(reader.read(str(vector["topic"]), payload(vector), at_us))
    except Repeated as error:
        outcome = f"repeated: {error.reason}"
    except NotData as error:
        outcome = f"not_data: {error.reason}"
    except Unreadable as error:
        outcome = f"rejects: {error.reason}"
    for key in ("repeated", "not_data", "rejects"):
        if key in vector:
            assert outcome.startswith(f"{key}: "), (outcome, rows(told))
            assert str(vector[key]) in outcome
            return
    assert outcome == "readings"
    assert sorted(rows(told), key=by_name) == sorted(expected(vector), key=by_name)
    assert [fault for said in told for fault in said.faults] == vector.get("faults", [])
    assert sum(said.missing for said in told) == vector.get("missing", 0)
    assert reader.convention == vector.get("convention", stem)
    if "asked" in vector:
        assert [one.topic for one in reader.take_asked()] == vector["asked"]


def test_the_corpus_is_of_every_convention_and_large() -> None:
    assert len(VECTORS) >= 150
    assert {one.name for one in CONVENTIONS} <= {stem for stem, _ in VECTORS}
    assert len(set(NAMES)) == len(NAMES)


def test_every_example_of_the_documentation_and_every_lesson_of_them_has_its_vector() -> None:
    assert {vector["holds"] for _, vector in VECTORS if "holds" in vector} == HELD
