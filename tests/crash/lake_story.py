"""What gateways sent, block by block, and which rows history must then have.

Block ``n`` of a story is always the same, so whoever finds a journal that ends at ``n`` knows all
that was ever in it. Days go by, some readings are late, some were stamped by a clock that was wrong
and are corrected later, some blocks are poison, and some are refused until an operator releases
them.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

import numpy as np

from cloud.retention.order import ALWAYS_US, EVER_US, Order
from cloud.retention.rules import Rule
from protos import records
from protos.records import Batch, GapReason, Kind, Quality
from tests.cloud.correction_world import HOUR_US, Wrong
from tests.cloud.lake_world import DAY_US, T0

GATEWAYS: Final = ("attic", "cellar")
NUMBER, OTHER, TEXT = 1, 2, 3
"""Entries of every gateway's series: metric-1, metric-2 and metric-3, which is a text."""
KEPT_DAYS: Final = 6
RULE: Final = Rule("aged", "*/*/metric-1", KEPT_DAYS * DAY_US, 20 * DAY_US)
"""What leaves the tables by its age: metric-1."""
BLOCKS_A_DAY: Final = 4


class Sort(Enum):
    """What becomes of a block."""

    PLAIN = "plain"
    POISON = "poison"
    REFUSED = "refused until released"


@dataclass(frozen=True, slots=True)
class Row:
    """A reading as it was stamped, and as it is once it is corrected (the same if it never is)."""

    block: int
    metric: str
    told: str
    stamped: tuple[int, int, int]
    right: tuple[int, int, int]
    corrected_by: int

    @property
    def key(self) -> tuple[str, int, str, str]:
        """Gateway, seq, metric and value: no two readings have one key."""
        return *place(self.block), self.metric, self.told

    def is_taken(self, orders: Sequence[Order]) -> bool:
        """Whether any of these orders, as `wish` makes them, erases it."""
        gateway, *_ = self.key
        return any(
            (gateway, self.metric) == (one.gateway, one.metric)
            and self.block <= one.upto
            and one.from_us <= self.right[0] <= one.last_us
            for one in orders
        )

    def is_aged(self, now_us: int) -> bool:
        """Whether retention removes it at a time."""
        ts, quality, lag = self.right
        came = max(ts, ts + lag)
        due = came - came % DAY_US + DAY_US + RULE.readings_us
        is_dated = quality != Quality.GATEWAY_UNSYNCED
        return self.metric == "metric-1" and is_dated and due <= now_us


def place(block: int) -> tuple[str, int]:
    """Gateway and seq of a block by its offset."""
    return GATEWAYS[block % 2], (block + 1) // 2


def wish(chance: random.Random, upto: int) -> tuple[str, int, int]:
    """What somebody wants erased: a target, and the first and last of its times.

    Of metric-3, whose clock was never wrong, some days; of others all that came.
    """
    metric = chance.randint(1, 3)
    target = f"{chance.choice(GATEWAYS)}/device-1/metric-{metric}"
    if metric != TEXT:
        return target, ALWAYS_US, EVER_US
    first = day_us(max(upto - chance.randrange(8 * BLOCKS_A_DAY), 0)) + DAY_US // 3
    return target, first, first + chance.randrange(1, 4) * DAY_US


def has_lost_scores(block: int, orders: Sequence[Order]) -> bool:
    """Whether the anomaly of a block left with its series, metric-1."""
    gateway, _ = place(block)
    return any(
        (gateway, "metric-1") == (one.gateway, one.metric) and block <= one.upto for one in orders
    )


def day_us(block: int) -> int:
    """The day of a block."""
    return T0 + block // BLOCKS_A_DAY * DAY_US


