"""`make crash ROUNDS=N [SEED=S]`: real processes under faults, and then every reading by value.

The last line is one JSON object; the exit code is 0 only when nothing was lost or doubled.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from bisect import bisect_right
from collections import Counter
from itertools import islice
from pathlib import Path

from deploy.demo.broker import mosquitto_path
from deploy.demo.stack import StackError
from tests.crash.faults import all_faults, drawn
from tests.crash.site import Site, StuckError, say
from tests.crash.verdict import Verdict

RECOVER_S = 90.0
DRAIN_S = 300.0


class Campaign:
    """Rounds of one fault each over one site; what it found is in ``told``."""

    def __init__(self, folder: Path, rounds: int, seed: int, per_s: int) -> None:
        self.site = Site(folder, per_s, seed)
        self.rounds, self.seed = rounds, seed
        self.done = 0
        self.faults: Counter[str] = Counter()
        self._begins: list[int] = []
        self._stories: list[str] = []
        self._verdict = Verdict(0, [], [], 0, 0)
        self.problem = ""
        self._seconds = 1.0

    def run(self) -> bool:
        """Whether all is well."""
        try:
            self.site.open()
            began = time.monotonic()
            self._attack()
            self._seconds = time.monotonic() - began
            say("draining …")
            self.site.drain(DRAIN_S)
            self._verdict = self.site.judge()
        except (StuckError, StackError) as error:
            self.problem = f"round {self.done}: {error}"
        verdict = self._verdict
        for what, numbers in (("lost", verdict.lost), ("doubled", verdict.doubled)):
            for number in numbers[:20]:
                say(f"{what}: message {number}, {self._when(number)}")
        return not (self.problem or verdict.lost or verdict.doubled or verdict.foreign)

    def _attack(self) -> None:
        disks = all(disk.mounted for disk in self.site.disks.values())
        if not disks:
            say("no tmpfs can be mounted here: full disks are left out")
        for fault, chance in islice(drawn(self.seed, all_faults(disks=disks)), self.rounds):
            self._begins.append(self.site.sent)
            time.sleep(chance.uniform(0.1, 0.8))
            story = fault(self.site, chance)
            self._stories.append(story)
            self.faults[story.split(",")[0].split(" (")[0]] += 1
            say(f"round {self.done}: {story}; {self.site.heard.acknowledged} acknowledged")
            self.site.recover(RECOVER_S)
            self.done += 1

    def _when(self, number: int) -> str:
        at = bisect_right(self._begins, number) - 1
        story = self._stories[at] if 0 <= at < len(self._stories) else "outside the rounds"
        return f"published in round {at} ({story})"

    def told(self) -> dict[str, object]:
        """The one line."""
        verdict, site = self._verdict, self.site
        return {
            "rounds": self.done,
            "kills": site.kills,
            "acknowledged": site.heard.acknowledged,
            "lost": len(verdict.lost),
            "doubled": len(verdict.doubled),
            "doubled_untimed": verdict.doubled_untimed,
            "seed": self.seed,
            "foreign": verdict.foreign,
            "published_per_s": round(site.sent / self._seconds),
            "redelivered": sum(map(len, site.heard.again.values())),
            "restarts": site.restarts,
            "faults": dict(sorted(self.faults.items())),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--per-s", type=int, default=1300)
    asked = parser.parse_args()
    if mosquitto_path() is None:
        say("mosquitto is missing; install it: apt-get install -y mosquitto")
        return 2
    seed = int(time.time()) % 1_000_000 if asked.seed is None else asked.seed
    folder = Path(tempfile.mkdtemp(prefix=f"tidegate-crash-{seed}-"))
    campaign = Campaign(folder, asked.rounds, seed, asked.per_s)
    is_well = False
    try:
        is_well = campaign.run()
    finally:
        campaign.site.close(keep=not is_well)
    if is_well:
        shutil.rmtree(folder)
    else:
        say(f"FAILED {campaign.problem}\nagain: make crash ROUNDS={asked.rounds} SEED={seed}")
        say(f"its folder is kept: {folder}")
    told = campaign.told()
    print(json.dumps(told | ({"problem": campaign.problem} if campaign.problem else {})))
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
