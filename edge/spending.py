"""What the agent spends: writes to the card, bytes on the line, memory, processor; looked at often.

The totals of the last 24 hours outlive a restart in `spent.json`, written once an hour and at the
end: a limit by the day would otherwise begin anew with each start.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from edge.card import Device, Spared, process_written
from edge.config import EdgeConfig
from edge.health_budget import BudgetHealth
from edge.rolling_day import Kept, RollingDay
from edge.settings_budget import CARD_BYTES_PER_DAY
from edge.wear import Wear
from edge.wire import Carried, Wire
from protos.durable import put

LOOK_S: Final = 1.0
SAVE_EVERY_S: Final = 3600.0
CPU_LOOKS: Final = 60
FILE_NAME: Final = "spent.json"
_STATUS: Final = Path("/proc/self/status")

_log = logging.getLogger(__name__)


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """The days as they outlive a restart."""

    written: Kept = msgspec.field(default_factory=Kept)
    sent: Kept = msgspec.field(default_factory=Kept)
    received: Kept = msgspec.field(default_factory=Kept)


class Spending:
    """Counts from its making on; for one thread at a time, but for ``card``.

    Attributes:
        card: what spaces commits; the collect thread's.
        ports: TCP ports of the cloud, and of proxies before it; none while nobody delivers.
    """

    def __init__(self, config: EdgeConfig, now_s: Callable[[], float] = time.monotonic) -> None:
        budget = config.settings.budget
        self._now_s = now_s
        self._path = config.home / FILE_NAME
        self._device = Device(config.home)
        on_card = CARD_BYTES_PER_DAY if self._device.is_worn_by_writing else 0
        self._written_limit = budget.written_bytes_per_day or on_card
        self.card = Spared(Wear(self._written_limit, budget.commit_wait_ms_max / 1000))
        self._memory_limit, self._cpu_limit = budget.memory_bytes, budget.cpu_percent
        self._line_limit = config.settings.uplink.bytes_per_day_max
        self.ports: frozenset[int] = frozenset()
        self._wire, self._carried = Wire(), Carried()
        self._written = process_written()
        self._device_before = self._device.written()
        self._cpu: deque[tuple[float, float]] = deque(maxlen=CPU_LOOKS)
        kept, at_s = self._recalled(), now_s()
        self._written_day = RollingDay(at_s, kept.written)
        self._sent_day = RollingDay(at_s, kept.sent)
        self._received_day = RollingDay(at_s, kept.received)
        if self._written:
            self._written_day.add(at_s, self._written)

    async def run(self) -> None:
        """Look every second, and keep the days every hour and at the end."""
        saved_s = self._now_s()
        try:
            while True:
                self.look()
                if self._now_s() - saved_s >= SAVE_EVERY_S:
                    saved_s = self._now_s()
                    await asyncio.to_thread(self.save)
                await asyncio.sleep(LOOK_S)
        finally:
            self.look()
            self.save()

    def look(self) -> None:
        """Count what was spent since the last look; before a line is closed, too."""
        at_s = self._now_s()
        self._cpu.append((at_s, time.process_time()))
        written = process_written()
        if written is not None:
            self._written_day.add(at_s, written - (self._written or 0))
            self._written = written
        if self.ports:
            carried = self._wire.look(self.ports)
            more, self._carried = carried - self._carried, carried
            self._sent_day.add(at_s, more.sent)
            self._received_day.add(at_s, more.received)

    @property
    def line_day_bytes(self) -> int:
        """What the line carried both ways in the last 24 hours."""
        at_s = self._now_s()
        return self._sent_day.total(at_s) + self._received_day.total(at_s)

    def save(self) -> None:
        """Keep the days for the next run; a disk that refuses is told and changes nothing."""
        at_s = self._now_s()
        days = (self._written_day, self._sent_day, self._received_day)
        written, sent, received = (day.kept(at_s) for day in days)
        spent = Spent(written=written, sent=sent, received=received)
        try:
            put(self._path, msgspec.json.encode(spent))
        except OSError as error:
            _log.warning("cannot keep what was spent in %s: %s", self._path, error)

    def _recalled(self) -> Spent:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Spent)
        except FileNotFoundError:
            return Spent()
        except (OSError, msgspec.MsgspecError) as error:
            _log.warning("%s is begun anew: %s", self._path, error)
            return Spent()

    def health(self, *, readings: int, page_bytes: int, line_state: str) -> BudgetHealth:
        """Everything as of now; ``readings`` and ``page_bytes`` are since the start."""
        self.look()
        at_s, written = self._now_s(), self._written
        device, before = self._device.written(), self._device_before
        memory, peak = _memory()
        known = written is not None and readings > 0
        return BudgetHealth(
            device=self._device.name,
            written_bytes=written,
            written_day_bytes=self._written_day.total(at_s),
            written_limit_bytes=self._written_limit,
            device_written_bytes=None if device is None or before is None else device - before,
            page_bytes=page_bytes,
            written_per_reading=(written or 0) / readings if known else None,
            commit_spacing_s=self.card.spacing_s,
            sent_bytes=self._carried.sent,
            received_bytes=self._carried.received,
            sent_day_bytes=self._sent_day.total(at_s),
            received_day_bytes=self._received_day.total(at_s),
            line_limit_bytes=self._line_limit,
            line_state=line_state,
            memory_bytes=memory,
            memory_peak_bytes=peak,
            memory_limit_bytes=self._memory_limit,
            cpu_s=time.process_time(),
            cpu_percent=self._cpu_percent(),
            cpu_limit_percent=self._cpu_limit,
        )

    def _cpu_percent(self) -> float:
        (then_s, before), (now_s, spent) = self._cpu[0], self._cpu[-1]
        return 100 * (spent - before) / (now_s - then_s) if now_s > then_s else 0.0


def _memory() -> tuple[int, int]:
    """Resident bytes now and at most; 0 where the kernel does not say."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return 0, 0
    found = dict(line.split(":", 1) for line in lines if line.startswith(("VmRSS", "VmHWM")))
    now, most = (int(found.get(name, "0 kB").split()[0]) << 10 for name in ("VmRSS", "VmHWM"))
    return now, most
