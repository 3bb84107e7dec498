"""What memory a process takes with those it started, as the kernel counts it."""

import psutil


def resident_bytes(pid: int) -> int:
    """Resident now, summed; 0 when the process is gone."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(_resident(one) for one in family)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
