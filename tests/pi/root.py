"""An arm64 Debian that debootstrap made, run by qemu's user emulation as if it were a Pi.

The root is made once a suite and kept; a run has a layer of its own over it. Processes have their
own pids, mounts and host name, and share the network, by which they reach the cloud outside.
"""

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.pi.machine import Done, type_and_run
from tests.pi.tally import say

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".pi"
BINFMT = Path("/proc/sys/fs/binfmt_misc")
MIRROR = "http://deb.debian.org/debian"
# What Raspberry Pi OS Lite has and a minimal Debian lacks.
INCLUDE = "python3,ca-certificates,sudo,adduser,procps"
BROKER_PORTS = (1883,)


class NotHereError(Exception):
    """Why no Pi can be emulated on this machine, and what would help."""


def ready() -> None:
    """See that this machine can run arm64 code in a root of its own.

    Raises:
        NotHereError: it cannot, with what to do.
    """
    if os.geteuid() != 0:
        raise NotHereError("a root of its own needs root: sudo make test-pi")
    for tool in ("debootstrap", "unshare", "nsenter"):
        if shutil.which(tool) is None:
            raise NotHereError(
                f"there is no {tool} here: apt-get install -y debootstrap util-linux"
            )
    for port in BROKER_PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise NotHereError(f"port {port} is taken here, and the Pi's broker needs it")
    if platform.machine() == "aarch64":
        return
    if shutil.which("qemu-aarch64-static") is None:
        raise NotHereError("no emulator: apt-get install -y qemu-user-static binfmt-support")
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)], check=False)
    if not (BINFMT / "qemu-aarch64").exists():
        subprocess.run(["update-binfmts", "--enable", "qemu-aarch64"], check=False)
    if not (BINFMT / "qemu-aarch64").exists():
        raise NotHereError("binfmt_misc takes no emulator here (in a container: --privileged)")


def base(suite: str) -> Path:
    """The root of a suite; made at the first call, in some three minutes.

    Raises:
        NotHereError: debootstrap failed; its log is beside the root.
    """
    root, done = CACHE / suite, CACHE / f"{suite}.done"
    if done.exists():
        return root
    say(f"making a root of {suite} in {root} …")
    CACHE.mkdir(exist_ok=True)
    shutil.rmtree(root, ignore_errors=True)
    with (CACHE / f"{suite}.log").open("wb") as log:
        command = ["debootstrap", "--arch=arm64", "--variant=minbase", f"--include={INCLUDE}"]
        made = subprocess.run(
            [*command, suite, str(root), MIRROR], stdout=log, stderr=log, check=False
        )
    if made.returncode:
        raise NotHereError(f"debootstrap of {suite} failed; see {CACHE / f'{suite}.log'}")
    done.touch()
    return root


@dataclass
class EmulatedPi:
    """One machine with a disk of its own, that can be switched on, cut off and typed at."""

    suite: str
    folder: Path = field(init=False)
    process: subprocess.Popen[bytes] | None = None
    pid: int = 0
    pretends = True

    def __post_init__(self) -> None:
        self.folder = CACHE / f"{self.suite}.run"
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir(parents=True)
        upper = self.folder / "upper"
        _put(HERE / "systemctl", upper / "usr/bin/systemctl", 0o755)
        _put(HERE / "power.py", upper / "usr/local/lib/power.py", 0o644)
        _put(Path("/etc/resolv.conf"), upper / "etc/resolv.conf", 0o644)
        (upper / "etc/hosts").write_text("127.0.0.1 localhost raspberrypi\n")
        certificates = Path("/etc/ssl/certs/ca-certificates.crt")  # as this machine trusts them
        _put(certificates, upper / "etc/ssl/certs/ca-certificates.crt", 0o644)

    def bring(self, file: Path, name: str) -> None:
        """Copy a file into the home folder of the user pi; only before it is switched on."""
        _put(file, self.folder / "upper/home/pi" / name, 0o644)

    def switch_on(self) -> None:
        """Boot: mounts, then `power.py`, which starts the services."""
        root = self.folder / "root"
        layers = (
            f"lowerdir={base(self.suite)},upperdir={self.folder}/upper,workdir={self.folder}/work"
        )
        steps = [
            f"mount -t overlay -o {layers} overlay {root}",
            f"mount -t proc proc {root}/proc",
            f"mount --rbind /dev {root}/dev",
            f"mount -t tmpfs -o mode=755 run {root}/run",
            f"mkdir -p {root}/run/systemd/system",
            "hostname raspberrypi",
            f"exec chroot {root} /usr/bin/env -i PATH={PATH} python3 /usr/local/lib/power.py",
        ]
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "sh", "-ec",
             "\n".join(steps)],
            stdout=subprocess.PIPE, stderr=(CACHE / f"{self.suite}.power.log").open("wb"),
        )  # fmt: skip
        assert self.process.stdout is not None
        _expect_up(self.process.stdout)
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.pid = int(children.read_text().split()[0])

    def cut_power(self) -> None:
        """Kill its first process, and by that the kernel kills all."""
        if self.process is None:
            return
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
        else:  # it never came up
            self.process.kill()
        self.process.wait(30)
        self.process, self.pid = None, 0

    def root(self, command: str, seconds: float = 600.0) -> Done:
        """Run a shell line as root."""
        return self._enter(["bash", "-c", command], (), seconds)

    def run(
        self, command: str, answers: Sequence[tuple[str, str]] = (), seconds: float = 900.0
    ) -> Done:
        """Type a command in pi's home, and each answer once its question is there.

        By root, whom sudo lets do it: emulation honours no setuid bit unless it is registered so.
        """
        return self._enter(["bash", "-c", f"cd; {command}"], answers, seconds)

    def _enter(
        self, words: Sequence[str], answers: Sequence[tuple[str, str]], seconds: float
    ) -> Done:
        environment = [f"PATH={PATH}", "LANG=C.UTF-8", "HOME=/home/pi"]
        environment += ["DEBIAN_FRONTEND=noninteractive"]
        environment += [f"{name}={os.environ[name]}" for name in PASSED if name in os.environ]
        entered = ["nsenter", "-t", str(self.pid), "-m", "-u", "-p", "-r", "-w"]
        command = [*entered, "/usr/bin/env", "-i", *environment, *words]
        return type_and_run(command, answers, seconds)


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PASSED = ("PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT", "https_proxy", "http_proxy", "no_proxy")


def _expect_up(out: IO[bytes]) -> None:
    said = out.readline()
    if said != b"up\n":
        sys.exit(f"the emulated machine did not come up: {said!r}")


def _put(source: Path, target: Path, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)
