"""What births and discovery may have remembered, whoever publishes them."""

from edge.payload.discovery import ENTITIES_MAX, WORDS_MAX, Discovered, Entity
from edge.payload.sparkplug_node import METRICS_MAX, Nodes
from edge.recognition import Recognition
from protos import sparkplug_pb2 as pb


def test_a_device_with_new_aliases_at_every_birth_is_not_remembered_without_end() -> None:
    reader = Recognition()
    for first in range(0, METRICS_MAX + 9000, 3000):
        birth = pb.Payload(timestamp_ms=1_700_000_000_000, seq=0)
        for alias in range(first, first + 3000):
            birth.metrics.add(name="same", alias=alias, datatype=9, float_value=1.5)
        reader.read("spBv1.0/g/DBIRTH/n/d", birth.SerializeToString())
    node = reader.known.of(Nodes).of("g", "n")
    assert METRICS_MAX - 3000 < len(node.aliases) <= METRICS_MAX


def test_units_without_measure_are_not_remembered_and_their_values_are_read() -> None:
    reader = Recognition()
    birth = pb.Payload(timestamp_ms=1_700_000_000_000, seq=0)
    metric = birth.metrics.add(name="flow", alias=1, datatype=9, float_value=1.5)
    metric.properties.keys.append("engUnit")
    metric.properties.values.add(type=12, string_value="l" * 100_000)
    reader.read("spBv1.0/g/NBIRTH/n", birth.SerializeToString())
    assert not reader.known.of(Nodes).of("g", "n").aliases


def test_a_node_with_an_endless_name_is_not_asked_for_its_birth() -> None:
    reader = Recognition()
    data = pb.Payload(timestamp_ms=1_700_000_000_000, seq=1)
    data.metrics.add(name="flow", datatype=9, float_value=1.5)
    reader.read(f"spBv1.0/g/NDATA/{'n' * 60_000}", data.SerializeToString())
    assert not reader.take_asked()


def test_what_discovery_says_at_length_pushes_out_what_it_said_longest_ago() -> None:
    known = Discovered()
    for topic in range(1000):
        for path in range(ENTITIES_MAX):
            known.add(f"t{topic}", f"{path:0200}", Entity("d" * 200, "m" * 200, "u" * 200))
    sizes = [len(path) + 600 for number in range(1000) for path in _paths(known, f"t{number}")]
    assert WORDS_MAX - 100_000 < sum(sizes) <= WORDS_MAX
    assert known.of("t0") is None
    assert "t0" in known.take_changed(), "its plan is to be forgotten too"
    assert known.of("t999") is not None
    assert known._size == sum(sizes)


def _paths(known: Discovered, topic: str) -> list[str]:
    named = known.of(topic)
    return list(named.entities) if named is not None else []
