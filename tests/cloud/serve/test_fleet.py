"""The fleet over HTTP: what each gateway holds, how its backlog goes, and one of them alone."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cloud.live.series import NEVER
from cloud.notify.rule import Rule, What
from cloud.notify.settings import Notify
from cloud.notify.silence import REPORT_LATE_US
from cloud.serve.backlog import SAMPLES_MAX, WINDOW_US, Backlogs, seconds_left
from cloud.serve.totals import GatewayTotals, Totals
from protos import sync_pb2 as pb
from tests.cloud.lake_world import T0
from tests.cloud.serve_world import World

SECOND = 1_000_000
EVERY = 15 * SECOND


@dataclass
class Told:
    """One word of a gateway."""

    since_us: int
    backlog: int
    session: int = 1
    gateway: str = "gw-1"
    status: pb.Status = field(init=False)

    def __post_init__(self) -> None:
        self.status = pb.Status(
            backlog_rows=self.backlog, buffer_bytes=700, buffer_bytes_max=1_000, rejected=3
        )


def told(backlogs: Backlogs, *rows: int, start: int = T0) -> None:
    for i, each in enumerate(rows):
        backlogs.note(Told(start + i * EVERY, each))


def test_a_pace_needs_two_words_and_is_of_the_last_minutes():
    backlogs = Backlogs()
    assert backlogs.pace("gw-1") is None
    told(backlogs, 9_000)
    assert backlogs.pace("gw-1") is None
    told(backlogs, 9_000, 8_400, 7_800, start=T0 + EVERY)
    assert backlogs.pace("gw-1") == pytest.approx(-1_200 / 45)
    late = T0 + WINDOW_US * 2
    told(backlogs, 100, 400, 700, start=late)
    assert backlogs.pace("gw-1") == pytest.approx(20), "what lies further back counts no more"


def test_a_pace_begins_anew_with_a_stream_and_with_a_clock_that_was_put_back():
    backlogs = Backlogs()
    told(backlogs, 500, 200)
    backlogs.note(Told(T0 + 2 * EVERY, 100, session=0))
    assert backlogs.pace("gw-1") is None
    told(backlogs, 9_000, start=T0 + 3 * EVERY)
    assert backlogs.pace("gw-1") is None
    told(backlogs, 80, 50, start=T0)
    assert backlogs.pace("gw-1") == pytest.approx(-2)


def test_however_often_a_gateway_speaks_what_is_kept_of_it_is_bounded():
    backlogs = Backlogs()
    for i in range(10 * SAMPLES_MAX):
        backlogs.note(Told(T0 + i * 1_000, 10_000 - i))
    assert backlogs.pace("gw-1") == pytest.approx(-1_000)


@pytest.mark.parametrize(
    ("rows", "pace", "seconds"),
    [(0, None, 0), (100, -10.0, 10), (100, None, None), (100, 0.0, None), (100, 5.0, None),
     (None, -10.0, None)],
)  # fmt: skip
def test_seconds_are_told_only_of_a_backlog_that_shrinks(rows, pace, seconds):
    assert seconds_left(rows, pace) == seconds


def test_a_gateway_tells_how_its_backlog_goes_and_when_it_is_gone(tmp_path: Path):
    backlogs = Backlogs()
    told(backlogs, 900, 600)
    seen = Told(T0 + EVERY, 600)
    world = World(tmp_path / "lake", presence=lambda: {"gw-1": seen}, pace=backlogs.pace)
    try:
        world.fill()
        first, new = world.get("/api/v1/gateways")["gateways"]
        assert (first["backlog_pace"], first["backlog_eta_s"]) == (-20, 30)
        assert (first["buffer_bytes"], first["buffer_bytes_max"]) == (700, 1_000)
        assert (first["rejected"], first["last_ts"]) == (3, T0 + 59 * 60 * SECOND)
        assert (new["backlog_pace"], new["backlog_eta_s"], new["last_ts"]) == (None, None, None)
    finally:
        world.close()


def test_a_gateway_tells_when_it_is_silent_by_the_rules_that_people_are_told_by(tmp_path: Path):
    rule = Rule(on=What.SILENCE, gateways="gw-1", silent_s=45.0)
    world = World(tmp_path / "lake", silent_s=Notify(rules={"mine": rule}).silent_s)
    try:
        first, new = world.get("/api/v1/gateways")["gateways"]
        assert (first["silent_s"], new["silent_s"]) == (45, 300)
    finally:
        world.close()


@pytest.mark.parametrize(
    ("late_us", "reports", "is_now"),
    [(0, True, True), (REPORT_LATE_US, True, True), (2 * REPORT_LATE_US, True, False),
     (2 * REPORT_LATE_US, False, True)],
)  # fmt: skip
def test_a_connected_gateway_is_seen_now_but_one_that_owes_its_reports(
    tmp_path: Path, late_us: int, reports: bool, is_now: bool
):
    seen = Told(time.time_ns() // 1_000 - late_us + SECOND, 0)
    seen.status.wall_us = T0 if reports else 0
    world = World(tmp_path / "lake", presence=lambda: {"gw-1": seen})
    try:
        answer = world.get("/api/v1/gateways?gateway=gw-1")
        (one,) = answer["gateways"]
        assert one["connected"]
        assert one["last_seen"] == (answer["now"] if is_now else seen.since_us)
    finally:
        world.close()


def test_one_gateway_is_asked_for_by_its_name_and_pages_follow_names(tmp_path: Path):
    world = World(tmp_path / "lake")
    try:
        (alone,) = world.get("/api/v1/gateways?gateway=gw-new")["gateways"]
        assert alone["name"] == "gw-new"
        assert world.get("/api/v1/gateways?gateway=nobody")["gateways"] == []
        first = world.get("/api/v1/gateways?limit=1")
        rest = world.get(f"/api/v1/gateways?limit=1&cursor={first['next']}")
        names = [one["name"] for one in first["gateways"] + rest["gateways"]]
        assert (names, rest["next"]) == (["gw-1", "gw-new"], None)
    finally:
        world.close()


def test_totals_of_a_gateway_are_those_of_its_series_also_of_later_ones(tmp_path: Path):
    world = World(tmp_path / "lake")
    try:
        totals = GatewayTotals()
        assert totals.of(world.live.book) == {}
        world.fill()
        book = world.live.book
        assert totals.of(book) == {"gw-1": Totals(2, 61, 1, T0 + 59 * 60 * SECOND)}
        later = T0 + 3_600 * SECOND
        world.gateway.send(world.gateway.numbers("fan", [later], [1.0]))
        while world.live.advance():
            pass
        assert totals.of(world.live.book) == {"gw-1": Totals(3, 62, 1, later)}
        assert later > NEVER
    finally:
        world.close()
