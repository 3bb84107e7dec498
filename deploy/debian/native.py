"""What native code in the package asks of a machine: read from its files, for it cannot run here.

The format is that of ELF-64, little-endian, from the System V ABI ("Object Files", "Program
Loading").
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.debian.wheels import BuildError

MAGIC: Final = b"\x7fELF\x02\x01"
MACHINE: Final = {"arm64": 183, "amd64": 62}
PAGE_BYTES: Final = {"arm64": 16384, "amd64": 4096}
"""The largest pages of kernels that this is for: a Pi 5 has 16 KiB, and code that is laid out for
smaller ones does not load there."""
PACKAGES: Final = {
    "ld-linux-aarch64.so.1": "libc6",
    "ld-linux-x86-64.so.2": "libc6",
    "libc.so.6": "libc6",
    "libdl.so.2": "libc6",
    "libm.so.6": "libc6",
    "libpthread.so.0": "libc6",
    "librt.so.1": "libc6",
    "libgcc_s.so.1": "libgcc-s1",
    "libstdc++.so.6": "libstdc++6",
    "libz.so.1": "zlib1g",
}
"""Which Debian package brings a library."""
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRINGS = 1, 5


@dataclass(frozen=True, slots=True)
class Native:
    """One file of machine code: what it is for, and what it needs to be loaded."""

    machine: int
    align: int
    needed: tuple[str, ...]


def read(path: Path) -> Native | None:
    """What a file says of itself; None for one that is no machine code."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return None
    data = path.read_bytes()
    (machine,) = struct.unpack_from("<H", data, 18)
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    heads = [struct.unpack_from("<IIQQQQQQ", data, table + size * n) for n in range(count)]
    loads = [head for head in heads if head[0] == _LOAD]
    entries = [
        struct.unpack_from("<qQ", data, head[2] + at)
        for head in heads
        if head[0] == _DYNAMIC
        for at in range(0, head[5], 16)
    ]
    strings = next((_offset(loads, value) for tag, value in entries if tag == _STRINGS), 0)
    needed = (_string(data, strings + value) for tag, value in entries if tag == _NEEDED)
    return Native(machine, min((head[7] for head in loads), default=0), tuple(needed))


def _offset(loads: list[tuple[int, ...]], address: int) -> int:
    """Where in the file lies what is loaded at an address."""
    for _kind, _flags, offset, start, _physical, size, _memory, _align in loads:
        if start <= address < start + size:
            return offset + address - start
    return address


def _string(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()


def depends(folder: Path, arch: str) -> list[str]:
    """Debian packages that the machine code below ``folder`` needs.

    Raises:
        BuildError: code for another machine, for smaller pages, or a library that nobody brings.
    """
    codes = {path: code for path in _files(folder) if (code := read(path))}
    own = {path.name for path in codes}
    packages = set()
    for path, code in codes.items():
        shown = path.relative_to(folder)
        if code.machine != MACHINE[arch]:
            raise BuildError(f"{shown} is not for {arch}: its machine is {code.machine}")
        if code.align < PAGE_BYTES[arch]:
            raise BuildError(f"{shown} is laid out for pages of {code.align} bytes at most")
        for library in code.needed:
            if library not in own and library not in PACKAGES:
                raise BuildError(f"{shown} needs {library}, which no known package brings")
        packages |= {PACKAGES[library] for library in code.needed if library not in own}
    return sorted(packages)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
