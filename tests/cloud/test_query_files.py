"""Single series out of files: exactly their rows, whatever row groups they lie in."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.errors import StorageError
from cloud.lake_names import Name
from cloud.lake_table import parquet as lake_parquet
from cloud.lake_table.parquet import arrange, no_step, times, write_durably
from cloud.lake_table.schema import READINGS
from cloud.query_files import SeriesFiles

_KEYS = [
    (gateway, device, metric)
    for gateway in ("a", "b")
    for device in ("", "pump", "pumpe", "ö")
    for metric in ("t", "x")
]
WANTED = pa.schema([READINGS.schema.field(name) for name in ("ts", "value", "text", "seq")])


def name(at: int) -> Name:
    return Name(*_KEYS[at], "", "{}", 0, 1 + at * 7 % 16)


def rows_of(rows: list[tuple[int, int]]) -> pa.Table:
    """Readings of (series, ts), their place as value, a text for every third series."""
    count = len(rows)
    series = [name(at) for at, _ in rows]
    texts = [str(i) if at % 3 == 0 else None for i, (at, _) in enumerate(rows)]
    columns = {
        "gateway": [one.gateway for one in series],
        "device": [one.device for one in series],
        "metric": [one.metric for one in series],
        "unit": [""] * count,
        "labels": ["{}"] * count,
        "kind": np.zeros(count, np.int8),
        "series": [one.id for one in series],
        "ts": np.array([ts for _, ts in rows], np.int64),
        "value": np.arange(count, dtype=np.float64),
        "text": texts,
        "quality": np.zeros(count, np.int8),
        "lag_us": np.zeros(count, np.int64),
        "epoch": np.ones(count, np.int64),
        "seq": np.arange(count),
    }
    arrays = []
    for field in READINGS.schema:
        array = pa.array(columns[field.name])
        is_time = pa.types.is_timestamp(field.type)
        arrays.append(array.view(field.type) if is_time else array.cast(field.type))
    return arrange(pa.table(arrays, schema=READINGS.schema))


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_parquet, "ROW_GROUP", 5)
    monkeypatch.setattr(lake_parquet, "fsync", lambda _: None)


@given(
    st.lists(st.tuples(st.integers(0, 15), st.integers(-40, 40)), min_size=1, max_size=60),
    st.tuples(st.integers(-45, 45), st.integers(-45, 45)),
)
@settings(max_examples=60, deadline=None)
def test_every_row_of_a_series_and_time_is_found_and_no_other(tmp_path_factory, rows, span):
    path = tmp_path_factory.mktemp("lake") / "period=x" / "f.parquet"
    table = rows_of(rows)
    write_durably(path, table, READINGS, no_step)
    files = SeriesFiles()
    for at in range(len(_KEYS)):
        found = files.rows(str(path), name(at), *span, WANTED)
        mask = [
            series == name(at).id and span[0] <= ts < span[1]
            for series, ts in zip(
                table["series"].to_pylist(), times(table["ts"]).tolist(), strict=True
            )
        ]
        due = table.filter(pa.array(mask)).select(WANTED.names)
        if found is None:
            assert not due.num_rows
        else:
            assert found.schema == WANTED
            assert found.cast(plain()).equals(due.cast(plain()))


def plain() -> pa.Schema:
    """Dictionaries as plain strings, which compare."""
    return pa.schema(
        [(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in WANTED]
    )


def test_places_of_few_row_groups_are_remembered_and_all_files_are_found_again(tmp_path: Path):
    files = SeriesFiles(groups_max=4)
    for round_ in range(2):
        for number in range(6):
            path = tmp_path / "period=x" / f"{number}.parquet"
            if not round_:
                write_durably(path, rows_of([(1, number), (2, 0)] * 6), READINGS, no_step)
            found = files.rows(str(path), name(1), -50, 50, WANTED)
            assert found is not None
            assert set(times(found["ts"]).tolist()) == {number}
    assert len(files._known) == 1


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"PAR1 no PAR1")])
def test_a_file_that_is_gone_or_damaged_is_named(tmp_path: Path, spoil):
    path = tmp_path / "period=x" / "f.parquet"
    write_durably(path, rows_of([(1, 0)]), READINGS, no_step)
    spoil(path)
    with pytest.raises(StorageError, match=r"f\.parquet"):
        SeriesFiles().rows(str(path), name(1), -50, 50, WANTED)