@dataclass(frozen=True, slots=True)
class Story:
    """All blocks of a seed."""

    seed: int

    def sort(self, block: int) -> Sort:
        """What becomes of a block."""
        drawn = np.random.default_rng([self.seed, block, 1]).random()
        if self.corrects(block):
            return Sort.REFUSED if drawn < 0.3 else Sort.PLAIN
        return Sort.POISON if drawn < 0.04 else Sort.REFUSED if drawn < 0.12 else Sort.PLAIN

    def content(self, block: int) -> Batch:
        """What the block holds."""
        if self.sort(block) is Sort.POISON:  # readings of no series
            ts = [day_us(block)]
            return records.numbers(np.array([0]), np.array(ts), np.zeros(1), np.zeros(1), ts)
        parts = []
        for row in self.rows(block):
            ts, quality, lag = row.stamped
            of = (np.array([int(row.metric[-1])]), np.array([ts]))
            rest = (np.array([quality]), np.array([ts + lag]))
            if row.metric == "metric-3":
                parts.append(records.texts(*of, [row.told], *rest))
            else:
                parts.append(records.numbers(*of, np.array([float(row.told)]), *rest))
        if block % 3 == 0:
            ts, entry = np.array([day_us(block)]), np.array([NUMBER])
            score = np.array([float(block)])
            parts.append(records.scores(entry, ts, score, score + 9, score, ["drift-1"]))
        if block % 5 == 0:
            parts.append(_gap(block))
        if self.corrects(block):
            parts.append(self._wrong(block).correction())
        return records.concat(parts)

    def rows(self, block: int) -> Iterator[Row]:
        """Readings of a block that history must have; of a poisoned one none."""
        if self.sort(block) is Sort.POISON:
            return
        chance = np.random.default_rng([self.seed, block])
        late = DAY_US * int(chance.integers(1, 9)) if chance.random() < 0.2 else 0
        times = day_us(block) - late + np.sort(chance.integers(0, DAY_US, 3 + chance.integers(9)))
        for at, ts in enumerate(times.tolist()):
            metric = f"metric-{1 + at % 3}"
            told = f"word-{block % 4}-{at}" if at % 3 == 2 else f"{block + at / 64}"
            place_in_time = (ts, int(Quality.SENSOR), 5)
            yield Row(block, metric, told, place_in_time, place_in_time, 0)
        if self._is_wrong(block):
            wrong, ends = self._wrong(block), self._correction_of(block)
            for at in range(2):
                since = at * HOUR_US
                stamped = (wrong.at(since), int(Quality.GATEWAY_UNSYNCED), wrong.tag)
                right = (wrong.at(since) + wrong.offset_us, int(Quality.GATEWAY_CORRECTED), 0)
                yield Row(
                    block, f"metric-{1 + at}", f"{block + 0.9 + at / 64}", stamped, right, ends
                )

    def expected(self, upto: int) -> dict[tuple[str, int, str, str], Row]:
        """All rows of the blocks up to an offset, corrected by those corrections among them."""
        rows = (row for block in range(1, upto + 1) for row in self.rows(block))
        return {
            row.key: row if row.corrected_by <= upto else replace(row, right=row.stamped)
            for row in rows
        }

    def now_us(self, upto: int, orders: Sequence[Order] = ()) -> int:
        """The newest time of any reading of these blocks that is not erased."""
        rows = self.expected(upto).values()
        return max((row.right[0] for row in rows if not row.is_taken(orders)), default=0)

    @staticmethod
    def _is_wrong(block: int) -> bool:
        return block % 16 in (4, 5)

    @staticmethod
    def corrects(block: int) -> bool:
        """Whether it says how wrong the clock was of one before it."""
        return block % 16 in (10, 11)

    @staticmethod
    def _correction_of(block: int) -> int:
        return block + 6

    def _wrong(self, block: int) -> Wrong:
        """The stretch that a block's readings were stamped in, or that it corrects."""
        first = block - 6 if self.corrects(block) else block
        return Wrong(b"%016d" % first, 10_000_000, 0, day_us(first))


def _gap(block: int) -> Batch:
    columns = {
        "series": 0, "ts": np.array([day_us(block)], np.int64), "to": day_us(block) + 5,
        "count": block, "reason": int(GapReason.EVICTED), "seq_from": 0, "seq_to": 0,
    }  # fmt: skip
    return records.table(Kind.GAPS, columns)
