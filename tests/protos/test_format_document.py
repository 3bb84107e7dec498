"""The written format is enough: a reader made from the document alone agrees with ours."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import protos.vectors
from protos.block import read_block
from protos.codec.body import encode_body
from protos.records import Batch, Kind
from protos.vectors.make import listed
from tests.protos import stranger
from tests.protos.batches import batches, readings
from tests.protos.test_block import BLOCK_BATCHES, sealed

FOLDER = Path(protos.vectors.__file__).parent
BLOCKS = sorted(FOLDER.glob("v1/block-*.bin"))


def as_listed(tables: dict[int, dict[str, list[Any]]]) -> dict[str, dict[str, list[Any]]]:
    found: dict[str, dict[str, list[Any]]] = {}
    for kind, table in tables.items():
        found[Kind(kind).name] = {}
        for name, of in stranger.columns(kind):
            show = {"f8": "{:016x}".format, "id": bytes.hex}.get(of, lambda value: value)
            found[Kind(kind).name][name] = [show(value) for value in table[name]]
    return found


@pytest.mark.parametrize("path", BLOCKS, ids=lambda path: path.stem)
def test_a_stranger_reads_every_vector_of_version_1(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    header, hash_, tables = stranger.block(path.read_bytes())
    header["rows"] = {Kind(kind).name: rows for kind, rows in header["rows"].items()}
    assert header == expected["header"]
    assert hash_.hex() == expected["hash"]
    assert as_listed(tables) == expected["batch"]


@given(batches(), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_a_stranger_reads_any_body(batch: Batch, level: int) -> None:
    assert as_listed(stranger.body(encode_body(batch, level=level))) == listed(batch)


@given(BLOCK_BATCHES)
@settings(max_examples=60, deadline=None)
def test_a_stranger_proves_any_block(batch: Batch) -> None:
    block = sealed(batch)
    _, hash_, tables = stranger.block(block.data)
    assert hash_ == block.hash
    assert as_listed(tables) == listed(read_block(block.data)[2])


@pytest.mark.parametrize("interleaved", [False, True])
def test_a_stranger_reads_a_body_with_blocks_of_its_own_for_large_planes(interleaved: bool) -> None:
    batch = readings(6000, 12, seed=5, interleaved=interleaved)
    assert as_listed(stranger.body(encode_body(batch))) == listed(batch)
