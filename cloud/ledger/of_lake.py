"""What the lake's files say for the ledger, a row group at a time: rows by gateway and epoch."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cloud.errors import StorageError
from cloud.lake.lists import bins_of
from cloud.lake.table.forms import MILLIS
from cloud.lake.table.schema import (
    PERIOD,
    READINGS,
    TABLES,
    TableSpec,
    delta_schema,
    former,
    has_lists,
)
from cloud.ledger.account import Lost
from cloud.retention.rules import Hulls, within

Key = tuple[str, int]
_SURE: Final = "held_us"
_BINS: Final = ("bin_exponent", "bins", "bin_counts")


def rows_of(path: Path, rows: int) -> Counter[Key]:
    """Rows of one file of `readings` by gateway and epoch; bounded by a row group in memory.

    Raises:
        FileNotFoundError: a merge replaced it, or it is lost.
        StorageError: it cannot be read, or has not the ``rows`` that the log says.
    """
    found: Counter[Key] = Counter()
    for group in _groups(path, ["gateway", "epoch"]):
        counted = group.group_by(["gateway", "epoch"]).aggregate([([], "count_all")])
        for row in counted.to_pylist():
            found[row["gateway"], row["epoch"]] += row["count_all"]
    _check_rows(path, found.total(), rows)
    return found


def counted_by(path: Path) -> Counter[str]:
    """Readings that one file of a rollup accounts for, by gateway. Raises as `rows_of`."""
    found: Counter[str] = Counter()
    for group in _groups(path, ["gateway", "count"]):
        for row in group.group_by("gateway").aggregate([("count", "sum")]).to_pylist():
            found[row["gateway"]] += row["count_sum"]
    return found


def counted_outside(path: Path, spec: TableSpec, hulls: Hulls) -> Counter[str]:
    """Readings by gateway that one file has, or accounts for if it is of a rollup.

    Outside of the days of which retention removed readings: there a rollup accounts for more.
    Raises as `rows_of`.
    """
    count = [] if spec is READINGS else ["count"]
    if not hulls and count:
        return counted_by(path)
    found: Counter[str] = Counter()
    for group in _groups(path, ["gateway", "series", "ts", *count]):
        ts = group["ts"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
        group = group.filter(pa.array(~within(group["series"].to_numpy(), ts, hulls)))
        what: list[tuple[Any, str]] = [("count", "sum")] if count else [([], "count_all")]
        for row in group.group_by("gateway").aggregate(what).to_pylist():
            found[row["gateway"]] += row["count_sum" if count else "count_all"]
    return found


def unsure_in(path: Path, spec: TableSpec) -> int:
    """Rows of one file of a rollup that a rebuild would make tell more. Raises as `rows_of`.

    They do not say what was over time, or, where others do, how their numbers are spread, though
    none is infinite.
    """
    columns = [_SURE, *((*_BINS, "min", "max") if has_lists(spec) else ())]
    with _opened(path) as file:
        if set(columns).difference(file.schema_arrow.names):
            return int(file.metadata.num_rows)
        found = 0
        for rows in _read(file, columns):
            unsure = rows[_SURE].is_null()
            if has_lists(spec):
                infinite = pc.or_(pc.is_inf(rows["min"]), pc.is_inf(rows["max"]))
                lacking = pc.and_(rows["bin_exponent"].is_null(), pc.invert(infinite))
                unsure = pc.or_(unsure, lacking)
            found += pc.sum(unsure).as_py() or 0
        return found


def unsound_in(path: Path, spec: TableSpec) -> int:
    """Rows of one file of a rollup whose bins count other readings than it has. As `rows_of`."""
    if not has_lists(spec):
        return 0
    with _opened(path) as file:
        if set(_BINS).difference(file.schema_arrow.names):
            return 0
        try:
            return sum(_unsound(rows) for rows in _read(file, [*_BINS, "valid"]))
        except ValueError as error:  # bytes that are no lists of numbers
            raise StorageError(f"read {path}", str(error).splitlines()[0], _DAMAGED) from error


def _unsound(rows: pa.Table) -> int:
    bins = bins_of(rows)
    counted = np.append(0, np.cumsum(bins.count, dtype=np.int64))[bins.offsets]
    has_list = np.diff(bins.offsets) > 0
    return int((has_list & (np.diff(counted) != rows["valid"].to_numpy())).sum())


def _read(file: pq.ParquetFile, columns: Sequence[str]) -> Iterator[pa.Table]:
    for group in range(file.metadata.num_row_groups):
        yield file.read_row_group(group, columns=list(columns), use_threads=False)


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise StorageError(f"read {path}", str(error).splitlines()[0], _DAMAGED) from error


def gaps_of(paths: Iterable[str]) -> dict[tuple[str, int, int], Lost]:
    """What the files of `gaps` declare, by gateway, epoch and reason. Raises as `rows_of`."""
    found: dict[tuple[str, int, int], Lost] = {}
    keys = ["gateway", "epoch", "reason"]
    for path in paths:
        for group in _groups(Path(path), [*keys, "count"]):
            counted = group.group_by(keys).aggregate([([], "count_all"), ("count", "sum")])
            for row in counted.to_pylist():
                key = (row["gateway"], row["epoch"], row["reason"])
                before = found.get(key, Lost())
                found[key] = Lost(
                    before.records + row["count_all"], before.readings + row["count_sum"]
                )
    return found


def _groups(path: Path, columns: Sequence[str]) -> Iterable[pa.Table]:
    try:
        # All columns: what is not counted is held against its page's checksum all the same.
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if not any(file.schema_arrow.equals(schema) for schema in _SCHEMAS):
                raise StorageError(f"read {path}", "its columns are not those of a table", _DAMAGED)
            for group in range(file.metadata.num_row_groups):
                yield file.read_row_group(group, use_threads=False).select(columns)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise StorageError(f"read {path}", str(error).splitlines()[0], _DAMAGED) from error


def _check_rows(path: Path, found: int, told: int) -> None:
    if found != told:
        raise StorageError(f"read {path}", f"{found} rows, the table's log says {told}", _DAMAGED)


def _as_written(spec: TableSpec) -> Iterator[pa.Schema]:
    """The schemas a file of a table may have, now or before; times in the unit that suits it."""
    now = pa.schema([field for field in delta_schema(spec) if field.name != PERIOD])
    for lacking in (frozenset[str](), *former(spec)):
        schema = pa.schema([field for field in now if field.name not in lacking])
        yield schema
        index = schema.get_field_index("ts")
        yield schema.set(index, schema.field(index).with_type(MILLIS))


_SCHEMAS: Final = tuple(schema for spec in TABLES.values() for schema in _as_written(spec))
_DAMAGED = "restore the lake from a backup (docs/guide/backup.md)"
