"""Unsynced time: any life of clocks, boots and processes, and what is made of it afterwards."""

from dataclasses import dataclass, field

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.timeline import (
    FLOOR_EVERY_US,
    SANE_FROM_US,
    STILL_FOR_US,
    STRETCHES_MAX,
    Kept,
    Stamp,
    Stretch,
    Timeline,
)
from protos.records import Quality

HOUR_US = 3_600_000_000
YEAR_US = 365 * 24 * HOUR_US
TRUTH_US = SANE_FROM_US + YEAR_US


@dataclass
class World:
    """True time and what the gateway's clocks make of it; ``boot`` counts boots."""

    now_us: int = TRUTH_US
    wrong_us: int = 0
    boot: int = 0
    booted_us: int = TRUTH_US
    kept: Kept = field(default_factory=Kept)
    stamps: list[tuple[int, int, Stamp]] = field(default_factory=list)
    corrections: dict[int, Stretch] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """The agent starts with what is on the disk."""
        saved = msgspec.json.decode(msgspec.json.encode(self.kept), type=Kept)
        self.timeline = Timeline(self.boot_id, saved, self.mono)

    @property
    def boot_id(self) -> bytes:
        return self.boot.to_bytes(16, "big")

    @property
    def mono(self) -> int:
        return self.now_us - self.booted_us

    def reboot(self, off_us: int) -> None:
        self.now_us += off_us
        self.boot, self.booted_us = self.boot + 1, self.now_us
        self.start()

    def look(self, *, synced: bool) -> Stamp:
        wall = self.now_us if synced else self.now_us + self.wrong_us
        stamp = self.timeline.look(wall, self.mono, synced=synced)
        if self.timeline.unsaved:
            self.kept, self.timeline.unsaved = self.timeline.kept, False
        self.stamps.append((self.now_us, self.boot, stamp))
        return stamp

    def settle(self) -> None:
        """The clock is synchronised long enough to be taken for the truth."""
        for _ in range(2):
            known = self.timeline.settle(self.now_us, self.mono, synced=True)
            self.now_us += STILL_FOR_US
        known = self.timeline.settle(self.now_us, self.mono, synced=True)
        for one in known:
            assert self.corrections.setdefault(one.tag, one) == one, "told twice, differently"
        self.kept, self.timeline.unsaved = self.timeline.kept, False

    def corrected(self) -> list[tuple[int, Stamp, int]]:
        """(true time, stamp, time as corrected) of all stamps."""
        found = []
        for true_us, _, stamp in self.stamps:
            at_us = stamp.wall_us
            one = self.corrections.get(stamp.stretch)
            if one is not None:
                assert one.base_us + one.mono_from <= at_us <= one.base_us + one.mono_to
                at_us += one.offset_us or 0
            found.append((true_us, stamp, at_us))
        return found


STEPS = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 3 * HOUR_US)),
    st.tuples(st.just("look"), st.just(0)),
    st.tuples(st.just("synced look"), st.just(0)),
    st.tuples(st.just("set"), st.sampled_from([0, -YEAR_US, YEAR_US, -TRUTH_US, 2_000_000])),
    st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("reboot"), st.integers(0, HOUR_US)),
    st.tuples(st.just("settle"), st.just(0)),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_in_any_life_what_is_corrected_is_right_and_what_is_not_says_so(
    steps: list[tuple[str, int]],
) -> None:
    world = World(wrong_us=-TRUTH_US)
    for what, amount in steps:
        world.now_us += 1
        if what == "wait":
            world.now_us += amount
        elif what == "set":
            world.wrong_us = amount
        elif what == "restart":
            world.start()
        elif what == "reboot":
            world.reboot(amount)
        elif what == "settle":
            world.settle()
        else:
            world.look(synced=what == "synced look")
    boots_known = {boot for _, boot, stamp in world.stamps if stamp.stretch in world.corrections}
    for (true_us, stamp, at_us), (_, boot, _) in zip(world.corrected(), world.stamps, strict=True):
        if stamp.quality is Quality.GATEWAY_SYNCED:
            assert (stamp.stretch, at_us) == (0, true_us)
        elif stamp.stretch in world.corrections:
            assert at_us == true_us, "one offset makes a whole stretch right"
        else:
            assert stamp.quality is Quality.GATEWAY_UNSYNCED
            assert (
                boot not in boots_known or world.timeline.waiting or world.timeline.kept.forgotten
            )
    assert len(world.kept.stretches) <= STRETCHES_MAX


