"""Settings files of both halves as an operator's slip, or a stranger, may leave them.

The first byte of an input says which half, the rest is the file. What cannot be used is refused by
an OperatorError that names the file, and the section or key where there is one.
"""

import tempfile
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import msgspec

import cloud.config
import cloud.errors
import edge.config
import edge.errors
from cloud.settings import CloudSettings
from edge import agent_parts
from edge.settings import EdgeSettings
from protos.limits import MIB
from protos.settings import named_section, toml_value
from protos.settings_page import settings_file
from protos.shown import printable

INPUT_BYTES_MAX = 1 << 14
MEMORY_MAX = 64 * MIB
TABLES: dict[int, type[msgspec.Struct]] = {0: EdgeSettings, 1: CloudSettings}
CHOSEN: dict[int, dict[str, dict[str, object]]] = {
    0: {"gateway": {"name": "attic"}},
    1: {"listen": {"hosts": ["cloud.example"]}},
}
VALUES = [
    "", "x" * 300, "attic", "~", "~nobody-here/x", "\0", "a\nb", "/", ".", "#", "+/#",
    "a/#/b", "mqtt://[::1]:1883", "mqtts://h", "mqtt://[", "mqtt://h:99999", "http://p:3128",
    "[::]:0", "http://[", "http://p:x", "127.0.0.1:8460", "h:" + "1" * 5000, "größer", "reject",
    0, 1, -1, 1 << 40, 1 << 63, 10**80, 0.0, -0.5, 1e308, float("nan"), float("inf"),
    True, False, [], [""], ["#", "a"], [1], ["plant/+"] * 9, {}, {"a": 1},
]  # fmt: skip
WORDS = [b"[broker]", b" = ", b'"', b"'''", b"[[", b"0x", b"1e400", b"1979-05-27T07:32:00Z", b"nan",
         b"\\u0000", b"{a=1}", b"\xef\xbb\xbf", b"#", b"\r\n", b"9" * 64]  # fmt: skip

Refusal = edge.errors.OperatorError | cloud.errors.OperatorError
Mutate = Callable[[bytes, int], bytes]


def seeds() -> list[bytes]:
    """What `init` writes, the same with every default said aloud, and little ones."""
    found = []
    for half, table in TABLES.items():
        written = settings_file(table, CHOSEN[half], "settings")
        aloud = written.replace("\n# ", "\n").replace("settings\n", "", 1)
        plain = "\n".join(line for line in aloud.splitlines() if " = " in line or line[:1] == "[")
        found += [bytes((half,)) + text.encode() for text in (written, plain, "", "[log]\n")]
    return found


@cache
def home() -> Path:
    """A folder of this process."""
    return Path(folder().name)


@cache
def folder() -> tempfile.TemporaryDirectory[str]:
    """Its owner, which removes it in the end."""
    return tempfile.TemporaryDirectory(prefix="fuzz-")


def check(data: bytes) -> None:
    """Raise unless the file is taken and usable, or refused as it should be."""
    half, text = data[:1] == b"\1", data[1:]
    path = home() / ("cloud.toml" if half else "edge.toml")
    path.write_bytes(text)
    refusal = _refusal(_use_cloud if half else _use_edge)
    if refusal is None:
        return
    told = f"{refusal.tried} {refusal.cause} {refusal.hint}"
    assert path.name in told, f"no file in: {told}"
    assert refusal.hint, f"no way out in: {told}"
    _check_named(text, TABLES[int(half)], refusal.cause, f"{refusal.tried} {refusal.hint}")


def _refusal(use: Callable[[Path], None]) -> Refusal | None:
    try:
        use(home())
    except (edge.errors.OperatorError, cloud.errors.OperatorError) as error:
        return error
    return None


def _use_edge(folder: Path) -> None:
    config = edge.config.load(folder)
    agent_parts.store_limits(config)
    for broker in config.brokers:
        agent_parts.broker(config, broker)
    assert config.alerts_broker in config.brokers
    config.cloud_proxy()
    assert config.models_folder
    assert config.client_id


def _use_cloud(folder: Path) -> None:
    config = cloud.config.load(folder)
    assert config.certificate_hosts
    assert config.enrol_address
    assert config.sync_address
    assert config.http_address


def _check_named(text: bytes, table: type[msgspec.Struct], cause: str, more: str) -> None:
    """A file that is TOML is refused for a key or section that the refusal names."""
    try:
        told = tomllib.loads(text.decode())
    except (ValueError, RecursionError):
        return
    sections = {field.name: field.type for field in msgspec.structs.fields(table)}
    names = {*sections, *(printable(name)[:50] for name in told)}
    for name, fields in sections.items():
        of = named_section(fields) or fields
        names |= {f"{name}.{field.name}" for field in msgspec.structs.fields(of)}
    for line in cause.splitlines():
        assert any(name in f"{line} {more}" for name in names), f"no key in: {line}"


def mutate(data: bytes, size_max: int, seed: int, mutate_bytes: Mutate) -> bytes:
    """Another file: mostly one with another value in a known place, else with other bytes."""
    chance = Random(seed)
    try:
        told = tomllib.loads(data[1:].decode())
    except (ValueError, RecursionError):
        told = {}
    if chance.random() < 0.3 or not data:
        return mutate_bytes(data, size_max)
    half = chance.randrange(2) if chance.random() < 0.05 else int(data[0] == 1)
    table = TABLES[half]
    for _ in range(chance.randrange(1, 3)):
        section = chance.choice(msgspec.structs.fields(table))
        of = named_section(section.type)
        key = chance.choice(msgspec.structs.fields(of or section.type)).encode_name
        value: object = chance.choice(VALUES)
        if chance.random() < 0.3:
            value = mutate_bytes(str(value).encode(), 400).decode("utf-8", "replace")
        known = told.setdefault(section.name, {})
        if of is not None and isinstance(known, dict):
            known = known.setdefault(chance.choice(("hall", "yard", "main", "No Name")), {})
        if isinstance(known, dict):
            known[key] = value
        else:
            told[section.name] = {key: value}
    made = bytes((half,)) + written(told).encode("utf-8", "replace")
    return made if len(made) <= size_max else mutate_bytes(data, size_max)


def written(told: dict[str, object]) -> str:
    """The sections as TOML, also those of a name within another."""
    lines = []
    for name, section in told.items():
        if isinstance(section, dict):
            lines.append(f"[{toml_value(name)}]")
            plain = {
                key: one for key, one in section.items() if not (one and isinstance(one, dict))
            }
            lines += [f"{toml_value(key)} = {_value(value)}" for key, value in plain.items()]
            for key, one in section.items():
                if key not in plain:
                    lines.append(f"[{toml_value(name)}.{toml_value(key)}]")
                    lines += [f"{toml_value(of)} = {_value(value)}" for of, value in one.items()]
        else:
            lines.insert(0, f"{toml_value(name)} = {_value(section)}")
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    return "{}" if isinstance(value, dict) else toml_value(value)
