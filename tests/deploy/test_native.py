"""What native code asks of a machine is read from its files, and what cannot run is no package."""

import platform
import struct
from pathlib import Path

import msgspec
import pytest

from deploy.debian import native
from deploy.debian.wheels import BuildError

HEAD, PROGRAM = 64, 56


def made(path: Path, *, machine: int = 183, align: int = 65536, needed: str = "libc.so.6") -> None:
    """A library of one segment that needs one other; its addresses are offsets plus 0x1000."""
    names = b"\0" + needed.encode() + b"\0"
    strings = HEAD + 2 * PROGRAM
    dynamic = strings + len(names)
    entries = struct.pack("<qQqQqQ", 5, 0x1000 + strings, 1, 1, 0, 0)
    size = dynamic + len(entries)
    head = native.MAGIC + bytes(10) + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, HEAD, 0, 0,
                                                  HEAD, PROGRAM, 2, 0, 0, 0)  # fmt: skip
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x1000, 0, size, size, align)
    linked = struct.pack("<IIQQQQQQ", 2, 4, dynamic, 0, 0, len(entries), len(entries), 8)
    path.write_bytes(head + load + linked + names + entries)


def test_a_real_library_tells_its_machine_and_what_it_needs() -> None:
    (library,) = Path(msgspec.__file__).parent.glob("_core*.so")
    code = native.read(library)
    assert code is not None
    assert code.machine == {"x86_64": 62, "aarch64": 183}[platform.machine()]
    assert "libc.so.6" in code.needed


def test_what_is_no_machine_code_is_none(tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text("import this\n")
    assert native.read(tmp_path / "words.py") is None
    assert native.depends(tmp_path, "arm64") == []


def test_a_library_names_the_packages_that_bring_what_it_needs(tmp_path: Path) -> None:
    made(tmp_path / "one.so")
    made(tmp_path / "two.so", needed="libstdc++.so.6")
    made(tmp_path / "three.so", needed="one.so")  # which lies beside it
    assert native.depends(tmp_path, "arm64") == ["libc6", "libstdc++6"]


@pytest.mark.parametrize(
    ("of", "cause"),
    [
        ({"machine": 62}, "is not for arm64"),
        ({"align": 4096}, "pages of 4096 bytes"),
        ({"needed": "libmystery.so.3"}, "libmystery.so.3, which no known package brings"),
    ],
)
def test_what_would_not_load_on_the_machine_is_no_package(
    tmp_path: Path, of: dict[str, int], cause: str
) -> None:
    made(tmp_path / "one.so", **of)  # type: ignore[arg-type]
    with pytest.raises(BuildError, match=cause):
        native.depends(tmp_path, "arm64")
