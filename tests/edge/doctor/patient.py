"""A gateway that is well: home, machine's files, a mosquitto and a cloud, to plant faults in."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cloud.ingest.identity import Authority
from edge.doctor.case import Case, of_home
from edge.doctor.examine import examine
from edge.doctor.kind import Finding, exit_code
from edge.doctor.themes import THEMES
from edge.keys import make_key_file
from tests.edge.mosquitto import Mosquitto
from tests.sim.site import Papers, Site, enrol

NAME = "gw-1"
NOW_US = 1_790_000_000_000_000
MEMINFO = "MemTotal:         474000 kB\nMemFree:  20000 kB\nMemAvailable:     {left} kB\n"
MOSQUITTO = "persistence true\ninclude_dir /etc/mosquitto/conf.d\n"


@contextmanager
def served(site: Site) -> Iterator[Site]:
    """A cloud that serves on a thread of its own."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with site.serve():
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(20)
    try:
        yield site
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@dataclass
class Patient:
    """The gateway; ``case`` are parts of its case that a fault changes (clock, environment)."""

    home: Path
    root: Path
    broker: Mosquitto
    site: Site
    folder: Path
    settings: dict[str, list[str]] = field(default_factory=dict)
    case: dict[str, Any] = field(default_factory=dict)

    def make(self) -> None:
        """Make home and machine, with nothing wrong."""
        self.home.mkdir(mode=0o700)
        make_key_file(self.home / "keys" / "buffer.key")
        for name in ("models", "run"):
            (self.home / name).mkdir(mode=0o700)
        self.set("gateway", f'name = "{NAME}"')
        self.set("broker", f'url = "mqtt://127.0.0.1:{self.broker.port}"')
        self.enrol(enrol(self.site.authority, NAME), self.site.authority)
        self.mount("ext4", "rw,noatime")
        self.file("/proc/meminfo", MEMINFO.format(left=200_000))
        self.file("/sys/class/rtc/rtc0/name", "rtc-ds1307 1-0068\n")
        self.file("/sys/class/rtc/rtc0/since_epoch", f"{NOW_US // 1_000_000 + 2}\n")
        self.file("/run/systemd/timesync/synchronized", "")
        (self.root / "run/systemd/system").mkdir(parents=True)
        self.file("/etc/systemd/system/tidegate-edge.service", WATCHED)
        self.file("/etc/systemd/system/multi-user.target.wants/tidegate-edge.service", WATCHED)
        self.file("/etc/mosquitto/mosquitto.conf", MOSQUITTO)
        self.file(
            "/etc/mosquitto/conf.d/tidegate.conf",
            "max_queued_messages 0\nmax_inflight_messages 0\n",
        )
        self.device("device/type", "SD\n")
        self.device("device/name", "SC32G\n")

    def set(self, section: str, *lines: str) -> None:
        """Write keys of a section of the settings, in the place of those it had."""
        self.settings[section] = list(lines)
        text = "\n".join(f"[{name}]\n" + "\n".join(of) for name, of in self.settings.items())
        path = self.home / "edge.toml"
        path.write_text(text + "\n")
        path.chmod(0o600)

    def enrol(self, papers: Papers, authority: Authority) -> None:
        """Give it an identity."""
        folder = self.home / "identity"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "gateway.key").write_bytes(papers.key_pem)
        (folder / "gateway.key").chmod(0o600)
        (folder / "gateway.crt").write_bytes(papers.certificate_pem)
        (folder / "ca.crt").write_bytes(authority.pem)
        text = f'sync_address = "127.0.0.1:{self.site.port}"\ncloud_name = "localhost"\n'
        (folder / "cloud.toml").write_text(text)

    def file(self, path: str, text: str) -> None:
        """A file of the machine."""
        at = self.root / path.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(text)

    def mount(self, kind: str, options: str, device: str = "/dev/mmcblk0p2") -> None:
        """What the home lies on, as the kernel tells."""
        number = self.home.stat().st_dev
        at = f"{os.major(number)}:{os.minor(number)}"
        line = f"36 35 {at} / / {options} - {kind} {device} {options}\n"
        self.file("/proc/self/mountinfo", line)

    def device(self, path: str, text: str) -> None:
        """A file of the block device below the home."""
        number = self.home.stat().st_dev
        self.file(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/{path}", text)

    @property
    def device_name(self) -> str:
        number = self.home.stat().st_dev
        return f"{os.major(number)}:{os.minor(number)}"

    def examined(self) -> "Diagnosis":
        """What the doctor finds."""
        usual: dict[str, Any] = {"kernel_synced": lambda: False, "now_us": lambda: NOW_US}
        case: Case = replace(
            of_home(self.home, self.root), **{"environment": {}, **usual, **self.case}
        )
        return Diagnosis(examine(case, THEMES))


WATCHED = (Path(__file__).parents[3] / "deploy/systemd/tidegate-edge.service").read_text()
"""The unit as it is shipped."""


@dataclass
class Diagnosis:
    findings: list[Finding]

    @property
    def code(self) -> int:
        return exit_code(self.findings)

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.findings]

    def troubles(self) -> dict[str, str]:
        """Warnings and faults by name, with what is to be done."""
        return {
            one.name: one.to_do for one in self.findings if one.severity in ("warning", "fault")
        }

    def of(self, name: str) -> Finding:
        found = [one for one in self.findings if one.name == name]
        assert found, f"{name} is not among {self.names}"
        return found[0]


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything below a folder: mode, time of change, content."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            path.stat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted([folder, *folder.rglob("*")])
        if not path.is_socket()
    }
