"""The cloud's figures: everything it counts is told, under names that promtool likes."""

import re
import types
from collections.abc import Iterator

import msgspec
import pytest

from cloud.figures_document import Figures, GatewayFigures
from cloud.metrics import TABLE, text
from protos.exposition import Latency
from tests import promtool
from tests.cloud.serve_world import World

IN_SECONDS = {"now_us", "lag_us", "last_seen_us", "certificate_not_after_us"}


def numbered(kind: type[msgspec.Struct], numbers: Iterator[int]) -> msgspec.Struct:
    """A document whose every number is another one, so that each can be found again."""
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        match field.type:
            case t if t is int:
                values[field.name] = next(numbers)
            case t if t is bool:
                values[field.name] = True
            case t if t is str:
                values[field.name] = field.name
            case types.UnionType():
                values[field.name] = Latency(
                    bounds_s=[1.0], counts=[next(numbers), 0], sum_s=next(numbers)
                )
            case t if t == dict[tuple[str, str], int]:
                values[field.name] = {("/", "2xx"): next(numbers)}
            case t if t == dict[str, int]:
                values[field.name] = {"ingest": next(numbers)}
            case t if t == list[GatewayFigures]:
                values[field.name] = [numbered(GatewayFigures, numbers)]
            case t:
                values[field.name] = numbered(t, numbers)
    return kind(**values)


def everything() -> Figures:
    made = numbered(Figures, iter(range(1_000, 10_000, 7)))
    assert isinstance(made, Figures)
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


def test_every_number_of_the_document_is_told() -> None:
    figures = everything()
    told = {float(line.rsplit(" ", 1)[1]) for line in text(figures).splitlines() if line[0] != "#"}
    document = {name: getattr(figures, name) for name in Figures.__struct_fields__}
    document = msgspec.to_builtins(document, builtin_types=(tuple,), str_keys=False)
    paths = list(numbers_of(document))
    assert len(paths) > 40
    for path, number in paths:
        if path.endswith("bounds_s"):
            continue
        value = number / 1e6 if path.rpartition(".")[2] in IN_SECONDS else number
        assert value in told, f"{path} is not in /metrics"


@pytest.mark.parametrize(
    ("part", "name"),
    [("journal", "is_failed"), ("lake", "is_faulty"), ("one", "is_connected"),
     ("one", "is_clock_synced"), ("told", "is_faulty")],
)  # fmt: skip
def test_every_yes_or_no_is_told(part: str, name: str) -> None:
    no = everything()
    setattr(no.gateways[0] if part == "one" else getattr(no, part), name, False)
    assert text(no) != text(everything())


def test_everything_the_status_counts_has_a_metric(tmp_path) -> None:
    world = World(tmp_path)
    world.fill()
    names = {metric.name for metric in TABLE}
    for section in ("journal", "lake", "history"):
        for key in world.get("/api/v1/status")[section]:
            assert any(name.startswith(f"tidegate_cloud_{section}_{key}") for name in names), (
                f"{section}.{key}"
            )


def test_promtool_finds_nothing_to_say() -> None:
    promtool.check(text(everything()))
    promtool.check(text(Figures(version="1")))


def test_names_follow_the_conventions() -> None:
    assert len({metric.name for metric in TABLE}) == len(TABLE)
    for metric in TABLE:
        assert re.fullmatch(r"tidegate_cloud_[a-z_]+", metric.name)
        assert (metric.kind.value == "counter") == metric.name.endswith("_total")
        assert not re.search(r"_(ms|us|kb|mb|min)(_|$)", metric.name)
        assert metric.meaning.endswith(".")


def test_a_gateway_that_was_never_heard_has_no_last_time() -> None:
    told = text(Figures(version="1", gateways=[GatewayFigures(name="gw-new")]))
    assert 'tidegate_cloud_gateway_connected{gateway="gw-new"} 0' in told
    assert "last_seen" not in told
