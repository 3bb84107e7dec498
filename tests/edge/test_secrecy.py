"""Nothing known can be found in the buffer's files; without sealing, the same search finds it all.

A decimal such as 48151.62342 is a secret too, though a codec may store it as a whole number.
"""

import ast
import bz2
import gzip
import lzma
import struct
import zlib
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest
import zstandard

import edge
from edge.chunk import Chunk, Reject
from edge.config import EdgeSettings
from edge.store.buffer import best_sealer
from protos.records import concat, numbers, scores, texts
from protos.series import SeriesKey, make_entry
from tests.edge.thief import bytes_secret, found_in, number_secret, text_secret


class PlainSealer:
    """Seals nothing: what the search must see through. Lives here and nowhere else."""

    name = "none"

    def __init__(self, _key: bytes) -> None:
        pass

    def admit(self, opening: int, salt: bytes) -> None:
        pass

    def begin(self, opening: int, salt: bytes) -> None:
        pass

    def seal(self, plain: bytes, _bound: bytes) -> bytes:
        return b"plain" + plain

    def unseal(self, sealed: bytes, _bound: bytes) -> bytes:
        return sealed[5:]

    def opening_of(self, _sealed: bytes) -> int:
        return 0


DEVICE, OTHER_DEVICE, METRIC = "Kessel-Nord-17", "Ofen-Süd-42", "abgas_temperatur_k3"
LABEL, UNIT, MODEL = "halle-zwölf", "µg/m³ trocken", "spectral-residual 3.1"
WORDS = [f"Störung Ventil {n * 7919}" for n in range(5)]
ALONE = 0.7390851332151607
MANY = [2.718281828459045 * 1.0731**n for n in range(40)]
DECIMAL = 48151.62342
SCORED = 17.320508075688775
TOPIC, PAYLOAD, REASON = (
    "werk/linie-9/roh",
    b'{"kaputt": 66260.7015',
    "unexpected end of JSON at 21",
)
ARRIVAL = 1_700_000_000_000_000

SECRETS = [
    *map(text_secret, (DEVICE, OTHER_DEVICE, METRIC, LABEL, UNIT, MODEL, *WORDS, TOPIC, REASON)),
    bytes_secret("payload", PAYLOAD),
    *map(number_secret, (ALONE, DECIMAL, SCORED, *MANY[::8])),
]


def fill(world: Any, sealer: Any) -> list[bytes]:
    """Commit all secrets and look at the disk at every stage of their life; what was there."""
    parts: list[bytes] = []
    store = world.open(sealer=sealer)
    keys = [
        SeriesKey(DEVICE, METRIC, (("halle", LABEL),), UNIT),
        SeriesKey(OTHER_DEVICE, METRIC, (), UNIT),
    ]
    new = tuple(make_entry(n, n, key, bytes([n]) * 16) for n, key in enumerate(keys, 1))
    reject = Reject(5, TOPIC, PAYLOAD, REASON)
    at = ARRIVAL
    first = concat(
        [
            numbers([1] * 40, [at + 977 * n * n for n in range(40)], MANY, 0, at),
            texts([2] * 5, [at + n for n in range(5)], WORDS, 0, at),
            scores([1], [at], [MANY[0]], [SCORED], [3.0], [MODEL]),
        ]
    )
    store.commit(Chunk(first, new, b"marks of 16 byte", (reject,))).result()
    store.commit(Chunk(numbers([1], [at], [ALONE], 0, at))).result()
    store.commit(Chunk(numbers([2, 2], [at, at + 9], [DECIMAL, DECIMAL + 1e-5], 0, at))).result()
    parts += on_disk(world.folder)
    assert len(world.drain(store)) == 1
    parts += on_disk(world.folder)
    store.mark(1, 1).result()
    parts += on_disk(world.folder)
    store.close()
    return parts + on_disk(world.folder) + row_blobs(world.path)


