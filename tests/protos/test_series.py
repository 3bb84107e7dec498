"""The series table: entries, their chain, their identity, and what erasing one leaves."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.codec.wire import MalformedEntry
from protos.limits import ENTRY_BYTES_MAX, SERIES_MAX
from protos.series import (
    EMPTY_ROOT,
    SeriesKey,
    SeriesKind,
    decode_entry,
    encode_entry,
    erase_entry,
    make_entry,
    roll,
    root_of,
    series_id,
)

SALT = bytes(range(16))
NAME = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
KEYS = st.builds(
    SeriesKey,
    device=NAME,
    metric=NAME,
    labels=st.dictionaries(NAME, NAME, max_size=4).map(lambda d: tuple(sorted(d.items()))),
    unit=st.sampled_from(["", "°C", "kWh"]),
    kind=st.sampled_from(SeriesKind),
)
NUMBER = st.integers(1, SERIES_MAX)


@given(NUMBER, NUMBER, KEYS, st.binary(min_size=16, max_size=16))
def test_an_entry_whole_or_erased_comes_back_with_its_leaf(
    entry: int, device_no: int, key: SeriesKey, salt: bytes
) -> None:
    whole = make_entry(entry, device_no, key, salt)
    assert decode_entry(encode_entry(whole)) == whole
    erased = erase_entry(whole)
    assert decode_entry(encode_entry(erased)) == erased
    assert erased.leaf == whole.leaf
    assert len(encode_entry(whole)) <= ENTRY_BYTES_MAX


@given(st.lists(KEYS, min_size=1, max_size=6), st.data())
def test_the_root_holds_names_and_order_and_survives_any_erasure(
    keys: list[SeriesKey], data: st.DataObject
) -> None:
    entries = [make_entry(n, 1, key, SALT) for n, key in enumerate(keys, start=1)]
    root = root_of(entries)
    gone = data.draw(st.sets(st.integers(0, len(keys) - 1)))
    assert root_of([erase_entry(e) if n in gone else e for n, e in enumerate(entries)]) == root
    renamed = list(entries)
    renamed[0] = make_entry(1, 1, SeriesKey("another", "name"), SALT)
    assert (root_of(renamed) == root) == (keys[0] == SeriesKey("another", "name"))
    assert roll(root_of(entries[:-1]), entries[-1].leaf) == root != EMPTY_ROOT


def test_a_table_with_a_hole_has_no_root() -> None:
    with pytest.raises(ValueError, match="entry 2 where 1 was expected"):
        root_of([make_entry(2, 1, SeriesKey("a", "b"), SALT)])


def test_an_erased_entry_does_not_confirm_a_guessed_name() -> None:
    key = SeriesKey("badge 114", "zone")
    erased = encode_entry(erase_entry(make_entry(4, 3, key, SALT)))
    assert SALT not in erased
    assert b"badge" not in erased
    unsalted = make_entry(4, 3, key, bytes(16))
    assert unsalted.leaf not in erased
    assert make_entry(4, 3, key, SALT).leaf in erased


def test_the_identity_is_of_the_name_alone_and_fits_a_signed_int64() -> None:
    key = SeriesKey("pump", "temperature", (("floor", "2"),), "°C")
    name = b"\x06vessel\x04pump\x0btemperature\x03\xc2\xb0C\x00\x01\x05floor\x012"
    digest = sha256(b"tidegate series id 1\0" + name).digest()
    assert series_id("vessel", key) == int.from_bytes(digest[:8], "big") & (1 << 63) - 1
    others = [
        SeriesKey("pump", "temperature", (("floor", "2"),), "°F"),
        SeriesKey("pump", "temperature", (("floor", "3"),), "°C"),
        SeriesKey("pump", "temperature", (), "°C"),
        SeriesKey("pumpt", "emperature", (("floor", "2"),), "°C"),
        SeriesKey("pump", "temperature", (("floor", "2"),), "°C", SeriesKind.COUNTER),
    ]
    ids = {series_id("vessel", each) for each in [key, *others]} | {series_id("tanker", key)}
    assert len(ids) == 7


@pytest.mark.parametrize(
    ("key", "what"),
    [
        (SeriesKey("", "m"), "a device and a metric"),
        (SeriesKey("d", ""), "a device and a metric"),
        (SeriesKey("d" * 256, "m"), "device of 256 bytes is over 255"),
        (SeriesKey("d", "m", (("b", ""), ("a", ""))), "not sorted"),
        (SeriesKey("d", "m", (("a", ""), ("a", "1"))), "not sorted"),
        (SeriesKey("d", "m", tuple((f"{n:03}", "") for n in range(33))), "over 32"),
        (SeriesKey("d", "m", unit="x" * 65), "unit of 65"),
        (SeriesKey("\ud800", "m"), "surrogates"),
    ],
)
def test_a_name_that_breaks_a_limit_is_refused_at_its_maker(key: SeriesKey, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        make_entry(1, 1, key, SALT)


def test_numbers_and_salts_out_of_range_are_refused_at_their_maker() -> None:
    for entry, device, salt in ((0, 1, SALT), (1, 0, SALT), (SERIES_MAX + 1, 1, SALT), (1, 1, b"")):
        with pytest.raises(ValueError, match=r"salt|count from 1"):
            make_entry(entry, device, SeriesKey("d", "m"), salt)


@given(KEYS, st.data())
def test_damaged_entries_raise_malformed_entry_or_are_other_entries(
    key: SeriesKey, data: st.DataObject
) -> None:
    whole = make_entry(1, 1, key, SALT)
    broken = bytearray(encode_entry(whole))
    broken[data.draw(st.integers(0, len(broken) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        entry = decode_entry(bytes(broken))
    except MalformedEntry:
        return
    assert entry.leaf != whole.leaf


def test_every_truncation_and_trailing_bytes_are_refused() -> None:
    for entry in (make_entry(1, 1, SeriesKey("d", "m", (("a", "b"),)), SALT),):
        for data in (encode_entry(entry), encode_entry(erase_entry(entry))):
            for cut in range(len(data)):
                with pytest.raises(MalformedEntry):
                    decode_entry(data[:cut])
            with pytest.raises(MalformedEntry, match="trailing"):
                decode_entry(data + b"\0")


def test_an_entry_of_a_later_form_is_refused_by_name() -> None:
    with pytest.raises(MalformedEntry, match="form 3 is not of this version"):
        decode_entry(b"\x03\x01\x01" + bytes(40))