def test_three_hours_from_1970_come_out_right() -> None:
    world = World(wrong_us=-TRUTH_US)
    for _ in range(180):
        world.look(synced=False)
        world.now_us += 60_000_000
    assert world.stamps[0][2].wall_us == 0
    world.settle()
    assert [at == true for true, _, at in world.corrected()] == [True] * 180
    assert world.timeline.waiting == 0


@given(st.lists(st.integers(-YEAR_US, YEAR_US), max_size=20))
def test_stamps_after_a_synced_time_go_on_from_it_whatever_is_set(wrong: list[int]) -> None:
    world = World()
    world.look(synced=True)
    for each in wrong:
        world.now_us += 1_000_000
        world.wrong_us = each
        stamp = world.look(synced=False)
        assert stamp.wall_us == world.now_us
        assert stamp.quality is Quality.GATEWAY_UNSYNCED


@given(st.lists(st.integers(0, HOUR_US), min_size=1, max_size=8), st.integers(0, 5))
def test_boots_without_a_clock_keep_the_order_of_arrival(off: list[int], waits: int) -> None:
    world = World(wrong_us=-TRUTH_US)
    for each in off:
        for _ in range(waits):
            world.look(synced=False)
            world.now_us += 7 * 60_000_000
        world.reboot(each)
        world.wrong_us = -world.now_us  # 1970 again
        world.look(synced=False)
    given_us = [stamp.wall_us for _, _, stamp in world.stamps]
    assert given_us == sorted(given_us)


def test_the_offset_of_an_earlier_boot_stays_unknown_and_is_counted() -> None:
    world = World(wrong_us=-TRUTH_US)
    first = world.look(synced=False)
    world.reboot(HOUR_US)
    world.look(synced=True)
    world.settle()
    assert first.stretch not in world.corrections
    assert world.timeline.kept.forgotten == 1


def test_a_known_offset_that_was_not_told_survives_a_reboot() -> None:
    world = World(wrong_us=-TRUTH_US)
    first = world.look(synced=False)
    world.settle()
    world.reboot(HOUR_US)
    assert [one.tag for one in world.timeline.settle(0, 0, synced=False)] == [first.stretch]


def test_a_clock_that_does_not_stand_still_is_not_yet_the_truth() -> None:
    world = World(wrong_us=-TRUTH_US)
    world.look(synced=False)
    for step in range(20):
        world.now_us += STILL_FOR_US
        ahead = 600_000 * step
        assert not world.timeline.settle(world.now_us + ahead, world.mono, synced=True)
    world.settle()
    assert world.corrections


def test_a_clock_set_by_hand_is_followed_in_a_boot_that_was_never_synced() -> None:
    world = World(wrong_us=-TRUTH_US)
    before = world.look(synced=False)
    world.now_us += HOUR_US
    world.wrong_us = 0
    after = world.look(synced=False)
    assert after.wall_us == world.now_us
    assert after.stretch != before.stretch
    world.settle()
    assert [at == true for true, _, at in world.corrected()] == [True, True]


def test_a_clock_behind_the_floor_is_not_followed() -> None:
    world = World()
    world.look(synced=True)
    floor = world.now_us
    world.reboot(60_000_000)
    world.wrong_us = -YEAR_US
    stamp = world.look(synced=False)
    assert floor < stamp.wall_us <= floor + FLOOR_EVERY_US + 60_000_000
    world.wrong_us = -2 * YEAR_US
    assert world.look(synced=False).stretch == stamp.stretch


def test_a_clock_that_is_set_all_the_time_makes_a_bounded_number_of_stretches() -> None:
    world = World(wrong_us=-TRUTH_US)
    for turn in range(3 * STRETCHES_MAX):
        world.now_us += HOUR_US
        world.wrong_us = YEAR_US * (turn + 1)
        world.look(synced=False)
    assert world.timeline.waiting == STRETCHES_MAX
    world.settle()
    assert all(at == true for true, _, at in world.corrected())
