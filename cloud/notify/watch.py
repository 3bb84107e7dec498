"""One look at what the cloud knows: the fleet, the ledger's gaps, and the series' last readings.

It reads what is there for others already, and keeps nothing of it that would not fit: so it costs
a few milliseconds every few seconds, in a thread of its own.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, Protocol

from cloud.errors import StorageError
from cloud.lake.table.files import FileList
from cloud.lake.table.schema import GAPS
from cloud.ledger.account import Lost as LostRows
from cloud.ledger.account import reason_name
from cloud.live.live import Live
from cloud.notify.buffers import Buffers
from cloud.notify.certificates import ending
from cloud.notify.episodes import Ask, Episodes
from cloud.notify.fleet import GatewayNow, Seen, fleet
from cloud.notify.gaps import Gaps
from cloud.notify.limits import Book, Limit, Pattern
from cloud.notify.rises import Rises
from cloud.notify.rule import Rule, What
from cloud.notify.silence import silent
from cloud.notify.standing import Finding, Key, Standing
from cloud.query.pool import Busy
from cloud.registry.rows import GatewayRow

log = logging.getLogger(__name__)

CALM_US_LEAST: Final = 1_000_000
Rules = Mapping[str, Rule]
OpenOnes = Mapping[Key, Standing]


class Registry(Protocol):
    """What is asked of `cloud.registry.registry`."""

    def gateways(self) -> list[GatewayRow]:
        """Every gateway that ever enrolled."""


class Files(Protocol):
    """What is asked of `cloud.serve.ledger.Gaps`."""

    def of(self, paths: list[str]) -> Mapping[tuple[str, int, int], LostRows]:
        """What files of gaps declare: by gateway, epoch and reason."""


@dataclass(frozen=True, slots=True)
class World:
    """Where is looked. ``head`` is the journal's, ``book`` the series as they are shown."""

    registry: Registry
    presence: Callable[[], Mapping[str, Seen]]
    live: Live
    book: Callable[[], Book]
    ask: Ask
    gap_files: Files
    head: Callable[[], int]
    life_us: int


@dataclass(frozen=True, slots=True)
class Looked:
    """What stands by one look; ``unknown`` rules could not look. ``gaps`` is to be kept."""

    found: list[Finding]
    unknown: frozenset[str]
    gaps: Mapping[tuple[str, str], int]


@dataclass(slots=True)
class Watch:
    """All rules, and what they remember from look to look."""

    world: World
    rules: Rules
    gaps: Gaps
    started_us: int
    episodes: Episodes = field(init=False)
    _buffers: Buffers = field(init=False, default_factory=Buffers)
    _limits: dict[str, Limit] = field(init=False)
    _patterns: dict[str, Pattern] = field(init=False)
    _head: int = field(init=False)
    _gap_files: FileList | None = field(init=False, default=None)

    @classmethod
    def of(
        cls, world: World, rules: Rules, known_gaps: dict[tuple[str, str], int] | None, now_us: int
    ) -> "Watch":
        """Begin to look. ``known_gaps``: what was declared before; None where nobody looked."""
        calm_us = min((round(rule.calm_s * 1e6) for rule in rules.values()), default=CALM_US_LEAST)
        return cls(world, rules, Gaps(known_gaps, Rises(calm_us)), now_us)

    def __post_init__(self) -> None:
        """Make ready what rules remember."""
        calm_us = max((round(r.calm_s * 1e6) for r in self.rules.values()), default=CALM_US_LEAST)
        self.episodes = Episodes(self.world.ask, Rises(calm_us))
        of = self._of
        self._limits = {name: Limit(name, rule) for name, rule in of(What.LIMIT).items()}
        self._patterns = {name: Pattern(rule) for name, rule in of(What.EPISODE).items()}
        self._head = self.world.head()

    def look(self, open_: OpenOnes, now_us: int) -> Looked:
        """Everything that stands now.

        Raises:
            StorageError: the registry cannot be read.
        """
        gateways = fleet(self.world.registry.gateways(), self.world.presence())
        self._buffers.note(gateways)
        found = []
        for name, rule in self.rules.items():
            chosen = _chosen(rule, gateways)
            match rule.on:
                case What.SILENCE:
                    found += silent(name, rule, chosen, open_, self.started_us, now_us)
                case What.BUFFER:
                    found += self._buffers.filling(name, rule, chosen, open_, now_us)
                case What.CERTIFICATE:
                    life_us = self.world.life_us
                    found += ending(name, rule, chosen, open_, life_us, now_us)
                case _:
                    pass
        gaps, unknown = self._look_for_gaps(found, open_, now_us)
        if self._is_behind():
            unknown |= set(self._limits) | set(self._patterns)
        else:
            unknown |= self._look_at_series(found, open_, now_us)
        return Looked(found, frozenset(unknown), gaps)

    def _of(self, what: What) -> dict[str, Rule]:
        return {name: rule for name, rule in self.rules.items() if rule.on is what}

    def _is_behind(self) -> bool:
        """Until the view has what the journal had at the start, what comes up in it is no news."""
        return self.world.live.told < self._head

    def _look_for_gaps(
        self, found: list[Finding], open_: OpenOnes, now_us: int
    ) -> tuple[Mapping[tuple[str, str], int], set[str]]:
        rules = self._of(What.GAP)
        changed: Mapping[tuple[str, str], int] = {}
        view = self.world.live.view  # held, so that its files stay until they are read
        files = view.tables[GAPS.name]
        if rules and files is not self._gap_files:
            try:
                declared = self.world.gap_files.of(list(files.paths()))
            except StorageError as error:
                log.warning("what gateways lost cannot be looked at: %s", error)
                return {}, set(rules)
            lost: dict[tuple[str, str], int] = {}
            for (gateway, _, reason), of in declared.items():
                key = gateway, reason_name(reason)
                lost[key] = lost.get(key, 0) + of.readings
            changed, self._gap_files = self.gaps.note(lost, now_us), files
        for name, rule in rules.items():
            told = self.gaps.losing(name, rule, open_, now_us)
            found += [one for one in told if _fits(rule, one.gateway)]
        return changed, set()

    def _look_at_series(self, found: list[Finding], open_: OpenOnes, now_us: int) -> set[str]:
        """Episodes and limits; says which rules could not look."""
        unknown: set[str] = set()
        if self._patterns:
            stored = self.world.live.book
            try:
                self.episodes.note(stored, stored.known(), now_us)
            except Busy:  # people ask more than there are threads: the next look finds it
                unknown = set(self._patterns)
        for name in self._patterns.keys() - unknown:
            rule, pattern = self.rules[name], self._patterns[name]
            found += self.episodes.ongoing(pattern, name, rule, open_, now_us)
        if self._limits:
            book = self.world.book()
            known, retired = book.known(), book.retired()
            for limit in self._limits.values():
                found += limit.past(book, known, retired, open_, now_us)
        return unknown


def _chosen(rule: Rule, gateways: list[GatewayNow]) -> list[GatewayNow]:
    return [one for one in gateways if _fits(rule, one.name)]


def _fits(rule: Rule, gateway: str) -> bool:
    return fnmatchcase(gateway, rule.gateways)
