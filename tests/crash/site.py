"""One site under attack: broker, cloud and gateway as real processes, lines that can fail between
them, small disks beneath, sensors that publish all the time, and the wire's own account."""

import json
import os
import signal
import sys
import time
import urllib.error
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from deploy.demo import tally
from deploy.demo.stack import Half, Stack, new_stack, run
from tests.crash import stores
from tests.crash.disk import Disk
from tests.crash.line import Line, Loop
from tests.crash.mqtt_tap import MqttTap
from tests.crash.orders import CHILD, Orders
from tests.crash.publisher import Publisher
from tests.crash.verdict import PREFIX, Heard, Verdict, numbers

ROOT = Path(__file__).parent.parent.parent


class StuckError(Exception):
    """Something did not come back in time; the text says what."""


def await_until(what: str, condition: Callable[[], bool], seconds: float) -> None:
    """Return once the condition holds; StuckError naming it after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise StuckError(f"waited {seconds:.0f} s in vain until {what}")
        time.sleep(0.02)


def under_orders(half: Half, folder: Path, *more: str) -> None:
    """Have a half's process load the failpoints and look for orders in a folder."""
    path = f"PYTHONPATH={CHILD}{os.pathsep}{ROOT}"
    half.command = ["env", path, f"TIDEGATE_CRASH_ORDERS={folder}", *more, *half.command]


def end(half: Half) -> None:
    """SIGKILL to all processes of a half at once: none may go on for a moment after the power."""
    if half.process is not None:
        with suppress(ProcessLookupError):
            os.killpg(half.process.pid, signal.SIGKILL)  # `Half` has a session of its own
    half.kill()


