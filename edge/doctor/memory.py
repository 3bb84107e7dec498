"""Memory: what the machine has, what the agent takes, and whether the kernel ever ended it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge.doctor.case import Case
from edge.doctor.kind import STORAGE, Finding, fault, ok, warning
from edge.doctor.theme import Theme
from edge.health_text import size
from protos.limits import KIB, MIB

MACHINE: Final = "memory of the machine"
AGENT: Final = "memory of the agent"
LEFT_MIN: Final = 48 * MIB
"""What the agent may need at once, beside what it has: a model's trial, a backlog being sent."""
AGENT_MAX: Final = 160 * MIB
"""What the unit allows (`MemoryMax`)."""

ENOUGH = ok("memory.enough", MACHINE)
SHORT = warning("memory.short", MACHINE, "see what takes it: `ps aux --sort=-rss | head`")
FITS = ok("memory.agent", AGENT)
LARGE = warning("memory.large", AGENT, "restart the agent, and report it with `status --json`")
KILLED = fault(
    "memory.killed",
    AGENT,
    "see what grew: `journalctl -u tidegate-edge`; raise MemoryMax= of the unit "
    "(`systemctl edit tidegate-edge`) if the models or series need it",
    STORAGE,
)


def examine(case: Case) -> Iterator[Finding]:
    """Look at machine and agent."""
    told = _meminfo(case.text("/proc/meminfo") or "")
    total, left = told.get("MemTotal", 0), told.get("MemAvailable", 0)
    if total:
        what = f"{size(left)} of {size(total)} can be had"
        yield (SHORT if left < LEFT_MIN else ENOUGH).found(what)
    group = _group(case)
    if group:
        killed = _counts(case.text(f"{group}/memory.events") or "").get("oom_kill", 0)
        if killed:
            yield KILLED.found(f"the kernel ended it {killed:,} times for want of memory")
    if case.health is not None:
        yield from _agent(case, case.health.pid, group)


def _agent(case: Case, pid: int, group: str) -> Iterator[Finding]:
    status = _meminfo(case.text(f"/proc/{pid}/status") or "")
    now, most = status.get("VmRSS", 0), status.get("VmHWM", 0)
    if not now:
        return
    limit = case.number(f"{group}/memory.max") if group else None
    bound = f" of {size(limit)} allowed" if limit else ""
    what = f"{size(now)}{bound}, {size(most)} at most since its start"
    yield (LARGE if now > (limit or AGENT_MAX) * 0.95 else FITS).found(what)


def _group(case: Case) -> str:
    """The folder of the control group of the agent, or of its unit; empty when there is none."""
    unit = "/sys/fs/cgroup/system.slice/tidegate-edge.service"
    if case.health is None:
        return unit if case.system(unit).is_dir() else ""
    for line in (case.text(f"/proc/{case.health.pid}/cgroup") or "").splitlines():
        number, _, rest = line.partition("::")
        if number == "0" and rest not in ("", "/"):
            return str(Path("/sys/fs/cgroup") / rest.lstrip("/"))
    return ""


def _meminfo(text: str) -> dict[str, int]:
    """Bytes by name of what the kernel writes as `Name:  123 kB`."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        parts = rest.split()
        if len(parts) == 2 and parts[1] == "kB" and parts[0].isdecimal():
            found[name] = int(parts[0]) * KIB
    return found


def _counts(text: str) -> dict[str, int]:
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


THEME = Theme(
    "memory",
    (ENOUGH, SHORT, FITS, LARGE, KILLED),
    examine,
    limit_s=5.0,
    hung=("/proc does not answer: see `dmesg`", STORAGE),
    needs_settings=False,
)
