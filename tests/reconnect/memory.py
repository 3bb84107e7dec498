"""What memory a process takes, as the kernel counts it."""

from pathlib import Path


def resident_bytes(pid: int) -> int:
    """Resident now; 0 when the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    found = [line for line in lines if line.startswith("VmRSS:")]
    return int(found[0].split()[1]) * 1024 if found else 0