@dataclass(slots=True)
class Site:
    """Everything of one campaign below one folder.

    ``consolidation``: `roles.consolidation` and `roles.ingest`; apart, a death in the lake is that
    process's alone, and one in the journal ends the whole cloud.
    """

    folder: Path
    per_s: int
    seed: int
    own_disks: bool = True
    edge_environment: tuple[str, ...] = ()
    cloud_environment: tuple[str, ...] = ()
    lake_interval_s: float = 0.5
    consolidation: str = "together"
    kills: int = 0
    power_cuts: int = 0
    restarts: int = 0
    heard: Heard = field(default_factory=Heard)
    loop: Loop = field(default_factory=Loop)
    stack: Stack = field(init=False)
    broker_line: Line = field(init=False)
    cloud_line: Line = field(init=False)
    disks: dict[str, Disk] = field(default_factory=dict)
    publisher: Publisher | None = None
    closing: bool = False

    def open(self) -> None:
        """Start everything and wait until readings are acknowledged."""
        self.stack = stack = new_stack(self.folder / "stack", "mosquitto")
        self.disks = {
            "edge": Disk(stack.home("edge"), 96),
            "cloud": Disk(stack.home("cloud"), 1024),
        }
        for disk in self.disks.values():
            if self.own_disks:
                disk.mount()
        stack.prepare()
        self.broker_line = Line(
            self.loop, stack.broker.port, lambda: MqttTap(self.heard), self.seed
        )
        self.cloud_line = Line(self.loop, stack.sync_port, None, self.seed + 1)
        self._configure()
        under_orders(stack.edge, self.orders("edge").folder, *self.edge_environment)
        under_orders(stack.cloud, self.orders("cloud").folder, *self.cloud_environment)
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
            f'[cloud]\naddress = "127.0.0.1:{self.cloud_line.port}"\n\n'
            "[buffer]\nbytes_max = 16777216\n"
        )
        # Small logs, so that checkpoints, rotation and trimming are among what is interrupted.
        cloud.write_text(
            cloud.read_text().replace("interval_s = 2.0", f"interval_s = {self.lake_interval_s}")
            + "\n[journal]\nsegment_bytes = 1048576\nbytes_max = 16777216\n"
            + f'\n[roles]\ningest = "{self.consolidation}"\n'
            + f'consolidation = "{self.consolidation}"\nreaders = "together"\n'
        )

    @property
    def sent(self) -> int:
        """Messages published so far."""
        return 0 if self.publisher is None else self.publisher.sent

    @property
    def accepted(self) -> int:
        """Messages that the broker has taken over so far."""
        return 0 if self.publisher is None else self.publisher.accepted

    def orders(self, half: str) -> Orders:
        """What a half's process is to do to itself."""
        return Orders(self.folder / "orders" / half)

    def half(self, name: str) -> Half:
        return self.stack.edge if name == "edge" else self.stack.cloud

    def kill(self, name: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """SIGKILL, and start again at once, or after ``meanwhile``."""
        if name == "broker":
            self.stack.broker.kill()
            self.kills += 1
            self.stack.broker.start()
            return
        half = self.half(name)
        self.kills += self.is_running(name)
        end(half)
        meanwhile()
        half.start()

    def cut_power(self, name: str) -> None:
        """Of one half: its process is killed, and what it had not synced is gone from its disk."""
        self.disks[name].cut()
        self.kill(name, self.disks[name].restore)
        self.power_cuts += 1

    def is_running(self, name: str) -> bool:
        process = self.half(name).process
        return process is not None and process.poll() is None

    def is_a_childs(self, point: str) -> bool:
        """Whether the death at this point is that of the cloud's own child, which it replaces."""
        return self.consolidation == "apart" and point.startswith("cloud: lake")

    @property
    def lines(self) -> dict[str, Line]:
        """The lines of the gateway, by where they lead."""
        return {"broker": self.broker_line, "cloud": self.cloud_line}

    def cloud_is_unwell(self) -> bool:
        """Whether the cloud answers, and says that something stands in its way."""
        try:
            self.stack.get("/healthz")
        except urllib.error.HTTPError as refusal:
            return refusal.code == 503
        except (OSError, ValueError):
            return False
        return False

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

    def judge_stores(self) -> Verdict:
        """The same where the halves do not get there: by what lies in their stores."""
        for half in (self.stack.edge, self.stack.cloud):
            end(half)
        cloud = self.stack.home("cloud")
        found = set(
            map(int, stores.in_buffer(self.stack.home("edge"), self.folder / "buffer.jsonl"))
        )
        found |= set(map(int, stores.in_journal(cloud / "journal")))
        found |= set(map(int, stores.in_lake(cloud / "lake")))
        return self.heard.judge(dict.fromkeys(found & set(range(len(self.heard.first))), 1))

    def second_count(self) -> dict[str, object]:
        """What the product says itself: is history whole, and what of ours is not in it."""
        edge = self.stack.edge_status()
        home = str(self.stack.home("cloud"))
        said = run("tidegate-cloud", "--home", home, "verify", "--json", seconds=600)
        apart = {name: edge["ingest"][name] for name in ("rejected", "partial")}
        apart |= {name: edge["buffer"][name] for name in ("evicted", "damaged")}
        return {"whole": json.loads(said)["whole"], "set_apart": apart}

    def history(self) -> Counter[int]:
        """How often each message's reading is in history, by value, through the HTTP API."""
        found: Counter[int] = Counter()
        for one in tally.series(self.stack):
            if one["device"].startswith(PREFIX):
                values = (float(v) for _, v, _ in tally.raw(self.stack, one["id"]) if v is not None)
                found += numbers(one["metric"], values)
        return found

    def close(self, *, keep: bool, gently: bool = True) -> None:
        """End everything; the folder is complete on the disk when it is kept."""
        self.closing = True
        for name in ("edge", "cloud"):
            self.orders(name).take_back_all()
            if not gently:
                self.half(name).kill()
        self.stack.close()
        self.loop.close()
        for name, disk in self.disks.items():
            disk.remove(self.folder / "kept" / name if keep else None)


def say(text: str) -> None:
    """Progress goes to stderr: stdout is for the one line at the end."""
    print(text, file=sys.stderr, flush=True)
