"""Pure: whether a machine can run the gateway at all, told before anything heavy is loaded.

The inference runtime has no 32-bit build, and numpy's code for x86-64 begins at x86-64-v2 (psABI).
Without this word the first import would end in an error that names neither.
"""

from typing import Final

CPUS: Final = ("aarch64", "x86_64")
"""What the kernel calls the machines that every library of the gateway is built for."""
_LISTS: Final = {"aarch64": "Features", "x86_64": "flags"}
_NEEDS: Final = {
    "aarch64": ("asimd",),
    "x86_64": ("ssse3", "sse4_1", "sse4_2", "popcnt"),
}


def refusal(bits: int, machine: str, cpuinfo: str) -> tuple[str, str] | None:
    """Why it cannot, and what to do; None where it can.

    Args:
        bits: of Python's pointers: a 64-bit kernel may run a 32-bit system.
        machine: as `uname -m` has it.
        cpuinfo: the text of /proc/cpuinfo; one of another machine (emulation) says nothing.
    """
    if bits != 64:
        cause = f"this system is a {bits}-bit one, and the inference runtime has no such build"
        return cause, "install the 64-bit Raspberry Pi OS or Debian (on a Pi 3, 4, 5 or Zero 2)"
    if machine not in CPUS:
        cause = f"this CPU is a {machine}, for which the gateway's libraries are not built"
        return cause, f"use a machine of one of: {', '.join(CPUS)}"
    for line in cpuinfo.splitlines():
        name, _, told = line.partition(":")
        if name.strip() == _LISTS[machine]:
            lacking = [one for one in _NEEDS[machine] if one not in told.split()]
            if lacking:
                cause = f"this CPU lacks {', '.join(lacking)}, which numpy's code needs"
                return cause, "use a machine whose CPU is of 2009 or later"
            return None
    return None
