"""How much memory this process came to take, as the kernel counts it."""

from pathlib import Path

_SELF = Path("/proc/self")


class Peak:
    """Counts from now on."""

    def __init__(self) -> None:
        (_SELF / "clear_refs").write_text("5")  # the kernel's high-water mark falls to what is now
        self._before = _status("VmRSS")

    def grown_bytes(self) -> int:
        """The highest resident size since, less what was resident then."""
        return _status("VmHWM") - self._before


def _status(name: str, process: Path = _SELF) -> int:
    lines = (process / "status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
