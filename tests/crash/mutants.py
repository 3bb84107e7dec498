"""`make crash-mutants`: the campaign must miss each rule of persist-then-acknowledge.

A half is changed in its process from outside, by `child/sitecustomize.py`; the campaign must then
count readings as lost. Beside each stands the same attack on the product as it is. kill -9 alone
cannot show a missing fsync, for the kernel keeps what a dead process wrote: for those the power of
the disk is cut. The last line is one JSON object; exit code 0: all were caught, and nothing else.
"""

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.crash.campaign import INTERRUPTED, Campaign, interrupted
from tests.crash.faults import Fault, KillAtPoint
from tests.crash.faults_disk import PowerCut
from tests.crash.orders import FAILPOINTS, Do, Moment
from tests.crash.plan import narrow_plan
from tests.crash.site import Site, await_until, say

RECOVER_S = 45.0
"""A mutant's half may refuse for good what it finds after a power cut: rightly."""
TOLD = ("acknowledged", "lost", "doubled", "kills", "power_cuts", "problem")


@dataclass(frozen=True, slots=True)
class Attack:
    """``kills`` over and over, with the edge changed in a way that is no fault by itself.

    ``lake_interval_s``: how far the lake lies behind the journal.
    """

    kills: Sequence[Fault]
    edge_change: str = ""
    lake_interval_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Mutant:
    """``change``: what the half does wrong, by the name its process knows; "" for nothing."""

    half: str
    change: str
    attack: Attack

    @property
    def name(self) -> str:
        """Which half does what wrong, under which attack."""
        with_it = f" while the edge {self.attack.edge_change}" if self.attack.edge_change else ""
        return f"{self.half} {self.change or 'as it is'}{with_it}: {self.attack.kills[0].name}"

    @property
    def changes(self) -> dict[str, str]:
        """What each half's process is told."""
        return {"edge": self.attack.edge_change, self.half: self.change or self.attack.edge_change}


@dataclass(frozen=True, slots=True)
class Slowly:
    """A kill while every write takes long, so that what is said too early has left by then."""

    kill: KillAtPoint

    @property
    def name(self) -> str:
        return self.kill.name

    def begin(self, site: Site, chance: random.Random) -> None:
        site.orders(self.kill.point.half).give(
            Do.SLOW, "disk:log-write", Moment.BEFORE, seconds=0.03
        )
        self.kill.begin(site, chance)

    def end(self, site: Site, chance: random.Random) -> bool:
        came = self.kill.end(site, chance)
        site.orders(self.kill.point.half).take_back(Do.SLOW)
        return came


@dataclass(frozen=True, slots=True)
class Late:
    """A power cut when segments of the journal are archived and unlinked: the lake is alone.

    ``wait_s`` must be longer than ext4's commits are apart (5 s), so that the unlinking is durable.
    """

    cut: PowerCut
    wait_s: float

    @property
    def name(self) -> str:
        return f"late {self.cut.name}"

    def begin(self, site: Site, chance: random.Random) -> None:
        journal = site.stack.home("cloud") / "journal"
        before = min(journal.glob("seg-*.db"))
        await_until("a segment is unlinked", lambda: min(journal.glob("seg-*.db")) > before, 90)
        time.sleep(self.wait_s)
        self.cut.begin(site, chance)

    def end(self, site: Site, chance: random.Random) -> bool:
        return True


HALF_WRITTEN = next(point for point in FAILPOINTS if point.name == "edge: a commit half in the log")
IN_COMMIT = Attack([Slowly(KillAtPoint(HALF_WRITTEN, powers=False))])
EDGE_CUT = Attack([PowerCut("edge")])
# Under pressure the gateway deletes what is stored; here it always does. The lake stays behind, so
# that the journal alone holds what was acknowledged.
CLOUD_CUT = Attack([PowerCut("cloud")], "deletes what is stored", 40.0)
LAKE_CUT = Attack([Late(PowerCut("cloud"), 7.0)])
MUTANTS = (
    Mutant("edge", "", IN_COMMIT),
    Mutant("edge", "", EDGE_CUT),
    Mutant("cloud", "", LAKE_CUT),
    Mutant("cloud", "", CLOUD_CUT),
    Mutant("edge", "acknowledges before the commit", IN_COMMIT),
    Mutant("edge", "acknowledges before the fsync", EDGE_CUT),
    Mutant("cloud", "acknowledges before the fsync", CLOUD_CUT),
    Mutant("cloud", "archives before the fsync", LAKE_CUT),
)


def attacked(mutant: Mutant, rounds: int, seed: int, per_s: int) -> Campaign:
    """A campaign of a mutant's own attack, ended and cleared away."""
    folder = Path(tempfile.mkdtemp(prefix="tidegate-mutant-"))
    told = {
        half: (f"TIDEGATE_CRASH_MUTANT={what}",) for half, what in mutant.changes.items() if what
    }
    site = Site(
        folder,
        per_s,
        seed,
        edge_environment=told.get("edge", ()),
        cloud_environment=told.get("cloud", ()),
        lake_interval_s=mutant.attack.lake_interval_s,
    )
    campaign = Campaign(
        site, rounds, seed, narrow_plan(seed, mutant.attack.kills), recover_s=RECOVER_S
    )
    try:
        campaign.run()
    finally:
        site.close(keep=False)
        shutil.rmtree(folder)
    return campaign


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-s", type=int, default=1300)
    parser.add_argument("--only", default="", help="part of a mutant's name")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupted)
    told: dict[str, dict[str, object]] = {}
    wrong: list[str] = []
    for mutant in [mutant for mutant in MUTANTS if asked.only in mutant.name]:
        campaign = attacked(mutant, asked.rounds, asked.seed, asked.per_s)
        if campaign.problem == INTERRUPTED:
            return 130
        found = campaign.told()
        told[mutant.name] = {key: found[key] for key in TOLD if key in found}
        if bool(found["lost"]) != bool(mutant.change) or (campaign.problem and not mutant.change):
            wrong.append(mutant.name)
        say(f"{mutant.name}: {told[mutant.name]}")
    print(json.dumps({"rounds": asked.rounds, "seed": asked.seed, "mutants": told, "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
