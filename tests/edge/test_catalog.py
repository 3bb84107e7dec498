import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.catalog import Catalog, SeriesRefused
from edge.payload.said import GAUGE, STATE, Channel
from protos.limits import NAME_BYTES_MAX
from protos.series import SeriesKey, encode_entry, erase_entry, root_of

TEMPERATURE: Channel = ("temperature", GAUGE, "", ())
DOOR: Channel = ("door", STATE, "", ())


def salts() -> Callable[[], bytes]:
    count = itertools.count(1)
    return lambda: next(count).to_bytes(16, "big")


def test_entries_and_devices_are_numbered_from_one_as_they_are_heard() -> None:
    catalog = Catalog(salt=salts())
    assert catalog.add("a", TEMPERATURE) == 1
    assert catalog.add("b", TEMPERATURE) == 2
    assert catalog.add("a", DOOR) == 3
    assert catalog.add("a", TEMPERATURE) == 1
    new = catalog.take_new()
    assert [(entry.entry, entry.device_no) for entry in new] == [(1, 1), (2, 2), (3, 1)]
    assert catalog.take_new() == ()
    assert catalog.key(3) == SeriesKey("a", "door", (), "", STATE)
    assert catalog.key(0) is None
    assert catalog.kind_of.tolist() == [0, GAUGE, GAUGE, STATE]


def test_a_restored_catalog_goes_on_where_it_stopped() -> None:
    first = Catalog(salt=salts())
    first.add("a", TEMPERATURE)
    first.add("b", DOOR)
    again = Catalog(first.take_new(), salt=salts())
    assert again.take_new() == ()
    assert again.channels("b") == {DOOR: 2}
    assert again.add("a", TEMPERATURE) == 1
    assert again.add("c", DOOR) == 3
    assert [(entry.entry, entry.device_no) for entry in again.take_new()] == [(3, 3)]


def test_an_erased_device_that_speaks_again_is_a_new_one() -> None:
    first = Catalog(salt=salts())
    first.add("a", TEMPERATURE)
    first.add("b", TEMPERATURE)
    one, two = first.take_new()
    again = Catalog([one, erase_entry(two)], salt=salts())
    assert again.key(2) is None
    assert again.add("b", TEMPERATURE) == 3
    (entry,) = again.take_new()
    assert entry.device_no == 3


def test_units_labels_and_kinds_make_series_of_their_own() -> None:
    catalog = Catalog(salt=salts())
    channels: list[Channel] = [
        ("t", GAUGE, "", ()),
        ("t", STATE, "", ()),
        ("t", GAUGE, "°C", ()),
        ("t", GAUGE, "", (("room", "1"),)),
    ]
    assert [catalog.add("d", channel) for channel in channels] == [1, 2, 3, 4]


def test_a_gauge_without_its_unit_is_the_one_whose_unit_is_known() -> None:
    catalog = Catalog(salt=salts())
    assert catalog.add("d", ("t", GAUGE, "", ())) == 1
    assert catalog.add("d", ("t", GAUGE, "°C", ())) == 2
    assert catalog.add("d", ("t", GAUGE, "", ())) == 2, "discovery came, and said what it is"
    assert catalog.add("d", ("t", STATE, "", ())) == 3, "a text or a boolean has no unit"
    assert catalog.add("e", ("t", GAUGE, "", ())) == 4
    again = Catalog(catalog.take_new(), salt=salts())
    assert again.add("d", ("t", GAUGE, "", ())) == 2, "it comes before discovery at a start"
    assert again.add("d", ("t", GAUGE, "K", ())) == 5
    assert again.add("d", ("t", GAUGE, "°C", ())) == 2


def test_too_many_series_are_refused_and_known_ones_still_found() -> None:
    catalog = Catalog(salt=salts(), series_max=2)
    catalog.add("a", TEMPERATURE)
    catalog.add("b", TEMPERATURE)
    with pytest.raises(SeriesRefused, match="too many series: the limit of 2 is reached"):
        catalog.add("c", TEMPERATURE)
    assert catalog.add("b", TEMPERATURE) == 2
    assert len(catalog) == 2


def test_names_that_take_more_than_the_cloud_holds_are_refused_and_known_ones_still_found() -> None:
    probe = Catalog(salt=salts())
    for device in ("a", "b"):
        probe.add(device, TEMPERATURE)
    kept = probe.take_new()
    room = sum(len(encode_entry(entry)) for entry in kept)
    catalog = Catalog(kept[:1], salt=salts(), bytes_max=room)
    with pytest.raises(SeriesRefused, match="too many series with long names"):
        catalog.add("a longer name", TEMPERATURE)
    assert catalog.add("b", TEMPERATURE) == 2
    with pytest.raises(SeriesRefused, match="too many series with long names"):
        catalog.add("c", TEMPERATURE)
    assert (catalog.add("b", TEMPERATURE), len(catalog)) == (2, 2)


@pytest.mark.parametrize(
    ("device", "channel", "reason"),
    [
        ("", TEMPERATURE, "device without a name"),
        ("d", ("", GAUGE, "", ()), "metric without a name"),
        ("é" * 128, TEMPERATURE, "device name is over 255 bytes"),
        ("d", ("m" * 256, GAUGE, "", ()), "metric name is over 255 bytes"),
        ("d", ("m", GAUGE, "u" * 65, ()), "unit name is over 64 bytes"),
        ("d", ("m\ud800", GAUGE, "", ()), "not valid Unicode"),
        ("d", ("m", GAUGE, "", tuple((f"{n:02}", "x") for n in range(33))), "more than 32 labels"),
    ],
)
def test_names_out_of_their_limits_are_refused(device: str, channel: Channel, reason: str) -> None:
    catalog = Catalog(salt=salts())
    with pytest.raises(SeriesRefused, match=reason):
        catalog.add(device, channel)
    assert len(catalog) == 0
    assert catalog.add("d" * NAME_BYTES_MAX, TEMPERATURE) == 1


def test_a_hole_in_restored_entries_is_an_error() -> None:
    first = Catalog(salt=salts())
    first.add("a", TEMPERATURE)
    first.add("b", TEMPERATURE)
    with pytest.raises(ValueError, match="entry 2 where 1 was expected"):
        Catalog(first.take_new()[1:], salt=salts())


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"))), st.integers(0, 20))
def test_a_restart_at_any_moment_changes_no_number(heard: list[tuple[str, str]], at: int) -> None:
    whole, before = Catalog(salt=salts()), Catalog(salt=salts())
    for device, metric in heard:
        whole.add(device, (metric, GAUGE, "", ()))
    for device, metric in heard[:at]:
        before.add(device, (metric, GAUGE, "", ()))
    kept = before.take_new()
    after = Catalog(kept, salt=before._salt)
    for device, metric in heard[at:]:
        after.add(device, (metric, GAUGE, "", ()))
    assert (*kept, *after.take_new()) == (new := whole.take_new())
    assert root_of(new)
