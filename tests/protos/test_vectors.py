"""Golden vectors: every committed version decodes for ever to what was expected at its making."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import protos.vectors
from protos.block import read_header
from protos.codec.body import decode_body
from protos.codec.header import encode_header
from protos.series import decode_entry, encode_entry, root_of, series_id
from protos.vectors import make

FOLDER = Path(protos.vectors.__file__).parent
VERSIONS = sorted(path.name for path in FOLDER.iterdir() if path.name.startswith("v"))
BLOCKS = [path for version in VERSIONS for path in sorted((FOLDER / version).glob("block-*.bin"))]
BODIES = [path for version in VERSIONS for path in sorted((FOLDER / version).glob("body-*.bin"))]


def expected_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert sha256(path.read_bytes()).hexdigest() == found["file_sha256"], "a vector was changed"
    return found


def test_there_are_vectors_of_every_kind() -> None:
    assert VERSIONS == [make.VERSION], "a version was added: name it here, keep the older ones"
    names = {path.stem for path in BLOCKS}
    assert names == {f"block-{name}" for name in make.blocks()}
    assert len(BODIES) == 1


@pytest.mark.parametrize("path", BLOCKS, ids=lambda path: path.stem)
def test_a_block_decodes_to_its_expected_header_hash_and_rows(path: Path) -> None:
    expected, data = expected_of(path), path.read_bytes()
    header, hash_ = read_header(data)
    assert hash_.hex() == expected["hash"]
    assert encode_header(header) in data
    assert make.described(data) == {name: expected[name] for name in ("header", "batch")}


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_a_body_decodes_to_its_expected_rows(path: Path) -> None:
    assert make.listed(decode_body(path.read_bytes())) == expected_of(path)["batch"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_series_table_decodes_to_its_expected_entries_roots_and_identities(
    version: str,
) -> None:
    listing = json.loads((FOLDER / version / "series.json").read_text(encoding="utf-8"))
    entries = [decode_entry(bytes.fromhex(each["bytes"])) for each in listing]
    for n, (entry, each) in enumerate(zip(entries, listing, strict=True), start=1):
        assert (entry.entry, entry.device_no) == (each["entry"], each["device_no"])
        assert entry.leaf.hex() == each["leaf"]
        assert root_of(entries[:n]).hex() == each["root"]
        assert encode_entry(entry).hex() == each["bytes"]
        if each["key"] is None:
            assert entry.key is None
        else:
            assert entry.key is not None
            key = entry.key
            found = [key.device, key.metric, [*map(list, key.labels)], key.unit, int(key.kind)]
            assert found == each["key"]
            assert f"{series_id(make.GATEWAY, key):016x}" == each["id"]


def test_the_chain_of_the_vectors_holds_through_the_erased_ones() -> None:
    hashes = {path.stem: expected_of(path)["hash"] for path in BLOCKS}
    previous = {path.stem: expected_of(path)["header"]["prev_hash"] for path in BLOCKS}
    assert previous["block-rich"] == hashes["block-plain"]
    assert previous["block-hard"] == hashes["block-rich"] == hashes["block-rich-erased-1-3"]


def test_a_committed_version_is_not_made_anew(capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in BLOCKS}
    assert make.main() == 1
    assert "is never made anew" in capsys.readouterr().out
    assert before == {path: path.read_bytes() for path in BLOCKS}
