"""Pure: what the Delta log says of a data file: rows, and bounds of gateway, device, metric, ts."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_NAMES: Final = ("gateway", "device", "metric")


@dataclass(slots=True)
class Stats:
    """Bounds of the rows that were added, a part at a time."""

    rows: int = 0
    _low: dict[str, Any] = field(default_factory=dict)
    _high: dict[str, Any] = field(default_factory=dict)

    def add(self, table: pa.Table) -> None:
        """Rows in the table's in-memory schema, any number but none."""
        self.rows += table.num_rows
        for name in _NAMES:
            self._widen(name, _used(table[name]))
        self._widen("ts", table["ts"].cast(pa.int64()))

    def as_json(self) -> str:
        """As the log holds them."""
        low, high = dict(self._low), dict(self._high)
        first, last = _iso(low.pop("ts")), _iso(high.pop("ts"))
        if first and last:
            low["ts"], high["ts"] = first, last
        return json.dumps({"numRecords": self.rows, "minValues": low, "maxValues": high})

    def _widen(self, name: str, values: pa.ChunkedArray | pa.Array) -> None:
        bounds = pc.min_max(values).as_py()
        self._low[name] = min(self._low.get(name, bounds["min"]), bounds["min"])
        self._high[name] = max(self._high.get(name, bounds["max"]), bounds["max"])


def _used(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The words of a column, some of them often; of rows in order it has long runs of one."""
    found = []
    for chunk in column.chunks:
        code = chunk.indices.to_numpy(zero_copy_only=False)
        heads = np.concatenate([[0], np.flatnonzero(code[1:] != code[:-1]) + 1])
        found.append(chunk.take(pa.array(heads[: len(code)])).cast(pa.string()))
    return pa.chunked_array(found, pa.string())


def stats_of(table: pa.Table) -> str:
    """Statistics of a file of these rows, as JSON."""
    stats = Stats()
    stats.add(table)
    return stats.as_json()


def _iso(ts_us: int) -> str | None:
    """The time as Delta's statistics write it; None outside the years it can be written for."""
    time = np.datetime64(ts_us, "us")
    if not np.datetime64("0001-01-01") <= time <= np.datetime64("9999-12-31"):
        return None
    return f"{time}Z"
