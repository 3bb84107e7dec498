"""Pure: an order to erase: whose rows, of which times, and which of a table's rows it takes.

It takes what the tables had when it was given, by the times that they had then; what came later
stays. Of a series' rows told again from blocks from before, those whose times were not sure are
left as the tables have them: whether such a one was erased is not told by the times it has now.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cloud.lake.table.parquet import times
from cloud.lake.table.schema import EPISODES, READINGS, TableSpec
from protos.records import Quality

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

ALWAYS_US: Final = int(np.iinfo(np.int64).min)
EVER_US: Final = int(np.iinfo(np.int64).max)
ORDERS_MAX: Final = 4096
"""Orders that are known ever, some 200 B each in the small file that tells them."""
_UNSURE: Final = (int(Quality.GATEWAY_UNSYNCED), int(Quality.GATEWAY_CORRECTED))


class Order(msgspec.Struct, frozen=True):
    """Erase rows of ``gateway``, of one ``device`` and ``metric`` of it where these are named.

    Times are in [``from_us``, ``last_us``], both inside, of blocks up to the offset ``upto``; given
    at ``told_us`` ``by`` somebody who said ``why``. ``readings`` left so far; ``is_done``: all did.
    """

    number: int
    told_us: int
    by: str
    why: str
    gateway: str
    device: str
    metric: str
    from_us: int
    last_us: int
    upto: int
    readings: int = 0
    is_done: bool = False

    @property
    def path(self) -> str:
        """As an operator names it: gateway/device/metric, as far as it goes."""
        return "/".join(name for name in (self.gateway, self.device, self.metric) if name)

    def of_series(self, rows: pa.Table) -> Bools:
        """Which rows, with their names, are of its series, whatever their times."""
        found = np.ones(rows.num_rows, bool)
        names = {"gateway": self.gateway, "device": self.device, "metric": self.metric}
        for column, name in names.items():
            if name:
                is_it = pc.fill_null(pc.equal(rows[column], name), False)
                found &= is_it.to_numpy()
        return found

    def takes(self, rows: pa.Table, spec: TableSpec) -> Bools:
        """Which rows of a table it erases; of a rollup, those that tell of any of its times.

        So it is of an episode, as far as this row tells when it ended.
        """
        first, last = times(rows["ts"]), times(rows["ts"])
        if spec.width_us:
            last = np.where(first > EVER_US - spec.width_us, EVER_US, first + (spec.width_us - 1))
        elif spec is EPISODES:
            ends = rows["end_ts"].cast(pa.int64())
            last = np.maximum(first, pc.coalesce(ends, rows["ts"].cast(pa.int64())).to_numpy())
        return self.of_series(rows) & (first <= self.last_us) & (last >= self.from_us)

    def holds(self, rows: pa.Table, offsets: Ints, spec: TableSpec) -> Bools:
        """Which rows, of blocks at these offsets, it does not let anybody bring in or take out."""
        before = self.of_series(rows) & (offsets <= self.upto)
        if spec is not READINGS:
            return before
        unsure = np.isin(rows["quality"].to_numpy(), _UNSURE)
        ts = times(rows["ts"])
        return before & (unsure | ((ts >= self.from_us) & (ts <= self.last_us)))


def taken(rows: pa.Table, spec: TableSpec, orders: Sequence[Order]) -> Ints:
    """Of each row the number of the first order that takes it, 0 where none does."""
    found = np.zeros(rows.num_rows, np.int64)
    for order in orders:
        found[order.takes(rows, spec) & (found == 0)] = order.number
    return found


def held(rows: pa.Table, offsets: Ints, spec: TableSpec, orders: Sequence[Order]) -> Bools:
    """The rows, of blocks at these offsets, that any of the orders `holds`."""
    found = np.zeros(rows.num_rows, bool)
    for order in orders:
        found |= order.holds(rows, offsets, spec)
    return found
