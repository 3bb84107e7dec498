"""What it costs to bring a file in, beside parsing it and nothing else.

CPU µs a reading in this process, the median of several rounds: *kept* is read, compared with all
before, sealed and durable in the ledger (the cloud's part is not in it); *again* is the same file
read and passed over, reading by reading. The baseline parses the same file with the library that
reads it (pyarrow for tables; for line protocol, a split of each line). Run as
``python -m benchmarks.imports [READINGS]``; the last line is one JSON object.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from pyarrow import csv as pa_csv
from pyarrow import parquet as pq

from cloud.imports.ledger import Ledger
from cloud.imports.rejects import Rejects
from cloud.imports.run import Run, sieve_of
from cloud.imports.source import Wish

ROUNDS = 3
METRICS = 10
T0_MS = 1_700_000_000_000


class Nobody:
    """Stands for the sender: what the cloud does with blocks is measured elsewhere."""

    def send(self, blocks: object) -> None:
        pass

    def finish(self) -> None:
        pass


def make(folder: Path, readings: int) -> dict[str, Path]:
    """The same readings as files of each form; ten a time, about 10 s apart, with jitter."""
    draw = np.random.default_rng(7)
    rows = readings // METRICS
    ts = T0_MS + np.cumsum(draw.integers(9_900, 10_100, rows))
    columns = [np.round(draw.normal(20, 3, rows), 2) for _ in range(METRICS)]
    paths = {name: folder / name for name in ("wide.csv", "long.csv", "wide.parquet", "line.lp")}
    names = [f"m{number}" for number in range(METRICS)]
    times = pa.array(ts).cast(pa.timestamp("ms", "UTC"))
    table = pa.table({"time": times, **dict(zip(names, columns, strict=True))})
    pq.write_table(table, paths["wide.parquet"])
    with (
        paths["wide.csv"].open("w") as wide,
        paths["long.csv"].open("w") as long,
        paths["line.lp"].open("w") as line,
    ):
        wide.write("time," + ",".join(names) + "\n")
        long.write("time,device,metric,value,unit\n")
        for at, *values in zip(ts.tolist(), *(column.tolist() for column in columns), strict=True):
            wide.write(f"{at}," + ",".join(f"{value:.2f}" for value in values) + "\n")
            for name, value in zip(names, values, strict=True):
                long.write(f"{at},pump,{name},{value:.2f},°C\n")
                line.write(f"air,host=pump,room=hall {name}={value:.2f} {at * 1_000_000}\n")
    return paths


def parsed(path: Path) -> None:
    """The baseline: the file parsed, and nothing else."""
    if path.suffix == ".parquet":
        for batch in pq.ParquetFile(path).iter_batches(use_threads=False):
            assert batch.num_rows
    elif path.suffix == ".csv":
        options = pa_csv.ReadOptions(use_threads=False)
        for batch in pa_csv.open_csv(path, options):
            assert batch.num_rows
    else:
        with path.open() as file:
            for line in file:
                assert len(line.split(" ")) == 3


def cpu_us(call: Callable[[], object], readings: int) -> float:
    """CPU µs a reading of one call."""
    begun = time.process_time()
    call()
    return (time.process_time() - begun) / readings * 1e6


def measured(path: Path, folder: Path, readings: int) -> dict[str, float]:
    """One round: baseline, kept, again, and what the ledger takes."""
    told = {"parse_us": cpu_us(lambda: parsed(path), readings)}
    with closing(Ledger.open(folder / "ledgers", f"{path.name}.{time.monotonic_ns()}")) as ledger:
        ledger.begin_epoch(1, 1, [])
        for name, wish in (("kept_us", Wish()), ("again_us", Wish(delimiter=","))):
            run = Run(wish, sieve_of(ledger), Rejects(), ledger, Nobody())  # type: ignore[arg-type]
            found = []
            told[name] = cpu_us(
                lambda run=run, found=found: found.append(run.file(path, None, lambda *_: None)),
                readings,
            )
            came = found[0].readings if name == "kept_us" else found[0].duplicates
            assert came == readings, (path, name, came)
        file = ledger.path
    told["bytes_per_reading"] = file.stat().st_size / readings
    file.unlink()
    return told


def main(readings: int, rounds: int = ROUNDS) -> dict[str, object]:
    """Measure every form; the last line."""
    readings -= readings % METRICS
    found: dict[str, object] = {"readings": readings}
    with TemporaryDirectory() as name:
        folder = Path(name)
        for form, path in make(folder, readings).items():
            each = [measured(path, folder, readings) for _ in range(rounds)]
            median = {key: statistics.median(one[key] for one in each) for key in each[0]}
            told = {key: round(value, 3) for key, value in median.items()}
            told["kept_per_s"] = round(1e6 / median["kept_us"])
            told["kept_to_parse"] = round(median["kept_us"] / median["parse_us"], 2)
            found[form] = told
            print(
                f"{form:13} parse {told['parse_us']:6.3f}  kept {told['kept_us']:6.3f}"
                f"  again {told['again_us']:6.3f} µs a reading;"
                f" {told['bytes_per_reading']:.2f} B a reading in the ledger"
            )
    return found


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)))
