"""`make crash ROUNDS=N [SEED=S]`: real processes under faults, and then every reading by value.

The last line is one JSON object; the exit code is 0 only when nothing was lost or doubled.
"""

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from deploy.demo.broker import mosquitto_path
from deploy.demo.stack import StackError
from tests.crash.disk import DiskError
from tests.crash.faults import Fault
from tests.crash.orders import FAILPOINTS
from tests.crash.plan import Plan, whole_plan
from tests.crash.site import Site, StuckError, say
from tests.crash.verdict import Verdict

RECOVER_S = 120.0
DRAIN_S = 600.0
INTERRUPTED = "interrupted"
ROUNDS_FOR_ALL = 50
"""In so many rounds every kind comes at least once."""


@dataclass(slots=True)
class Campaign:
    """Rounds of faults over one site; what it found is in `told`."""

    site: Site
    rounds: int
    seed: int
    plan: Plan | None = None
    recover_s: float = RECOVER_S
    done: int = 0
    problem: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    whole: dict[str, object] = field(default_factory=dict)
    verdict: Verdict = field(default_factory=lambda: Verdict(0, [], [], 0, 0))
    _begins: list[int] = field(default_factory=list)
    _stories: list[str] = field(default_factory=list)
    has_disks: bool = False
    _rates: tuple[float, float, float] = (0.0, 0.0, 1.0)

    def run(self) -> bool:
        """Whether all is well."""
        try:
            self.site.open()
            self._attack()
            say("draining …")
            self.site.drain(DRAIN_S)
            self.whole = self.site.second_count()
            self.verdict = self.site.judge()
        except (StuckError, StackError, DiskError) as error:
            story = self._stories[-1] if self._stories else "at the start"
            self.problem = f"round {self.done} ({story}): {error}"
            self.verdict = self.site.judge_stores()
        except KeyboardInterrupt:
            self.problem = INTERRUPTED
        self._say_what_is_wrong()
        return self.is_well

    @property
    def is_well(self) -> bool:
        """Whether it ran to its end, nothing was lost, doubled or foreign, and history is whole."""
        verdict = self.verdict
        wrong = self.problem or verdict.lost or verdict.doubled or verdict.foreign
        return not wrong and bool(self.whole.get("whole"))

    def _attack(self) -> None:
        site = self.site
        self.has_disks = all(disk.mounted for disk in site.disks.values())
        if not self.has_disks:
            say("no disk can be mounted here: power cuts and full disks are left out")
        self.plan = self.plan or whole_plan(self.seed, disks=self.has_disks, faketime=faketime())
        began, acknowledged, accepted = time.monotonic(), site.heard.acknowledged, site.accepted
        try:
            while self.done < self.rounds:
                self._round(random.Random(f"{self.seed}/{self.done}"))
                self.done += 1
        finally:
            seconds = time.monotonic() - began
            self._rates = (
                (site.accepted - accepted) / seconds,
                (site.heard.acknowledged - acknowledged) / seconds,
                seconds,
            )

    def _round(self, chance: random.Random) -> None:
        assert self.plan is not None
        site = self.site
        kill, trouble = self.plan.draw()
        self._begins.append(site.sent)
        self._stories.append(kill.name if trouble is None else f"{kill.name} + {trouble.name}")
        time.sleep(chance.uniform(0.1, 0.8))
        if trouble is not None:
            trouble.begin(site, chance)
            time.sleep(chance.uniform(0, 0.8))
        kill.begin(site, chance)
        if trouble is not None:
            time.sleep(chance.uniform(0.2, 1.5))
            self._end(trouble, chance)
        self._end(kill, chance)
        say(f"round {self.done}: {self._stories[-1]}; {site.heard.acknowledged} acknowledged")
        site.recover(self.recover_s)

    def _end(self, fault: Fault, chance: random.Random) -> None:
        assert self.plan is not None
        if fault.end(self.site, chance):
            self.seen[fault.name] += 1
        else:
            self._stories[-1] += f" ({fault.name} did not come)"
            self.plan.put_back(fault)

    def _say_what_is_wrong(self) -> None:
        for what, numbers in (("lost", self.verdict.lost), ("doubled", self.verdict.doubled)):
            for number in numbers[:20]:
                say(f"{what}: message {number}, {self._when(number)}")

    def _when(self, number: int) -> str:
        at = bisect_right(self._begins, number) - 1
        story = self._stories[at] if 0 <= at < len(self._stories) else "outside the rounds"
        return f"published in round {at} ({story})"

    @property
    def missed(self) -> list[str]:
        """Kinds that should have come in so many rounds, and did not."""
        if self.plan is None or self.rounds < ROUNDS_FOR_ALL:
            return []
        return [name for name in self.plan.names() if not self.seen[name]]

    def told(self) -> dict[str, object]:
        """The one line."""
        verdict, site = self.verdict, self.site
        published, acknowledged, seconds = self._rates
        points = {point.name: self.seen[point.name] for point in FAILPOINTS}
        told: dict[str, object] = {
            "rounds": self.done,
            "kills": site.kills,
            "acknowledged": site.heard.acknowledged,
            "lost": len(verdict.lost),
            "doubled": len(verdict.doubled),
            "doubled_untimed": verdict.doubled_untimed,
            "seed": self.seed,
            "consolidation": site.consolidation,
            "seconds": round(seconds),
            "published_per_s": round(published),
            "acknowledged_per_s": round(acknowledged),
            "foreign": verdict.foreign,
            "redelivered": sum(map(len, site.heard.again.values())),
            "power_cuts": site.power_cuts,
            "restarts": site.restarts,
            "disk": "ext4 of its own" if self.has_disks else "as it is",
            "faults": {name: n for name, n in sorted(self.seen.items()) if name not in points},
            "failpoints": {name: n for name, n in points.items() if n},
            "missed": self.missed,
        }
        return told | self.whole | ({"problem": self.problem} if self.problem else {})


def faketime() -> str:
    """The library that gives a process another clock, or "" where it is not installed."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return str(found[0]) if found else ""


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--per-s", type=int, default=1300)
    parser.add_argument("--consolidation", choices=("together", "apart"), default="together")
    asked = parser.parse_args()
    if mosquitto_path() is None:
        say("mosquitto is missing; install it: apt-get install -y mosquitto")
        return 2
    seed = int(time.time()) % 1_000_000 if asked.seed is None else asked.seed
    signal.signal(signal.SIGTERM, interrupted)
    folder = Path(tempfile.mkdtemp(prefix=f"tidegate-crash-{seed}-"))
    site = Site(folder, asked.per_s, seed, consolidation=asked.consolidation)
    campaign = Campaign(site, asked.rounds, seed)
    is_well = False
    try:
        is_well = campaign.run()
    finally:
        is_over = is_well or campaign.problem == INTERRUPTED
        campaign.site.close(keep=not is_over, gently=campaign.problem != INTERRUPTED)
    if is_over:
        shutil.rmtree(folder)
    else:
        say(f"FAILED {campaign.problem}\nagain: make crash ROUNDS={asked.rounds} SEED={seed}")
        say(f"its folder is kept: {folder}")
    print(json.dumps(campaign.told()))
    return 0 if is_well and not campaign.missed else 1


if __name__ == "__main__":
    sys.exit(main())
