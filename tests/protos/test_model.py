"""The model package: what was written is read, whatever was changed is refused by name."""

import io
import json
import struct
import zipfile
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

import protos.vectors
from protos.model import (
    GRAPH_BYTES_MAX,
    PACKAGE_BYTES_MAX,
    Applies,
    Calibration,
    Manifest,
    PackageError,
    Takes,
    canonical_bytes,
    read_package,
    verify,
    version_order,
    write_package,
)
from protos.model_key import (
    load_key,
    make_key,
    public_line,
    public_of,
    read_public,
    save_key,
)
from protos.model_text import parse_manifest
from protos.stored_zip import read_stored, write_stored
from protos.vectors import make_model

VECTOR = Path(protos.vectors.__file__).parent / "v1" / "model.tgm"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
PLAIN = Manifest(name="plain", version="1", window=4)
GRAPH = b"a graph" * 40

WORDS = st.text(max_size=12)
PATTERNS = st.lists(WORDS, max_size=3).map(tuple)
SECONDS = st.floats(0, 1e6, allow_nan=False)
MANIFESTS = st.builds(
    Manifest,
    name=st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,10}[a-z0-9])?", fullmatch=True),
    version=st.lists(st.integers(0, 999_999_999), min_size=1, max_size=4).map(
        lambda numbers: ".".join(map(str, numbers))
    ),
    window=st.integers(2, 4096),
    kinds=st.sampled_from([("gauge",), ("counter", "state"), ("gauge", "counter", "state")]),
    takes=st.sampled_from([Takes.WINDOW, Takes.LINE]),
    sample_s=SECONDS,
    gap_s=SECONDS,
    score=WORDS,
    about=st.text(max_size=200),
    applies=st.builds(Applies, device=PATTERNS, metric=PATTERNS, unit=PATTERNS, class_=PATTERNS),
    calibration=st.builds(Calibration, threshold=SECONDS, rate=SECONDS),
)


@given(MANIFESTS, st.binary(min_size=1, max_size=300))
@settings(deadline=None)
def test_what_was_written_is_read_and_trusted(manifest: Manifest, graph: bytes) -> None:
    package = read_package(write_package(manifest, graph, KEY))
    assert package.graph == graph
    assert package.manifest == msgspec.structs.replace(manifest, sha256=sha256(graph).hexdigest())
    assert verify(package, [public_of(OTHER), public_of(KEY)]) == package.key_id


@given(MANIFESTS)
def test_a_manifest_has_one_text(manifest: Manifest) -> None:
    text = canonical_bytes(manifest)
    assert parse_manifest(text) == manifest
    assert canonical_bytes(parse_manifest(text)) == text


def test_the_golden_vector_is_made_and_read_as_it_was() -> None:
    expected = json.loads(VECTOR.with_suffix(".json").read_text(encoding="utf-8"))
    data = VECTOR.read_bytes()
    assert sha256(data).hexdigest() == expected["file_sha256"], "the vector was changed"
    assert make_model.package() == data
    package = read_package(data)
    assert canonical_bytes(package.manifest).decode() == expected["manifest"]
    assert package.graph.hex() == expected["graph"]
    assert (package.signer.hex(), package.signature.hex()) == (
        expected["signer"],
        expected["signature"],
    )
    assert package.key_id == expected["key_id"]
    assert verify(package, [package.signer]) == package.key_id


def test_any_unzip_reads_a_package() -> None:
    with zipfile.ZipFile(VECTOR) as file:
        assert file.testzip() is None
        assert file.namelist() == ["manifest.toml", "model.onnx", "signature"]
        assert file.read("model.onnx") == make_model.GRAPH


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_a_package_with_any_byte_changed_is_refused(data: st.DataObject) -> None:
    whole = bytearray(write_package(PLAIN, GRAPH, KEY))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(PackageError):
        verify(read_package(bytes(whole)), [public_of(KEY)])


@given(st.integers(0, 10_000))
def test_a_package_cut_off_anywhere_is_refused(at: int) -> None:
    whole = write_package(PLAIN, GRAPH, KEY)
    with pytest.raises(PackageError, match=r"cut off|does not begin as a zip"):
        read_package(whole[: at % len(whole)])


@given(st.binary(max_size=400))
def test_bytes_that_are_no_package_are_refused(data: bytes) -> None:
    with pytest.raises(PackageError):
        read_package(data)


@pytest.mark.parametrize(
    "trick",
    ["compressed", "time", "comment", "prefix", "suffix", "path", "twice", "order", "extra"],
)
def test_a_zip_of_any_other_form_is_refused(trick: str) -> None:
    entries = read_stored(write_package(PLAIN, GRAPH, KEY))
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as file:
        for name, content in reversed(entries) if trick == "order" else entries:
            info = zipfile.ZipInfo("../" + name if trick == "path" else name)
            info.compress_type = zipfile.ZIP_DEFLATED if trick == "compressed" else 0
            info.extra = struct.pack("<HHI", 0x7075, 4, 1) if trick == "extra" else b""
            if trick == "time":
                info.date_time = (2026, 1, 1, 0, 0, 0)
            file.writestr(info, content)
        file.comment = b"hello" if trick == "comment" else b""
    data = place.getvalue()
    if trick == "twice":
        data = write_stored([*entries, entries[1]])
    elif trick in ("prefix", "suffix"):
        whole = write_stored(entries)
        data = b"#!/bin/sh\n" + whole if trick == "prefix" else whole + b"more"
    with pytest.raises(PackageError):
        read_package(data)