def on_disk(folder: Path) -> list[bytes]:
    """Every file of the buffer and whatever else was left lying, but the key."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "buffer.key"]
    assert {"buffer.db", "buffer.db-wal"} <= {path.name for path in files}
    return [path.read_bytes().replace(bytes(64), b"") for path in files]


def row_blobs(path: Path) -> list[bytes]:
    """Every blob of every table, whole: overflow pages break long ones up in the file."""
    db = apsw.Connection(str(path))
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    rows = [row for name in tables for row in db.execute(f"SELECT * FROM {name}").fetchall()]
    db.close()
    return [value for row in rows for value in row if isinstance(value, bytes)]


@pytest.fixture
def temporary(world: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files, should there be any, land where the search looks."""
    folder: Path = world.folder / "tmp"
    folder.mkdir()
    for name in ("SQLITE_TMPDIR", "TMPDIR"):
        monkeypatch.setenv(name, str(folder))
    return folder


def test_nothing_known_is_found_in_a_sealed_buffer(world: Any, temporary: Path) -> None:
    parts = fill(world, best_sealer)
    assert found_in(set(parts), SECRETS) == set()
    assert list(temporary.iterdir()) == []


def test_the_same_search_finds_everything_when_sealing_is_off(world: Any, temporary: Path) -> None:
    parts = fill(world, PlainSealer)
    assert {secret.name for secret in SECRETS} - found_in(set(parts), SECRETS) == set()


@pytest.mark.parametrize(
    "hide",
    [
        zstandard.ZstdCompressor().compress,
        zlib.compress,
        gzip.compress,
        lzma.compress,
        lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
        bz2.compress,
        lambda data: data,
    ],
)
@pytest.mark.parametrize("code", ["utf-8", "utf-16-le", "utf-16-be"])
def test_the_search_sees_into_anything_that_opens(hide: Any, code: str) -> None:
    noise = np.random.default_rng(5).bytes(1000)
    hidden = noise + hide((DEVICE * 3).encode(code)) + noise
    assert found_in([hidden], SECRETS) == {DEVICE}
    assert found_in([noise], SECRETS) == set()


@pytest.mark.parametrize("width", [2, 4, 8])
def test_the_search_puts_byte_planes_together(width: int) -> None:
    values = np.array([float(n) for n in range(9)] + [SCORED] + [1.5] * 6)
    planes = values.view(np.uint8).reshape(-1, 8).T.tobytes()
    assert found_in([b"odd" + planes], SECRETS) == {f"{SCORED!r}"}
    words = np.frombuffer((WORDS[1] + " " * 40)[:40].encode()[:40], np.uint8)
    shuffled = words.reshape(-1, width).T.tobytes()
    assert found_in([shuffled], SECRETS) == {WORDS[1]}


@pytest.mark.parametrize("form", ["<d", ">d", "<f", ">f"])
def test_the_search_knows_numbers_in_every_form(form: str) -> None:
    assert found_in([b"x" * 9 + struct.pack(form, ALONE) + b"y" * 9], SECRETS) == {f"{ALONE!r}"}
    scaled = round(DECIMAL * 1e5).to_bytes(5, "little" if form[0] == "<" else "big")
    assert found_in([b"x" * 9 + scaled + b"y" * 9], SECRETS) == {f"{DECIMAL!r}"}


def test_no_setting_and_no_caller_can_choose_another_sealer() -> None:
    product = sorted(Path(edge.__file__).parent.rglob("*.py"))
    trees = {path.name: ast.parse(path.read_text()) for path in product}
    sealers = [
        node.name
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(isinstance(part, ast.FunctionDef) and part.name == "unseal" for part in node.body)
    ]
    assert sorted(sealers) == ["AeadSealer", "SealedRows", "Sealer"], "the last is the protocol"
    givers = {
        name
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "sealer"
    }
    assert givers <= {"store.py"}, "the façade passes its own argument on"
    settings = repr(EdgeSettings.__struct_fields__) + repr(vars(edge.config))
    assert not any(word in settings.lower() for word in ("sealer", "plaintext", "encrypt"))
