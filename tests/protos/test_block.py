"""Blocks: what the hash holds fast, what erasure takes and leaves, what is refused by what name."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protos.block import (
    GENESIS_HASH,
    MAGIC,
    ChunkRun,
    MalformedBlock,
    NewerFormat,
    erase_device,
    read_block,
    read_header,
)
from protos.codec.content import salt_of
from protos.codec.header import encode_header
from protos.limits import BLOCK_BYTES_MAX, BLOCK_DEVICES_MAX, BLOCK_READ_BYTES_MAX
from protos.records import Batch, Kind, concat, numbers
from tests.protos.batches import batches, readings
from tests.protos.blocks import DEVICE_OF, DEVICES, SECRET, sealed, small


def redigested(data: bytes) -> bytes:
    """The block with its digest made to fit, as a forger would."""
    return data[:5] + sha256(data[:5] + data[37:]).digest() + data[37:]


BLOCK_BATCHES = batches(rows_max=20, series=st.integers(0, 9))


@given(BLOCK_BATCHES)
@settings(deadline=None)
def test_a_block_gives_back_its_header_its_hash_and_its_rows(batch: Batch) -> None:
    block = sealed(batch)
    header, hash_, rows = read_block(block.data)
    assert (header, hash_) == (block.header, block.hash) == read_header(block.data)
    assert {kind: rows.count(kind) for kind in Kind if rows.count(kind)} == dict(header.rows)
    for kind in Kind:
        given_, found = batch.kind(kind), rows.kind(kind)
        device = DEVICE_OF[given_["series"]]
        order = np.lexsort((given_["ts"], given_["series"], device))
        for name, column in given_.items():
            assert column[order].tobytes() == found[name].tobytes() or (
                column.dtype == object and column[order].tolist() == found[name].tolist()
            )


@given(BLOCK_BATCHES, st.permutations(range(20)))
@settings(deadline=None)
def test_the_hash_is_of_the_rows_and_not_of_how_they_were_gathered(
    batch: Batch, order: list[int]
) -> None:
    tables = {}
    for kind, rows in batch.tables.items():
        keys = list(zip(rows["series"].tolist(), rows["ts"].tolist(), strict=True))
        if len(set(keys)) < len(keys):
            return  # rows equal in series and time keep their order: it is content
        mixed = [at for at in order if at < len(keys)]
        tables[kind] = {name: column[mixed] for name, column in rows.items()}
    assert sealed(Batch(tables)).hash == sealed(batch).hash
    assert sealed(batch, level=9).hash == sealed(batch).hash


@pytest.mark.parametrize(
    "change",
    [
        {"gateway": "vessel-8"},
        {"epoch": 4},
        {"seq": 3},
        {"prev_hash": bytes([3]) * 32},
        {"boot_id": bytes(16)},
        {"sealed_mono_us": 6},
        {"sealed_wall_us": 0},
        {"series_high": 8},
        {"series_root": bytes(32)},
        {"chunks": [ChunkRun(b"twelve bytes", 4, 3)]},
        {"secret": bytes(16)},
        {"device_of": np.array([0, 1, 3, 3, 2, 1, 7, 7, 2, 3], np.uint32)},
        {"batch": numbers([1], [10], [1.5], 0, [0])},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_moved_renamed_or_changed_block_has_another_hash(change: dict[str, Any]) -> None:
    assert sealed(small(), **change).hash != sealed(small()).hash


@pytest.mark.parametrize("name", ["series", "ts", "value", "quality", "arrival"])
def test_any_changed_value_changes_the_hash(name: str) -> None:
    batch = small()
    column = batch.kind(Kind.NUMBERS)[name].copy()
    column[2] += 1
    tables = {**batch.tables, Kind.NUMBERS: {**batch.kind(Kind.NUMBERS), name: column}}
    assert sealed(Batch(tables)).hash != sealed(batch).hash


@given(BLOCK_BATCHES, st.permutations(DEVICES), st.integers(1, 4))
@settings(deadline=None)
def test_erasing_devices_keeps_the_hash_and_every_other_row(
    batch: Batch, order: list[int], count: int
) -> None:
    block = sealed(batch)
    data = block.data
    for device in order[:count]:
        data = erase_device(data, device)
        assert read_header(data) == (block.header, block.hash)
        assert erase_device(data, device) == data
    whole, left = read_block(block.data)[2], read_block(data)[2]
    for kind in Kind:
        keep = ~np.isin(DEVICE_OF[whole.kind(kind)["series"]], order[:count])
        kept = {name: column[keep] for name, column in whole.kind(kind).items()}
        assert Batch({kind: left.kind(kind)}).same_as(Batch({kind: kept}))
    if left.rows < whole.rows:
        assert SECRET not in data


def test_what_is_left_of_an_erased_device_does_not_prove_a_guess() -> None:
    block = sealed(small())
    erased = erase_device(block.data, 2)
    assert salt_of(SECRET, 2) not in erased
    assert SECRET not in erased
    assert salt_of(SECRET, 1) in erased
    # The attacker guesses the rows of device 2 rightly and puts them back under any salt there is.
    for salt in (salt_of(SECRET, 1), salt_of(SECRET, 3), salt_of(bytes(16), 2), bytes(16)):
        guess = sha256(b"tidegate leaf 1\0" + salt + (2).to_bytes(4, "little"))
        row = numbers([4], [12], [3.5], 0, [0]).kind(Kind.NUMBERS)
        packed = b"".join(
            row[name].tobytes() for name in ("series", "ts", "value", "quality", "arrival")
        )
        guess.update(b"\x01" + (1).to_bytes(4, "little") + packed)
        assert guess.digest() not in erased
    whole = sha256(b"tidegate leaf 1\0" + salt_of(SECRET, 2) + (2).to_bytes(4, "little"))
    whole.update(b"\x01" + (1).to_bytes(4, "little") + packed)
    assert whole.digest() in erased, "the leaf itself stays: with its salt the guess would hold"


def test_the_gateway_itself_is_not_erased_from_its_own_stream() -> None:
    with pytest.raises(ValueError, match="device 0"):
        erase_device(sealed(small()).data, 0)


def test_a_flipped_bit_is_found_wherever_it_is() -> None:
    data = sealed(small()).data
    for at in range(len(data)):
        for bit in (0, 7):
            broken = bytearray(data)
            broken[at] ^= 1 << bit
            with pytest.raises(MalformedBlock):
                read_header(bytes(broken))


def test_a_truncated_block_and_trailing_bytes_are_refused() -> None:
    data = sealed(small()).data
    for cut in range(len(data)):
        with pytest.raises(MalformedBlock):
            read_header(data[:cut])
    with pytest.raises(MalformedBlock, match="digest"):
        read_header(data + b"\0")
    with pytest.raises(MalformedBlock, match="over"):
        read_header(data + bytes(BLOCK_READ_BYTES_MAX))


def test_something_else_is_not_a_block() -> None:
    with pytest.raises(MalformedBlock, match="magic"):
        read_header(b"PAR1" + bytes(100))


@pytest.mark.parametrize("version", [b"TGB\x01\x01", b"TGB\x02\x00"])
def test_a_later_version_is_told_from_a_broken_block(version: bytes) -> None:
    with pytest.raises(NewerFormat, match=r"this reader knows 1\.0: upgrade it"):
        read_header(redigested(version + sealed(small()).data[5:]))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_forger_who_mends_the_digest_gets_a_refusal_another_hash_or_the_same_rows(
    data: st.DataObject,
) -> None:
    block = sealed(small())
    forged = bytearray(block.data)
    for _ in range(data.draw(st.integers(1, 3))):
        forged[data.draw(st.integers(37, len(forged) - 1))] = data.draw(st.integers(0, 255))
    try:
        _, hash_, rows = read_block(redigested(bytes(forged)))
    except MalformedBlock:
        return
    assert hash_ != block.hash or rows.same_as(read_block(block.data)[2])


def test_rows_of_another_block_under_this_header_are_refused() -> None:
    header = encode_header(sealed(small()).header)
    other = sealed(concat([numbers([1], [10], [9.5], 0, [0]), *[small()]])).data
    swapped = (
        MAGIC + b"\0" + bytes(32) + other[37:].replace(encode_header(read_header(other)[0]), header)
    )
    with pytest.raises(MalformedBlock, match="rows"):
        read_block(redigested(swapped))


def test_a_header_whose_counts_are_forged_is_refused() -> None:
    block = sealed(small())
    for rows in ({Kind.NUMBERS: 6, Kind.TEXTS: 2}, {Kind.NUMBERS: 5}):
        forged = encode_header(replace(block.header, rows=rows))
        data = MAGIC + b"\0" + bytes(32) + bytes([len(forged) & 127 | 128, len(forged) >> 7])
        at = block.data.index(encode_header(block.header)) + len(encode_header(block.header))
        with pytest.raises(MalformedBlock, match="the header says"):
            read_block(redigested(data + forged + block.data[at:]))


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"secret": b"short"}, "secret"),
        ({"gateway": ""}, "gateway name"),
        ({"gateway": "x" * 65}, "gateway name"),
        ({"epoch": 0}, "epoch"),
        ({"seq": 1 << 63}, "epoch or seq"),
        ({"seq": 1}, "seq 1 after a block"),
        ({"prev_hash": GENESIS_HASH}, "seq 1 after a block"),
        ({"prev_hash": b""}, "32 bytes"),
        ({"boot_id": b""}, "boot_id"),
        ({"series_high": 1 << 21}, "series_high"),
        ({"chunks": [ChunkRun(b"twelve bytes", 0, 0)]}, "chunk run"),
        ({"chunks": [ChunkRun(b"twelve bytes", 1 << 32, 1)]}, "chunk run"),
        ({"chunks": [ChunkRun(b"twelve bytes", n, 1) for n in range(2000)]}, "chunk runs"),
        ({"device_of": DEVICE_OF[:2]}, "has no device"),
    ],
)  # fmt: skip
def test_a_maker_who_breaks_a_limit_is_told_which(fields: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        sealed(small(), **fields)


def test_a_block_over_its_size_or_devices_is_not_made() -> None:
    count = 200_000
    noise = np.random.default_rng(1).normal(size=count)
    with pytest.raises(ValueError, match=f"{BLOCK_BYTES_MAX} are the limit"):
        sealed(numbers(np.ones(count), np.arange(count), noise, 0, np.zeros(count)))
    many = np.arange(BLOCK_DEVICES_MAX + 2)
    with pytest.raises(ValueError, match="devices in one block"):
        sealed(numbers(many, many, many, 0, many), device_of=many.astype(np.uint32))


def test_a_block_with_every_device_but_one_erased_stays_readable_at_the_most_devices() -> None:
    many = np.arange(BLOCK_DEVICES_MAX)
    block = sealed(numbers(many, many, many, 0, many), device_of=many.astype(np.uint32))
    erased = erase_device(block.data, 77)
    assert len(erased) <= BLOCK_READ_BYTES_MAX
    assert read_block(erased)[2].rows == BLOCK_DEVICES_MAX - 1


def test_a_block_of_readings_costs_at_most_2_6_bytes_each() -> None:
    batch = readings(25_000, 100, seed=3, interleaved=True)
    device_of = np.arange(101, dtype=np.uint32)
    assert len(sealed(batch, device_of=device_of).data) / batch.rows <= 2.6
