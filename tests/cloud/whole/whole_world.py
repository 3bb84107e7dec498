"""All that can happen to a whole cloud, and a plain list of what it must know.

`die` leaves everything as a kill would, and begins anew.
"""

import itertools
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from cloud.imports.columns import Mapping
from cloud.imports.ledger import Ledger
from cloud.imports.line import JournalLine
from cloud.imports.rejects import Rejects
from cloud.imports.run import Run, sieve_of
from cloud.imports.sender import Sender
from cloud.imports.source import Wish
from cloud.lake.attempts import DEATHS_MAX
from cloud.lake.names import Name
from cloud.lake.rebuild import rebuild
from cloud.lake.vacuum import orphans, vacuum
from cloud.live.live import View
from cloud.retention.order import ALWAYS_US, EVER_US
from cloud.retention.preview import carry_out, preview
from cloud.retention.retired import retired_now
from cloud.series.marks import Mark, MarkKind, UnknownMark
from cloud.series.operation import CannotApply, OperationKind
from protos import records
from tests.cloud.correction_world import STRETCHES, unsynced
from tests.cloud.imports.import_world import write
from tests.cloud.lake.test_over_journal import Line
from tests.cloud.lake_runs import Crash
from tests.cloud.lake_world import DAY_US, T0, Gateway
from tests.cloud.query.operated_world import operation_of
from tests.cloud.whole.whole_due import DEVICES, KEEPS, Due, Reading
from tests.cloud.whole.whole_erase import order
from tests.cloud.whole.whole_home import QUIET_S, RULES, Home

GATEWAYS = ("gw-1", "gw-1", "gw-2", "gw-2", "import")
WISH = Wish(Mapping(device=DEVICES[4], units=(("temperature", DEVICES[4].split()[1]),)))
WAIT_S = 30


class UnitGateway(Gateway):
    """Its devices' names end in their units."""

    def series(self, device: str, metric: str = "temperature", unit: str = "") -> int:
        return super().series(device, metric, unit or device.partition(" ")[2])


