"""When a certificate is renewed: by life left and time run, never by the gateway's wall clock."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.renewal import AGAIN_US, HOUR_US, PAUSE_FIRST_US, PAUSE_MAX_US, SHARE, Record, Renewal

DAY_US = 24 * HOUR_US
LIFE_US = 730 * DAY_US


def fresh(gateway: str = "pump", kept: Record | None = None) -> Renewal:
    return Renewal(gateway, "first", kept or Record(), 0)


def test_nothing_is_due_before_the_cloud_said_anything() -> None:
    assert not fresh().is_due(10 * LIFE_US)
    assert fresh().left_us(0) is None


def test_a_gateway_that_never_reconnects_counts_on_by_itself() -> None:
    renewal = fresh()
    renewal.told(LIFE_US, LIFE_US, asked=False, mono_us=0)
    assert renewal.left_us(DAY_US) == LIFE_US - DAY_US
    due = [day for day in range(730) if renewal.is_due(day * DAY_US)]
    assert 730 * (1 - SHARE - 1 / 12) <= due[0] <= 730 * (1 - SHARE) + 1


def test_a_cloud_whose_clock_is_behind_cannot_put_it_off_for_ever() -> None:
    renewal = fresh()
    for day in range(730):
        renewal.told(LIFE_US, 40 * LIFE_US, asked=False, mono_us=day * DAY_US)
    assert renewal.is_due(730 * DAY_US)


def test_gateways_enrolled_on_one_day_do_not_come_on_one_day() -> None:
    firsts = []
    for number in range(100):
        renewal = fresh(f"gateway-{number}")
        renewal.told(LIFE_US, LIFE_US, asked=False, mono_us=0)
        firsts.append(next(day for day in range(730) if renewal.is_due(day * DAY_US)))
    assert max(firsts) - min(firsts) > 45
    assert max(firsts.count(day) for day in firsts) < 10


def test_an_operators_wish_and_the_clouds_demand_are_met_at_once() -> None:
    for renewal in (fresh(), fresh()):
        renewal.told(LIFE_US, LIFE_US, asked=False, mono_us=0)
        assert not renewal.is_due(1)
    renewal.demanded()
    assert renewal.is_due(1)
    other = fresh()
    other.told(0, 0, asked=True, mono_us=0)
    assert other.is_due(1)
    other.renewed("second", 2)
    assert not other.is_due(2 + PAUSE_FIRST_US)
    assert other.renewals == 1


def test_what_is_known_outlives_the_process_and_only_for_its_certificate() -> None:
    first = fresh()
    first.told(LIFE_US, LIFE_US, asked=False, mono_us=0)
    kept = msgspec.json.decode(msgspec.json.encode(first.record(500 * DAY_US)), type=Record)
    again = Renewal("pump", "first", kept, 7 * HOUR_US)
    assert again.left_us(7 * HOUR_US) == 230 * DAY_US
    assert again.is_due(7 * HOUR_US)
    other = Renewal("pump", "second", kept, 0)
    assert other.left_us(0) is None


@settings(max_examples=200)
@given(st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 2 * PAUSE_MAX_US)), max_size=40))
def test_attempts_that_fail_are_paced_and_never_stop(
    steps: list[tuple[float, int]],
) -> None:
    renewal, mono_us, tried = fresh(), 0, 0
    renewal.demanded()
    for chance, wait_us in steps:
        mono_us += wait_us
        if renewal.is_due(mono_us):
            tried += 1
            renewal.failed(mono_us, chance)
            assert not renewal.is_due(mono_us + PAUSE_FIRST_US // 2 - 1)
        assert renewal.is_due(mono_us + PAUSE_MAX_US)
    assert tried <= 2 + mono_us // (PAUSE_FIRST_US // 2)


@settings(max_examples=200)
@given(st.lists(st.integers(-LIFE_US, LIFE_US), max_size=60))
def test_whatever_the_cloud_says_of_the_life_there_is_no_storm(lefts: list[int]) -> None:
    renewal, renewals, mono_us = fresh(), 0, 0
    for number, left_us in enumerate(lefts):
        mono_us += HOUR_US
        renewal.told(LIFE_US, left_us, asked=False, mono_us=mono_us)
        if renewal.is_due(mono_us):
            renewals += 1
            renewal.renewed(f"certificate {number}", mono_us)
    assert renewals <= mono_us // AGAIN_US


def test_absences_of_sixty_days_through_many_lives_end_in_a_renewal_each_time_it_is_due() -> None:
    """Powered off, so nothing counts on; at each return the cloud says what is left of the life."""
    life_us, away_us = 90 * DAY_US, 60 * DAY_US
    kept, certificate, left_us, renewals = Record(), "first", life_us, 0
    for absence in range(40):
        renewal = Renewal("pump", certificate, kept, 0)
        left_us -= away_us
        renewal.told(life_us, left_us, asked=False, mono_us=1)
        if left_us <= 0:  # past its life it is good for its renewal alone, and that is demanded
            renewal.demanded()
        if renewal.is_due(2):
            renewals, certificate, left_us = renewals + 1, f"renewed {absence}", life_us
            renewal.renewed(certificate, 2)
        assert left_us > 0
        kept = msgspec.json.decode(msgspec.json.encode(renewal.record(DAY_US)), type=Record)
    assert renewals >= 20