def test_a_path_in_our_own_form_of_zip_is_refused_too() -> None:
    entries = read_stored(write_package(PLAIN, GRAPH, KEY))
    data = write_stored([(f"../{name}", content) for name, content in entries])
    with pytest.raises(PackageError, match="a package holds"):
        read_package(data)


def test_an_unsigned_package_is_refused_as_unsigned() -> None:
    entries = read_stored(write_package(PLAIN, GRAPH, KEY))
    with pytest.raises(PackageError, match="unsigned") as raised:
        read_package(write_stored(entries[:2]), "plain-1.tgm")
    assert "plain-1.tgm" in raised.value.what
    assert "model pack" in raised.value.hint


def test_a_package_signed_by_another_key_names_both() -> None:
    package = read_package(write_package(PLAIN, GRAPH, OTHER))
    with pytest.raises(PackageError, match="is not trusted here") as raised:
        verify(package, [public_of(KEY)])
    assert package.key_id in raised.value.why
    assert read_package(write_package(PLAIN, GRAPH, KEY)).key_id in raised.value.hint


def test_a_signature_of_another_manifest_is_refused() -> None:
    mine = read_stored(write_package(PLAIN, GRAPH, KEY))
    renamed = msgspec.structs.replace(PLAIN, version="2")
    theirs = read_stored(write_package(renamed, GRAPH, KEY))
    package = read_package(write_stored([theirs[0], mine[1], mine[2]]))
    with pytest.raises(PackageError, match="altered"):
        verify(package, [public_of(KEY)])


def test_a_graph_of_another_model_is_refused() -> None:
    mine = read_stored(write_package(PLAIN, GRAPH, KEY))
    with pytest.raises(PackageError, match="another SHA-256"):
        read_package(write_stored([mine[0], ("model.onnx", b"other"), mine[2]]))


def test_a_manifest_that_is_not_canonical_is_refused() -> None:
    mine = read_stored(write_package(PLAIN, GRAPH, KEY))
    text = b"# mine\n" + mine[0][1]
    with pytest.raises(PackageError, match="canonical"):
        read_package(write_stored([("manifest.toml", text), *mine[1:]]))


def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(PackageError, match="are allowed"):
        read_package(bytes(PACKAGE_BYTES_MAX + 1))
    with pytest.raises(PackageError, match="are allowed"):
        write_package(PLAIN, bytes(GRAPH_BYTES_MAX + 1), KEY)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "../up"}, "name ="),
        ({"name": "Großes"}, "name ="),
        ({"version": "1.0-rc1"}, "version ="),
        ({"version": "01"}, "version ="),
        ({"window": 1}, "window = 1"),
        ({"window": 5000}, "window = 5000"),
        ({"kinds": ("gage",)}, "kinds ="),
        ({"sample_s": float("nan")}, "negative or none"),
        ({"gap_s": -1.0}, "negative or none"),
        ({"channels": ("a",)}, "takes a frame"),
        ({"takes": Takes.FRAME}, "channels must name"),
        ({"takes": Takes.FRAME, "channels": ("a", "a")}, "none twice"),
        ({"takes": Takes.FRAME, "channels": tuple("abcdefghijklmnopq"), "window": 4096}, "more"),
        ({"about": "x" * 2000}, "longer than"),
        ({"applies": Applies(device=("x",) * 65)}, "applies.device"),
    ],
)
def test_a_wrong_manifest_is_refused_by_its_key(changed: dict[str, object], said: str) -> None:
    with pytest.raises(PackageError) as raised:
        write_package(msgspec.structs.replace(PLAIN, **changed), GRAPH, KEY)
    assert said in raised.value.why


def test_versions_are_ordered_by_their_numbers() -> None:
    assert version_order("1.9") < version_order("1.10") < version_order("2")
    with pytest.raises(ValueError, match="no version"):
        version_order("1.0-rc1")


def test_a_model_is_for_the_series_that_it_names() -> None:
    applies = Applies(device=("pump-*", "fan"), unit=("bar",))
    assert applies.to("pump-7", "anything", "bar")
    assert not applies.to("Pump-7", "anything", "bar")
    assert not applies.to("pump-7", "anything", "psi")
    assert Applies(class_=("pump",)).to("x", "y", class_="pump")
    assert not Applies(class_=("pump",)).to("x", "y")
    assert Applies().to("x", "y")


def test_a_key_is_kept_in_a_file_of_its_owner_alone(tmp_path: Path) -> None:
    path, key = tmp_path / "model.key", make_key()
    save_key(path, key)
    assert path.stat().st_mode & 0o777 == 0o600
    assert public_of(load_key(path)) == public_of(key)
    assert read_public(public_line(public_of(key))) == public_of(key)
    with pytest.raises(PackageError, match="it exists"):
        save_key(path, key)
    path.chmod(0o644)
    with pytest.raises(PackageError, match="lets other users read it"):
        load_key(path)


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.key"
    with pytest.raises(PackageError, match="no such file"):
        load_key(path)
    path.write_bytes(b"hello")
    path.chmod(0o600)
    with pytest.raises(PackageError, match="give an Ed25519 key"):
        load_key(path)
    other = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(PackageError, match="not Ed25519"):
        load_key(path)


@pytest.mark.parametrize("line", ["", "ed25519:", "ed25519:####", "rsa:AAAA", "ed25519:AAAA"])
def test_a_line_that_is_no_public_key_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"begins with|base64|bytes"):
        read_public(line)
