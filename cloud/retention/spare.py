"""Pure: rows of a block without those that orders to erase take, which came after the block."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
import pyarrow as pa

from cloud.lake.embedded import Decoded
from cloud.lake.table.schema import ANOMALIES, EPISODES, READINGS
from cloud.retention.order import Ints, Order, taken

Removed = Mapping[int, Counter[tuple[str, int]]]
"""Readings by the number of the order that takes them, and by (gateway, epoch)."""
_ERASED: Final = (READINGS, ANOMALIES, EPISODES)


def spared(decoded: Decoded, orders: Sequence[Order]) -> tuple[Decoded, Removed]:
    """What is left of one block's rows, whose times were put right; and how many readings not."""
    orders = [order for order in orders if decoded.end <= order.upto]
    if not orders:
        return decoded, {}
    tables, removed = dict(decoded.tables), dict[int, Counter[tuple[str, int]]]()
    for spec in _ERASED:
        rows = tables.pop(spec.name, None)
        if rows is None:
            continue
        by = taken(rows, spec, orders)
        if spec is READINGS:
            removed = _counted(rows, by)
        if not by.all():
            tables[spec.name] = rows.filter(pa.array(by == 0))
    return Decoded(decoded.end, MappingProxyType(tables), decoded.bad), removed


def _counted(rows: pa.Table, by: Ints) -> dict[int, Counter[tuple[str, int]]]:
    found: dict[int, Counter[tuple[str, int]]] = {}
    for number in np.unique(by[by > 0]).tolist():
        some = rows.filter(pa.array(by == number))
        names = zip(some["gateway"].to_pylist(), some["epoch"].to_pylist(), strict=True)
        found[number] = Counter(names)
    return found
