"""The whole agent under a hard limit of memory, a model loaded, with a month to deliver.

The buffer is filled before, as fast as the machine can, with what a plant said in so many days.
Then the agent starts in a control group of its own beside a broker that goes on; the cloud comes
back, and all of it has to leave without the kernel ever killing the agent.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from deploy.demo.stack import Half, Stack, new_stack, wait_until
from edge.chunk import Chunk
from edge.keys import find_key
from edge.store.limits import StoreLimits
from edge.store.store import Store
from edge.when_full import WhenFull
from protos.limits import MIB
from tests.card_day.sensors import Sensors
from tests.outage.plant import POLL_US, Plant
from tests.small.hard_limit import HardLimit, hard_limit

AHEAD_MAX: Final = 32
ALONE_S: Final = 20.0
LIVE_PER_S: Final = 50
LEFT_ROWS: Final = 5_000
"""Live readings that may be on their way when the backlog is through."""
DRAIN_S_MAX: Final = 3600.0


@dataclass
class Small:
    """One run; `run` gives the figures, ``faults`` what is not as promised."""

    folder: Path
    readings: int
    days: float
    limit_mb: int
    cap_mb: int = 512
    say: Callable[[str], None] = print
    faults: list[str] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """All of it; RuntimeError where there can be no hard limit."""
        stack = new_stack(self.folder / "stack", "mosquitto")
        with hard_limit(self.limit_mb * MIB) as group:
            if group is None:
                raise RuntimeError("no control group with a limit of memory can be made here")
            try:
                return self._run(stack, group)
            finally:
                stack.close()

    def _run(self, stack: Stack, group: HardLimit) -> dict[str, Any]:
        stack.prepare()
        settings = stack.home("edge") / "edge.toml"
        cap = f'\n[buffer]\nbytes_max = {self.cap_mb * MIB}\nwhen_full = "drop-oldest"\n'
        settings.write_text(settings.read_text() + cap)
        stack.start_cloud()
        stack.enroll()
        stack.cloud.stop()
        kept = self._fill(stack)
        self._limit(stack.edge, group)
        stack.start_edge()
        sensors = Sensors(stack.broker.port, LIVE_PER_S)
        try:
            time.sleep(ALONE_S)
            pid = stack.edge_status()["pid"]
            alone = stack.edge_status()["budget"]["memory_peak_bytes"]
            stack.start_cloud()
            began = time.monotonic()
            wait_until("the backlog is archived", lambda: self._is_through(stack), DRAIN_S_MAX)
            drained_s = time.monotonic() - began
            status = stack.edge_status()
        finally:
            sensors.stop()
        models = [one for one in status["models"] if not one["failure"] and one["scored"]]
        figures = {
            "limit_mb": self.limit_mb,
            "readings": self.readings,
            "days": self.days,
            "kept_rows": kept,
            "drained_s": round(drained_s),
            "rows_left": status["buffer"]["rows"],
            "models": [one["name"] for one in models],
            "kills": group.kills,
            "charged_mb_peak": round(group.peak_bytes / MIB, 1),
            "rss_mb_alone": round(alone / MIB, 1),
            "rss_mb_peak": round(status["budget"]["memory_peak_bytes"] / MIB, 1),
            "cpu_s": round(status["budget"]["cpu_s"], 1),
            "live_messages": sensors.sent,
        }
        if group.kills or status["pid"] != pid:
            self.faults.append("the agent was killed")
        if figures["rss_mb_peak"] > self.limit_mb:  # libraries that others had read are not charged
            self.faults.append("more was resident than the limit")
        if not models:
            self.faults.append("no model scored anything")
        if status["buffer"]["evicted"] or status["buffer"]["quarantined"]:
            self.faults.append("something was evicted or damaged while it drained")
        return figures

    def _fill(self, stack: Stack) -> int:
        """Put the days into the buffer; how many rows are kept of them."""
        polls = round(self.days * 86_400e6 / POLL_US)
        plant = Plant(max(8, round(self.readings / polls)))
        home = stack.home("edge")
        store = Store.open(
            home / "buffer.db",
            gateway=stack.gateway,
            keys=find_key(home / "keys" / "buffer.key", {}),
            limits=StoreLimits(bytes_max=self.cap_mb * MIB, when_full=WhenFull.REJECT),
            boot_id=bytes(16),
        )
        under_way: deque[Future[Any]] = deque()
        for poll in range(polls):
            chunk = Chunk(plant.polled(poll), plant.entries if poll == 0 else ())
            under_way.append(store.commit(chunk))
            while len(under_way) > AHEAD_MAX:
                under_way.popleft().result()
            if poll % max(1, polls // 10) == 0:
                self.say(f"filled {poll * plant.series:,} of {polls * plant.series:,} readings")
        for one in under_way:
            one.result()
        kept = store.stats().result().unsealed_rows
        store.close()
        return kept

    def _limit(self, half: Half, group: HardLimit) -> None:
        """Have the agent put itself into the group before anything else."""
        shell = f'echo $$ > "{group.members}" && exec "$@"'
        half.command = ["/bin/sh", "-c", shell, "agent", *half.command]

    def _is_through(self, stack: Stack) -> bool:
        time.sleep(1.0)
        status = stack.edge_status()
        buffer, cloud = status["buffer"], status["cloud"]
        self.say(
            f"{buffer['rows']:,} rows wait, {status['budget']['memory_bytes'] / MIB:.0f} MB "
            f"resident, stored {cloud['stored']}, archived {cloud['archived']}"
        )
        return bool(buffer["rows"] <= LEFT_ROWS and cloud["line"] == "live")
