"""One site under attack: broker, cloud and gateway as real processes, lines that can fail between
them, small disks beneath, sensors that publish all the time, and the wire's own account."""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.demo import tally
from deploy.demo.stack import Half, Stack, new_stack
from tests.crash.disk import SmallDisk
from tests.crash.line import Line, Loop
from tests.crash.mqtt_tap import MqttTap
from tests.crash.publisher import Publisher
from tests.crash.verdict import PREFIX, Heard, Verdict, numbers

ROOT = Path(__file__).parent.parent.parent
CHILD = Path(__file__).parent / "child"


class StuckError(Exception):
    """Something did not come back in time; the text says what."""


def await_until(what: str, condition: Callable[[], bool], seconds: float) -> None:
    """Return once the condition holds; StuckError naming it after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise StuckError(f"waited {seconds:.0f} s in vain until {what}")
        time.sleep(0.02)


def under_orders(half: Half, order: Path, *more: str) -> None:
    """Have a half's process load the failpoints and look for orders in a file."""
    path = f"PYTHONPATH={CHILD}{os.pathsep}{ROOT}"
    half.command = ["env", path, f"TIDEGATE_CRASH_ORDER={order}", *more, *half.command]


@dataclass(slots=True)
class Site:
    """Everything of one campaign below one folder."""

    folder: Path
    per_s: int
    seed: int
    small_disks: bool = True
    edge_environment: tuple[str, ...] = ()
    kills: int = 0
    restarts: int = 0
    heard: Heard = field(default_factory=Heard)
    loop: Loop = field(default_factory=Loop)
    stack: Stack = field(init=False)
    broker_line: Line = field(init=False)
    cloud_line: Line = field(init=False)
    disks: dict[str, SmallDisk] = field(init=False)
    publisher: Publisher | None = None

    def open(self) -> None:
        """Start everything and wait until readings are acknowledged."""
        self.stack = stack = new_stack(self.folder / "stack", "mosquitto")
        self.disks = {
            "edge": SmallDisk(stack.home("edge"), 64),
            "cloud": SmallDisk(stack.home("cloud"), 1024),
        }
        for disk in self.disks.values():
            if self.small_disks:
                disk.mount()
        stack.prepare()
        self.broker_line = Line(
            self.loop, stack.broker.port, lambda: MqttTap(self.heard), self.seed
        )
        self.cloud_line = Line(self.loop, stack.sync_port, None, self.seed + 1)
        self._configure()
        under_orders(stack.edge, self.order("edge"), *self.edge_environment)
        under_orders(stack.cloud, self.order("cloud"))
        stack.start_cloud()
        stack.enroll()
        stack.start_edge()
        time.sleep(1.5)  # mosquitto writes the subscription down once a second
        self.publisher = Publisher(self.loop, stack.broker.port, self.per_s)
        await_until("readings are acknowledged", lambda: self.heard.acknowledged > 0, 30)

    def _configure(self) -> None:
        edge, cloud = (self.stack.home(half) / f"{half}.toml" for half in ("edge", "cloud"))
        edge.write_text(
            f'[gateway]\nname = "{self.stack.gateway}"\n\n'
            f'[broker]\nurl = "mqtt://127.0.0.1:{self.broker_line.port}"\n\n'
            f'[cloud]\naddress = "127.0.0.1:{self.cloud_line.port}"\n'
        )
        # Small segments, so that rotation and trimming are among what is interrupted.
        cloud.write_text(
            cloud.read_text().replace("interval_s = 2.0", "interval_s = 0.5")
            + "\n[journal]\nsegment_bytes = 1048576\nbytes_max = 16777216\n"
        )

    @property
    def sent(self) -> int:
        """Messages published so far."""
        return 0 if self.publisher is None else self.publisher.sent

    def order(self, half: str) -> Path:
        """The file in which a half's process looks for orders."""
        return self.folder / f"{half}.order"

    def half(self, name: str) -> Half:
        return self.stack.edge if name == "edge" else self.stack.cloud

    def kill(self, name: str) -> None:
        """SIGKILL, and start again at once."""
        if name == "broker":
            self.stack.broker.kill()
            self.stack.broker.start()
        else:
            self.half(name).kill()
            self.half(name).start()
        self.kills += 1

    def is_running(self, name: str) -> bool:
        process = self.half(name).process
        return process is not None and process.poll() is None

    def tend(self) -> None:
        """What systemd does: a half that ended by itself is started again."""
        for name in ("edge", "cloud"):
            if not self.is_running(name):
                self.half(name).start()
                self.restarts += 1
                time.sleep(1.0)

    def recover(self, seconds: float) -> None:
        """Wait until the agent acknowledges anew and the cloud stores anew."""
        target = self.heard.acknowledged + self.per_s // 2
        stored = self._stored()

        def is_back() -> bool:
            self.tend()
            if self.heard.acknowledged < target:
                return False
            return self._stored() > stored

        await_until("the agent acknowledges and the cloud stores again", is_back, seconds)

    def _stored(self) -> int:
        said = self.stack.try_get("/api/v1/status")
        return -1 if said is None else int(said["journal"]["head"])

    def drain(self, seconds: float) -> None:
        """Stop the sensors and wait until all that was acknowledged is archived."""
        if self.publisher is not None:
            self.publisher.stop()
        quiet = [0, 0.0]

        def is_drained() -> bool:
            self.tend()
            if self.heard.deliveries != quiet[0]:
                quiet[:] = self.heard.deliveries, time.monotonic()
            return time.monotonic() - quiet[1] > 3.0 and self._is_archived()

        await_until("everything is archived", is_drained, seconds)

    def _is_archived(self) -> bool:
        edge, cloud = self.stack.edge_status(), self.stack.try_get("/api/v1/status")
        return (
            cloud is not None
            and edge["broker"]["connected"]
            and edge["ingest"]["waiting"] == edge["buffer"]["rows"] == 0
            and cloud["journal"]["head"] == cloud["journal"]["archived"]
        )

    def judge(self) -> Verdict:
        """Hold history against what was acknowledged."""
        return self.heard.judge(self.history())

    def history(self) -> Counter[int]:
        """How often each message's reading is in history, by value, through the HTTP API."""
        found: Counter[int] = Counter()
        for one in tally.series(self.stack):
            if one["device"].startswith(PREFIX):
                values = (float(v) for _, v, _ in tally.raw(self.stack, one["id"]) if v is not None)
                found += numbers(one["metric"], values)
        return found

    def close(self, *, keep: bool) -> None:
        """End everything; the folder is complete on the disk when it is kept."""
        for order in (self.order("edge"), self.order("cloud")):
            order.unlink(missing_ok=True)
        self.stack.close()
        self.loop.close()
        for name, disk in self.disks.items():
            disk.unmount(self.folder / "kept" / name if keep else None)


def say(text: str) -> None:
    """Progress goes to stderr: stdout is for the one line at the end."""
    print(text, file=sys.stderr, flush=True)
