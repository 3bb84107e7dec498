"""A hard limit of memory for one process: a control group of its own, which the kernel enforces.

Both hierarchies are known: version 2 (`memory.max`), and version 1 (`memory.limit_in_bytes`). Page
cache counts in either, as under systemd's `MemoryMax`, and is what the kernel takes first. A limit
of address space (`ulimit -v`) is another thing: libraries map hundreds of MB that are never there.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path("/sys/fs/cgroup")
_NAME: Final = "tidegate-small"


@dataclass(frozen=True)
class HardLimit:
    """The group; who writes his process number into ``members`` is held to it."""

    folder: Path
    is_second: bool

    @property
    def members(self) -> Path:
        """The file of its processes."""
        return self.folder / "cgroup.procs"

    @property
    def peak_bytes(self) -> int:
        """The most that was charged to it, page cache included."""
        name = "memory.peak" if self.is_second else "memory.max_usage_in_bytes"
        return int((self.folder / name).read_text())

    @property
    def kills(self) -> int:
        """Processes that the kernel killed in it for want of memory."""
        name = "memory.events" if self.is_second else "memory.oom_control"
        lines = (self.folder / name).read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


@contextmanager
def hard_limit(limit_bytes: int) -> Iterator[HardLimit | None]:
    """A group with this limit and no swap; None where we may not make one."""
    group = _made(limit_bytes)
    try:
        yield group
    finally:
        if group is not None:
            with suppress(OSError):  # a process that is left keeps it
                group.folder.rmdir()


def _made(limit_bytes: int) -> HardLimit | None:
    own = dict(_own_groups())
    tried = (("memory", False), ("", True))
    for controller, is_second in tried:
        parent = _parent(controller, own.get(controller), is_second)
        if parent is None:
            continue
        folder = parent / f"{_NAME}-{os.getpid()}"
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
            limit, swap = ("memory.max", "memory.swap.max") if is_second else (
                "memory.limit_in_bytes", "memory.memsw.limit_in_bytes",
            )  # fmt: skip
            (folder / limit).write_text(str(limit_bytes))
            if (folder / swap).exists():
                (folder / swap).write_text("0" if is_second else str(limit_bytes))
            return HardLimit(folder, is_second)
    return None


def _own_groups() -> Iterator[tuple[str, str]]:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _parent(controller: str, path: str | None, is_second: bool) -> Path | None:
    """Where a group with a memory controller can be made below our own; None: nowhere."""
    if path is None:
        return None
    roots = [_ROOT, _ROOT / "unified"] if is_second else [_ROOT / controller]
    for root in roots:
        parent = root / path.lstrip("/")
        if not is_second and parent.is_dir():
            return parent
        subtree = parent / "cgroup.subtree_control"
        if is_second and subtree.exists() and "memory" in subtree.read_text().split():
            return parent
    return None
