"""The cloud outside: a real process of the host, which can be away for a while."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from deploy.demo.broker import free_port, wait_for_port
from deploy.demo.stack import BIN, Half, run


class Cloud:
    """One cloud below a folder, on free ports of loopback."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "cloud"
        self.ports = free_port(), free_port(), free_port()
        self._half = self._process(folder)

    def prepare(self) -> None:
        """Make its home, tables every two seconds."""
        run("tidegate-cloud", "--home", str(self.home), "init")
        sync, enrol, http = (f'"127.0.0.1:{port}"' for port in self.ports)
        listen = f"[listen]\nsync = {sync}\nenrol = {enrol}\nhttp = {http}\n"
        (self.home / "cloud.toml").write_text(f"{listen}\n[lake]\ninterval_s = 2.0\n")

    def start(self) -> None:
        """Start it; return when gateways and people reach it."""
        self._half.start()
        assert self._half.process is not None
        for port in self.ports:
            wait_for_port(port, self._half.process, 60)

    def stop(self) -> None:
        """End it, if it runs."""
        if self._half.process is not None and self._half.process.poll() is None:
            self._half.stop()

    def typed(self, command: str) -> str:
        """What a command of the guide prints on this cloud."""
        program, *words = shlex.split(command)
        return run(program, "--home", str(self.home), *words)

    def values(self, series: str) -> Sequence[float]:
        """Every reading of DEVICE/METRIC in history, in time order; empty while there is none."""
        names = {f"{one['device']}/{one['metric']}" for one in self._series()}
        if series not in names:
            return []
        lines = self.typed(f"tidegate-cloud query {shlex.quote(series)} --json").splitlines()
        rows = [json.loads(line) for line in lines]
        return [row["value"] for row in rows if "value" in row]

    def _series(self) -> list[dict[str, str]]:
        import urllib.request

        address = f"http://127.0.0.1:{self.ports[2]}/api/v1/series?limit=1000"
        with urllib.request.urlopen(address, timeout=60) as answer:
            found: list[dict[str, str]] = json.load(answer)["series"]
        return found

    def _process(self, folder: Path) -> Half:
        words = [str(BIN / "tidegate-cloud"), "--home", str(self.home), "serve"]
        return Half(words, folder / "cloud.log")
