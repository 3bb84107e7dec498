"""Pure: the package of a model, one file: manifest, graph and signature.

`NAME-VERSION.tgm` is a zip of one fixed form (`protos.stored_zip`) with the entries
`manifest.toml`, `model.onnx` and `signature`: the signer's public key (32 bytes) and its Ed25519
signature (64 bytes) over the manifest's canonical text, which holds the graph's SHA-256. Reading
proves that the parts belong together; only `verify` says that somebody trusted made them.
Byte layout: docs/format/model-package.md.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protos.model_key import PUBLIC_BYTES, SIGNATURE_BYTES, key_id, public_of, signature_fits
from protos.model_manifest import (
    GRAPH_FILE,
    MANIFEST_BYTES_MAX,
    Applies,
    Calibration,
    CalibrationKind,
    Manifest,
    PackageError,
    Takes,
    Trained,
    manifest_problem,
    version_order,
)
from protos.model_text import canonical_bytes, parse_manifest
from protos.stored_zip import Entry, StoredZipError, read_stored, write_stored

__all__ = [
    "GRAPH_BYTES_MAX",
    "PACKAGE_BYTES_MAX",
    "SUFFIX",
    "Applies",
    "Calibration",
    "CalibrationKind",
    "Manifest",
    "Package",
    "PackageError",
    "Takes",
    "Trained",
    "canonical_bytes",
    "read_package",
    "verify",
    "version_order",
    "write_package",
]

SUFFIX: Final = ".tgm"
GRAPH_BYTES_MAX: Final = 32 << 20
"""A gateway takes small models; the largest shipped one has kilobytes."""
PACKAGE_BYTES_MAX: Final = GRAPH_BYTES_MAX + MANIFEST_BYTES_MAX + 1024
MANIFEST_FILE: Final = "manifest.toml"
SIGNATURE_FILE: Final = "signature"
_NAMES: Final = [MANIFEST_FILE, GRAPH_FILE, SIGNATURE_FILE]
_DOMAIN: Final = b"tidegate model manifest 1\0"
_AGAIN: Final = "copy the package again, or make it with `tidegate-cloud model pack`"


@dataclass(frozen=True, slots=True)
class Package:
    """A package whose parts belong together; nothing is said yet about who made it.

    ``signer`` is the public key (32 bytes) that it names, ``signature`` 64 bytes.
    """

    manifest: Manifest
    graph: bytes = field(repr=False)
    signer: bytes
    signature: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """The name of the key that it says it is signed by."""
        return key_id(self.signer)


def write_package(manifest: Manifest, graph: bytes, key: Ed25519PrivateKey) -> bytes:
    """Write and sign a package; the manifest's file name and hash are set here.

    The same manifest, graph and key give the same bytes.

    Raises:
        PackageError: the manifest is wrong or the graph too large.
    """
    what = f"pack the model {manifest.label}"
    if not 0 < len(graph) <= GRAPH_BYTES_MAX:
        why = f"its graph has {len(graph)} bytes, {GRAPH_BYTES_MAX} are allowed"
        raise PackageError(what, why, "make a smaller model")
    made = msgspec.structs.replace(manifest, file=GRAPH_FILE, sha256=sha256(graph).hexdigest())
    problem = manifest_problem(made)
    text = canonical_bytes(made) if not problem else b""
    if not problem and len(text) > MANIFEST_BYTES_MAX:
        problem = f"its manifest has {len(text)} bytes, {MANIFEST_BYTES_MAX} are allowed"
    if problem:
        raise PackageError(what, problem, "put the manifest right")
    signature = public_of(key) + key.sign(_DOMAIN + text)
    entries = [(MANIFEST_FILE, text), (GRAPH_FILE, graph), (SIGNATURE_FILE, signature)]
    return write_stored(entries)


def read_package(data: bytes, name: str = "") -> Package:
    """Read a package; ``name`` is what errors call it.

    Raises:
        PackageError: it is too large, cut off, no package, unsigned, its manifest is wrong or not
            canonical, or its graph is not the one that the manifest was made for.
    """
    what = f"read the model package {name}".rstrip()
    if len(data) > PACKAGE_BYTES_MAX:
        why = f"it has {len(data)} bytes, {PACKAGE_BYTES_MAX} are allowed"
        raise PackageError(what, why, "a gateway takes small models")
    text, graph, signature = _parts(data, what)
    try:
        manifest = parse_manifest(text)
    except ValueError as error:
        raise PackageError(what, f"its manifest: {error}", "pack the model again") from error
    if canonical_bytes(manifest) != text:
        raise PackageError(what, "its manifest is not in canonical form", _AGAIN)
    if manifest.file != GRAPH_FILE or manifest.sha256 != sha256(graph).hexdigest():
        why = "its graph is not the one that its manifest was made for: another SHA-256"
        raise PackageError(what, why, _AGAIN)
    if len(signature) != PUBLIC_BYTES + SIGNATURE_BYTES:
        why = f"its signature has {len(signature)} bytes, not {PUBLIC_BYTES + SIGNATURE_BYTES}"
        raise PackageError(what, why, _AGAIN)
    return Package(manifest, graph, signature[:PUBLIC_BYTES], signature[PUBLIC_BYTES:])


def _parts(data: bytes, what: str) -> tuple[bytes, bytes, bytes]:
    try:
        entries: list[Entry] = read_stored(data)
    except StoredZipError as error:
        raise PackageError(what, str(error), _AGAIN) from error
    names = [name for name, _ in entries]
    if names == _NAMES[:2]:
        why = "it is unsigned: the entry `signature` is missing"
        raise PackageError(what, why, "sign it with `tidegate-cloud model pack`")
    if names != _NAMES:
        why = f"it holds {names}, a package holds {_NAMES}"
        raise PackageError(what, why, _AGAIN)
    return entries[0][1], entries[1][1], entries[2][1]


def verify(package: Package, keys: Collection[bytes]) -> str:
    """See that a package is signed by one of the trusted public keys (32 bytes each).

    Returns:
        The name of the key that signed it.

    Raises:
        PackageError: its key is not trusted, or the signature is not that of its manifest.
    """
    what = f"trust the model {package.manifest.label}"
    if package.signer not in keys:
        trusted = ", ".join(sorted(map(key_id, keys))) or "none"
        why = f"it is signed by the key {package.key_id}, which is not trusted here"
        hint = f"trusted: {trusted}; if you know the signer, add the key to the settings"
        raise PackageError(what, why, hint)
    if not signature_fits(
        package.signer, package.signature, _DOMAIN + canonical_bytes(package.manifest)
    ):
        why = f"its signature is not that of the key {package.key_id}: it was altered"
        raise PackageError(what, why, _AGAIN)
    return package.key_id