class Whole(Home):
    """One home, its cloud at work; ``due`` is what history must say."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.due = Due()
        self.unique = itertools.count(1)
        self.views: list[tuple[View, int]] = []
        self.damaged_blocks = self.deaths = 0
        self.is_behind = False
        self.lines = {name: Line(self.journal, name) for name in ("gw-1", "gw-2")}
        self.gateways = {
            name: UnitGateway(line, name, epoch=line.epoch)  # type: ignore[arg-type]
            for name, line in self.lines.items()
        }
        self.blocks: list[tuple[str, int, bytes]] = []
        for number in range(4):
            self.send(number, [(T0, 1.0)])
        self.bring([(0, 1.0)])
        self.say([(T0, "begins")])
        self.follow()
        known = self.live.book.known().names
        self.names: dict[str, Name] = {name.device: name for name in known}

    def die(self, *, is_apart: bool) -> None:
        """The process ends and begins anew; with consolidation apart or not from now on."""
        self.close()
        self.views.clear()
        self.is_apart, self.steps_left = is_apart, 0
        self._open()

    # What gateways and files bring.

    def send(self, number: int, rows: Sequence[tuple[int, float]], *, scored: bool = False) -> None:
        device = DEVICES[number]
        gateway = self.gateways[GATEWAYS[number]]
        ts, values = [row[0] for row in rows], [row[1] for row in rows]
        batches = [gateway.numbers(device, ts, values)]
        if scored:
            batches.append(gateway.scores(device, ts[:1], values[:1]))
        self.due.readings[device] += [Reading(*row) for row in rows]
        self.due.scores += [(device, ts[0])] if scored else []
        self._deliver(gateway, *batches)

    def unsynced(self, stretch: int, minutes: Sequence[int]) -> None:
        """Readings of the first device while its gateway's clock was wrong.

        No two of its readings are of one time then, corrected or not: who came first is not told.
        """
        gateway, device, wrong = self.gateways["gw-1"], DEVICES[0], STRETCHES[stretch]
        rows = [(at * 60_000_000 + 500_000 + next(self.unique), float(at)) for at in minutes]
        since, values = [row[0] for row in rows], [row[1] for row in rows]
        sent = [Reading(wrong.at(each), value, stretch) for each, value in rows]
        self.due.readings[device] += sent
        self._deliver(gateway, unsynced(gateway, device, wrong, since, values))

    def correct(self, stretch: int) -> None:
        self._deliver(self.gateways["gw-1"], STRETCHES[stretch].correction())
        self.due.corrected.add(stretch)
        self.is_behind = True

    def say(self, rows: Sequence[tuple[int, str]]) -> None:
        gateway = self.gateways["gw-2"]
        self.due.texts += rows
        self._deliver(gateway, gateway.texts("door", *map(list, zip(*rows, strict=True))))

    def bring(self, rows: Sequence[tuple[int, float]]) -> None:
        """Import a file of (number of a time, value); what came before is passed over."""
        told = [(T0 + at * 61_000_000 + 999_000, value) for at, value in rows]
        for row in told:
            if row not in self.due.imported:
                self.due.imported.add(row)
                self.due.readings[DEVICES[4]].append(Reading(*row))
        lines = "".join(f"{ts / 1e6:.6f},{value}\n" for ts, value in told)
        path = write(self.root / f"{next(self.unique)}.csv", f"time,temperature\n{lines}")
        with closing(Ledger.open(self.root / "imports", "import")) as ledger:
            ledger.begin()
            sender = Sender(ledger, lambda: JournalLine(self.journal, "import"), lambda _: None)
            with closing(sender):
                sender.settle()
                run = Run(WISH, sieve_of(ledger), Rejects(), ledger, sender)
                run.file(path, None, lambda done, size: None)

    def damaged(self) -> None:
        """A block of which nothing can be read: it is set apart."""
        gateway = self.gateways["gw-2"]
        batch = gateway.numbers("door", [T0], [1.0])
        batch.tables[next(iter(batch.tables))]["series"][:] = 0
        self._deliver(gateway, batch)
        self.damaged_blocks += 1

    def again(self, back: int) -> None:
        """A block comes once more, after its acknowledgement was lost."""
        name, seq, data = self.blocks[-1 - back % len(self.blocks)]
        line = self.lines[name]
        done = self.journal.append(name, line.session, line.epoch, seq, data).result(WAIT_S)
        assert done.replies[0].ack.stored == self.gateways[name].seq

    def _deliver(self, gateway: Gateway, *batches: records.Batch) -> None:
        data = gateway.block(records.concat(batches))
        self.lines[gateway.name].add(gateway.name, gateway.epoch, gateway.seq, data)
        self.blocks.append((gateway.name, gateway.seq, data))

    # What is done with it.

    def come_level(self) -> None:
        """A correction counts for what is in the tables once a pass has taken it in."""
        if self.due.are_waiting():
            self.settle()
        if self.is_behind:
            self.consolidate()
        self.follow()

    def settle(self) -> None:
        """Passes until nothing more is to be done."""
        self.consolidate()
        idle = 0
        while idle < 2:  # a file that is being sorted waits for its end
            progress = self.consolidator.run_once()
            idle = 0 if progress.is_upkeep_behind else idle + 1
        self.due.leave()

    def sort(self, passes: int) -> None:
        """Nothing comes for a while; then so many passes."""
        self.consolidate()
        self.now_s += QUIET_S
        self.consolidate(passes=1)
        for _ in range(passes):
            self.consolidator.run_once()

    def retire(self, day: int, step: int) -> None:
        """It is a later day, of which a reading tells; and a pass dies at a step, if it has it."""
        self.consolidate()
        self.today = max(self.today, day)
        self.say([(T0 + self.today * DAY_US, "a day")])
        self.send(3, [(T0 + self.today * DAY_US, 2.0)])  # a series of which nothing is left is none
        self.due.now_us = self.clock_us
        self.crash(step, alone=True)

    def retire_alone(self) -> None:
        """`tidegate-cloud retention`, with the cloud stopped: what it counts is what leaves."""
        self.consolidate()
        self.views.clear()
        self.close()
        lake = self.root / "lake"
        found = preview(lake, RULES, self.clock_us, lambda *_: None)
        assert carry_out(lake, RULES, self.clock_us, found.due, lambda *_: None) == found.due
        assert not preview(lake, RULES, self.clock_us, lambda *_: None).due
        self.due.leave()
        self._open()

    def erase(self, number: int, span: tuple[int, int] | None, step: int) -> None:
        """An order to erase, with the cloud stopped; who carries it out dies at a step of it.

        Of a device whose readings leave for their age all is erased: the rows of rollups that tell
        of days that left go whole. The journal keeps its blocks, which is not to matter.
        """
        self.settle()
        self.views.clear()
        self.close()
        lake, device = self.root / "lake", DEVICES[number]
        span = span if span and device not in KEEPS else (ALWAYS_US, EVER_US)
        self.steps_left = step
        is_told = order(lake, GATEWAYS[number], device, span, self._step)
        self.steps_left = 0
        if is_told:
            self.due.erase(device, *span)
        self._open()
        assert not retired_now(lake).unfinished
        self.send(number, [(T0 + self.today * DAY_US, 5.0)])  # a series without any is none

    def vacuum(self) -> None:
        """`tidegate-cloud vacuum`, with the cloud stopped in the middle of whatever it does."""
        self.views.clear()
        self.close()
        vacuum(self.root / "lake", 0.0, time.time())
        assert not orphans(self.root / "lake", 0.0, time.time())
        self._open()

    def follow(self) -> None:
        while self.live.advance():
            pass

    def consolidate(self, bytes_max: int = 32 << 20, passes: int = 1 << 30) -> None:
        self.consolidator._bytes = bytes_max
        for _ in range(passes):
            more = self.consolidator.run_once().more
            if self._there is not None:
                self._there.rest()
            if not more:
                self.is_behind = False
                break

    def crash(self, at_step: int, *, alone: bool) -> None:
        """Consolidate, and die at a step of it: the whole cloud, or that process where it is apart.

        Twice in a row at most: a block that three die of is set apart, and that is another story.
        """
        self.steps_left = at_step if self.deaths < DEATHS_MAX - 1 else 0
        try:
            self.consolidate(1)
            self.deaths = 0
        except Crash:
            self.deaths += 1
            if alone and self.is_apart:
                self.lose_consolidation()
            else:
                self.die(is_apart=self.is_apart)
        self.steps_left = 0

    def hold(self) -> None:
        """A reader takes a view, and keeps it as long as the process lives."""
        self.come_level()
        self.views.append((self.live.view, self.due.count() - self.due.left()))

    def operate(self, kind: OperationKind, *more: Any) -> None:
        before, _ = self.operations.all()
        names = [self.names[device] for device in DEVICES]
        with suppress(CannotApply):
            self.operations.add(operation_of(before, names, kind, *more))

    def mark(self, number: int | None, kind: MarkKind, from_us: int, long_us: int) -> None:
        """Of a device's series, or of all of the first gateway."""
        identifier = f"{len(self.marks.all()):016x}"
        series = (self.names[DEVICES[number]].id,) if number is not None else ()
        gateway = "" if series else GATEWAYS[0]
        self.marks.add(
            Mark(identifier, kind, from_us, from_us + long_us, series, gateway, "", "", "ann", 1)
        )

    def withdraw(self, number: int) -> None:
        with suppress(UnknownMark):
            self.marks.withdraw(f"{number:016x}", "ann", 2)

    def make_rollups_anew(self) -> None:
        """`tidegate-cloud rebuild`, with the cloud stopped."""
        self.consolidate()
        self.views.clear()
        self.close()
        rebuild(self.root / "lake")
        self._open()
