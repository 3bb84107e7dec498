"""The gateway's figures: all that `status` counts, under names that promtool likes."""

import re
from collections.abc import Iterator

import msgspec

from edge.health import (
    AlertsHealth,
    BrokerHealth,
    BufferHealth,
    CloudHealth,
    CommandHealth,
    EpisodesHealth,
    Health,
    ModelHealth,
    WatchHealth,
)
from edge.health_text import told
from edge.metrics import TABLE, text
from protos.exposition import Latency
from tests import promtool

PARTS: dict[object, type[msgspec.Struct]] = {
    list[kind]: kind  # type: ignore[valid-type]
    for kind in (BrokerHealth, ModelHealth, EpisodesHealth, WatchHealth, CommandHealth)
}


def numbered(kind: type[msgspec.Struct], numbers: Iterator[int]) -> msgspec.Struct:
    """A document whose every number is another one, so that each can be found again."""
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        match field.type:
            case t if t is int or t == int | None:
                values[field.name] = next(numbers)
            case t if t is float or t == float | None:
                values[field.name] = next(numbers) + 0.5
            case t if t is bool:
                values[field.name] = True
            case t if t is str:
                values[field.name] = field.name
            case t if t == Latency | None:
                values[field.name] = Latency(
                    bounds_s=[1.0], counts=[next(numbers), 0], sum_s=next(numbers)
                )
            case t if t == dict[str, int]:
                values[field.name] = {"one of its own": next(numbers)}
            case t if t == list[str]:
                values[field.name] = [field.name]
            case t if t in PARTS:
                values[field.name] = [numbered(PARTS[t], numbers)]
            case t:
                values[field.name] = numbered(t, numbers)
    return kind(**values)


def everything() -> Health:
    made = numbered(Health, iter(range(1_000, 10_000, 7)))
    assert isinstance(made, Health)
    made.cloud.line = "live"
    return made


def numbers_of(document: object, path: str = "") -> Iterator[tuple[str, float]]:
    match document:
        case dict():
            for key, value in document.items():
                yield from numbers_of(value, f"{path}.{key}")
        case list():
            for value in document:
                yield from numbers_of(value, path)
        case bool() | str() | None:
            return
        case int() | float():
            yield path, document


def told_numbers(told: str) -> set[float]:
    return {float(line.rsplit(" ", 1)[1]) for line in told.splitlines() if line[0] != "#"}


def test_every_number_of_the_health_document_is_told() -> None:
    health = everything()
    found = told_numbers(text(health))
    seconds = {"started_us", "now_us", "stepped_us", "certificate_not_after_us"}
    for path, number in numbers_of(msgspec.to_builtins(health)):
        if path.endswith("bounds_s"):
            continue
        name = path.rpartition(".")[2]
        in_base_units = number * 86_400 if name == "days_left" else number
        in_base_units = number / 1e6 if name in seconds else in_base_units
        assert in_base_units in found, f"{path} is not in /metrics"


def test_every_yes_or_no_of_the_health_document_is_told() -> None:
    yes = everything()
    for part, name in (
        (None, "running"), ("clock", "synced"), ("broker", "connected"),
        ("buffer", "held"), ("cloud", "enrolled"),
    ):  # fmt: skip
        no = everything()
        setattr(getattr(no, part) if part else no, name, False)
        assert text(no) != text(yes), name


def test_promtool_finds_nothing_to_say() -> None:
    promtool.check(text(everything()))
    promtool.check(text(Health(gateway="a new one", version="1")))


def test_names_follow_the_conventions() -> None:
    assert len({metric.name for metric in TABLE}) == len(TABLE)
    for metric in TABLE:
        assert re.fullmatch(r"tidegate_edge_[a-z_]+", metric.name)
        assert (metric.kind.value == "counter") == metric.name.endswith("_total")
        assert not re.search(r"_(ms|us|kb|mb|min)(_|$)", metric.name)
        assert metric.meaning.endswith(".")


def test_what_is_not_known_yet_is_absent_and_not_zero() -> None:
    said = text(Health(gateway="gw", version="1"))
    assert "buffer_left_seconds" not in said
    assert "certificate_not_after" not in said


def test_exactly_one_state_of_the_uplink_is_told() -> None:
    said = text(Health(gateway="gw", version="1", cloud=CloudHealth(line="waiting")))
    states = [line for line in said.splitlines() if line.startswith("tidegate_edge_uplink_state{")]
    assert [line for line in states if line.endswith(" 1")] == [
        'tidegate_edge_uplink_state{state="waiting"} 1'
    ]


def test_a_full_buffer_is_seen_in_status_and_in_metrics() -> None:
    health = Health(gateway="gw", version="1", running=True, buffer=BufferHealth(held=True))
    assert "FULL" in told(health)
    assert "\ntidegate_edge_buffer_full 1\n" in text(health)


def test_alerts_that_nobody_heard_are_told() -> None:
    health = Health(gateway="gw", version="1", alerts=AlertsHealth(sent=3, dropped=2))
    assert "\ntidegate_edge_alerts_dropped_total 2\n" in text(health)
