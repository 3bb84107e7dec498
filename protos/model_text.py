"""Pure: a manifest as text, and its one canonical text.

The manifest is TOML. Its canonical text has the keys in the order of `Manifest`, tables after all
other keys, keys at their default left out, numbers and strings as `toml_value` writes them; it is
what a signature is over.
"""

import tomllib
from enum import Enum

import msgspec

from protos.model_manifest import MANIFEST_BYTES_MAX, Manifest, manifest_problem
from protos.settings import toml_value


def canonical_bytes(manifest: Manifest) -> bytes:
    """The manifest's one text, which signatures are over."""
    plain, tables = _written(manifest)
    for name, table in tables:
        plain += ["", f"[{name}]", *_written(table)[0]]
    return ("\n".join(plain) + "\n").encode()


def _written(table: msgspec.Struct) -> tuple[list[str], list[tuple[str, msgspec.Struct]]]:
    lines, tables = [], []
    for field in msgspec.structs.fields(type(table)):
        value = getattr(table, field.name)
        if value == field.default:
            continue
        if isinstance(value, msgspec.Struct):
            tables.append((field.encode_name, value))
        else:
            value = value.value if isinstance(value, Enum) else value
            lines.append(f"{field.encode_name} = {toml_value(value)}")
    return lines, tables


def parse_manifest(text: bytes) -> Manifest:
    """Read a manifest, canonical or not, and check it.

    Raises:
        ValueError: it is too long, no TOML, or a key is missing, unknown or out of range.
    """
    if len(text) > MANIFEST_BYTES_MAX:
        raise ValueError(f"{len(text)} bytes are more than {MANIFEST_BYTES_MAX}")
    try:
        manifest = msgspec.convert(tomllib.loads(text.decode()), Manifest)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    problem = manifest_problem(manifest)
    if problem:
        raise ValueError(problem)
    return manifest
