"""Series found by everything that is known of them, page by page, among a hundred thousand."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from cloud.lake.names import Name
from cloud.live.catalogue import Catalogue, Wanted
from cloud.live.series import Known
from protos import records
from protos.series import SeriesKey, SeriesKind, make_entry
from tests.cloud.lake_world import T0
from tests.cloud.serve_world import World


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    now = time.time_ns() // 1000
    gateway = world.gateway
    for number, key in enumerate(
        [
            SeriesKey("hall/pump-1", "temp", (("floor", "1"), ("room", "hall")), "°C"),
            SeriesKey("hall/pump-2", "temp", (("room", "hangar"),), "°C"),
            SeriesKey("hall/pump-2", "starts", (("room", "hangar"),), "", SeriesKind.COUNTER),
            SeriesKey("door", "open", (), "", SeriesKind.STATE),
        ],
        1,
    ):
        gateway.table.append(make_entry(number, number, key, bytes(16)))
        at = np.array([now - 1_000_000 if number % 2 else T0])
        gateway.send(records.numbers(np.array([number]), at, np.array([1.0]), np.zeros(1), at))
    while world.live.advance():
        pass
    yield world
    world.close()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["door/open", "hall/pump-1/temp", "hall/pump-2/starts", "hall/pump-2/temp"]),
        ("q=PUMP-2", ["hall/pump-2/starts", "hall/pump-2/temp"]),
        ("q=hangar", ["hall/pump-2/starts", "hall/pump-2/temp"]),
        ("match=*/hall/*/TEMP", ["hall/pump-1/temp", "hall/pump-2/temp"]),
        ("match=gw-?/door/*", ["door/open"]),
        ("match=*pump-[!1]/temp", ["hall/pump-2/temp"]),
        ("match=pump-1", []),
        ("labels=room", ["hall/pump-1/temp", "hall/pump-2/starts", "hall/pump-2/temp"]),
        ("labels=room:ha?l", ["hall/pump-1/temp"]),
        ("labels=room:ha*,floor:1", ["hall/pump-1/temp"]),
        ("labels=room:", []),
        ("unit=°C&metric=temp&device=hall/pump-1", ["hall/pump-1/temp"]),
        ("kind=counter,state", ["door/open", "hall/pump-2/starts"]),
        ("gateway=gw-1&device=door", ["door/open"]),
        ("gateway=gw-2", []),
        ("heard_s=600", ["hall/pump-1/temp", "hall/pump-2/starts"]),
        ("silent_s=600", ["door/open", "hall/pump-2/temp"]),
        ("heard_s=600&kind=gauge", ["hall/pump-1/temp"]),
    ],
)
def test_series_are_found_by_everything_that_is_known_of_them(world, query, found):
    for route, name in (("series", "series"), ("latest", "latest")):
        answer = world.get(f"/api/v1/{route}?{query}")
        ids = [row["id"] for row in answer[name]]
        names = {s["id"]: f"{s['device']}/{s['metric']}" for s in _all(world)}
        assert [names[each] for each in ids] == found
    assert world.get(f"/api/v1/series?{query}")["total"] == len(found)


def _all(world: World) -> list[dict]:
    return world.get("/api/v1/series")["series"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_pages_of_any_size_join_to_the_whole(world, limit):
    for route in ("series", "latest", "devices", "gateways"):
        whole = world.get(f"/api/v1/{route}")[route]
        found, cursor = [], ""
        while cursor is not None:
            answer = world.get(f"/api/v1/{route}?limit={limit}&cursor={cursor}")
            found += answer[route]
            cursor = answer["next"]
        assert [_no_clock(row) for row in found] == [_no_clock(row) for row in whole]


def _no_clock(row: dict) -> dict:
    return {name: value for name, value in row.items() if name != "last_seen"}


def test_a_series_that_comes_meanwhile_moves_no_page(world):
    first = world.get("/api/v1/series?limit=2")
    world.gateway.send(world.gateway.numbers("aaa", [T0], [1.0]))
    while world.live.advance():
        pass
    rest = world.get(f"/api/v1/series?cursor={first['next']}")["series"]
    assert [row["metric"] for row in rest] == ["starts", "temp"]
    assert world.get("/api/v1/series")["total"] == 5


@pytest.mark.parametrize(
    ("query", "parameter", "nearest"),
    [
        ("kind=counters", "kind", "counter"),
        ("labels=:x", "labels", ""),
        ("labels=" + ",".join("abcdefghijklmnopq"), "labels", ""),
        ("heard_s=-1", "heard_s", "0"),
        ("limit=100001", "limit", "100000"),
        ("cursor=AAAA", "cursor", ""),
        ("cursor=W10", "cursor", ""),
        ("cursor=WzEsMiwzLDRd", "cursor", ""),
        ("mtach=x", "mtach", "match"),
    ],
)
def test_a_bad_question_for_series_names_its_fault(world, query, parameter, nearest):
    error = world.get(f"/api/v1/series?{query}", 400)["error"]
    assert (error["parameter"], error.get("nearest", "")) == (parameter, nearest)


class Book:
    """A hundred thousand series, without a lake behind them."""

    former: Mapping[int, str] = MappingProxyType({})

    def __init__(self, count: int) -> None:
        numbers = np.arange(count)
        self.names = [
            Name(f"gw-{i % 1000:04d}", f"dev-{i // 10:05d}", f"m{i % 10}", "°C", "{}", i % 3, i + 1)
            for i in range(count)
        ]
        self._columns = (
            np.ones(count, np.int64), np.zeros(count, np.int64), numbers, numbers,
            numbers.astype(float), np.full(count, None, object), np.zeros(count, np.uint8),
        )  # fmt: skip

    def known(self) -> Known:
        return Known(self.names, *self._columns)


def test_a_hundred_thousand_series_are_paged_through_once_each() -> None:
    book, catalogue = Book(100_000), Catalogue()
    seen, after = set(), None
    while True:
        found = catalogue.find(book, Wanted(pattern="*/m[37]"))
        page, after = found.page(after, 3000)
        seen |= set(page.at)
        if after is None:
            break
    assert seen == {i for i in range(100_000) if i % 10 in (3, 7)}
    assert len(catalogue.find(book, Wanted(gateway="gw-0042")).at) == 100
    assert len(catalogue.find(book, Wanted(silent_since=500)).at) == 500
    assert len(catalogue.find(book, Wanted(part="DEV-00042", kinds=frozenset(SeriesKind))).at) == 10
