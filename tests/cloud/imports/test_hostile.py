"""Whatever bytes a file has, it is read or refused with a cause: never a fault of ours."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from cloud.errors import OperatorError
from cloud.imports.clock_times import TimeRule
from cloud.imports.rejects import Rejects
from cloud.imports.run import Run
from cloud.imports.sieve import Sieve
from cloud.imports.source import Form, Wish
from tests.cloud.imports.test_recorder import NEW, T

ROUNDS = 150


def csv_bytes() -> bytes:
    rows = "".join(f'{T + at},"dev {at % 3}",{at}.5,on,\n' for at in range(40))
    return f'time,device,"a (°C)",b,c\n{rows}'.encode()


def influx_bytes() -> bytes:
    return b"".join(
        b'air,host=h%d a=%d.5,b="x\\" y",c=true,d=7i %d\n' % (at % 3, at, (T + at) * 10**9)
        for at in range(40)
    )


def parquet_bytes(folder: Path) -> bytes:
    path = folder / "made.parquet"
    columns = {"time": T + np.arange(300), "a": np.arange(300.0), "b": pa.array(["x", "1"] * 150)}
    pq.write_table(pa.table(columns), path, row_group_size=100)
    return path.read_bytes()


def recorder_bytes(folder: Path) -> bytes:
    path = folder / "made.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(NEW)
        db.execute("INSERT INTO states_meta VALUES (1, 'sensor.a')")
        db.execute("INSERT INTO state_attributes VALUES (1, 0, '{}')")
        db.executemany(
            "INSERT INTO states (state, last_updated_ts, attributes_id, metadata_id)"
            " VALUES (?, ?, 1, 1)", [(str(at), T + at) for at in range(300)],
        )  # fmt: skip
        db.commit()
    return path.read_bytes()


def damaged(data: bytes, draw: random.Random) -> bytes:
    """The bytes with something of them cut, changed, doubled or strange put in."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(changed) + 1)
        match draw.randrange(5):
            case 0:
                del changed[at : at + draw.choice([1, 10, 1000])]
            case 1:
                changed[at:at] = draw.choice([b'"', b"\0", b"\xff\xfe", b",,;", b"\n", b"=", b"\\"])
            case 2:
                changed[at:at] = changed[: draw.choice([5, 50, 5000])]
            case 3:
                changed[at : at + 4] = draw.randbytes(4)
            case _:
                changed[at:at] = draw.choice(
                    [b"9" * 400, b"e999", b"-", b"nan", b"\t" * 30, b" " * 9]
                )
        changed = changed or bytearray(b"x")
    return bytes(changed)


def check(path: Path, form: Form | None) -> bool:
    """Whether it was read; what refuses it is an OperatorError, whatever it is."""
    run = Run(Wish(rule=TimeRule("Europe/Berlin")), Sieve(), Rejects())
    try:
        outcome = run.file(path, form, lambda done, size: None)
    except OperatorError:
        return False
    assert outcome.readings <= 10 * path.stat().st_size
    return True


@pytest.mark.parametrize("form", list(Form), ids=lambda form: form.value)
def test_a_damaged_file_is_read_or_refused_with_a_cause(tmp_path: Path, form: Form) -> None:
    draw = random.Random(f"a damaged {form.value}")
    whole = {
        Form.CSV: csv_bytes,
        Form.INFLUX: influx_bytes,
        Form.PARQUET: lambda: parquet_bytes(tmp_path),
        Form.RECORDER: lambda: recorder_bytes(tmp_path),
    }[form]()
    path = tmp_path / "x"
    path.write_bytes(whole)
    assert check(path, None)
    for _ in range(ROUNDS):
        path.write_bytes(damaged(whole, draw))
        check(path, draw.choice([None, form]))


@pytest.mark.parametrize("form", list(Form), ids=lambda form: form.value)
def test_any_bytes_under_any_name_are_read_or_refused_with_a_cause(
    tmp_path: Path, form: Form
) -> None:
    draw = random.Random(f"any bytes {form.value}")
    for _ in range(ROUNDS // 3):
        path = tmp_path / "x"
        path.write_bytes(draw.randbytes(draw.choice([1, 20, 3000])))
        check(path, form)
