"""What a reading takes in the live view's tail, in memory and CPU: `python -m benchmarks.tail`.

Beside it, in the same run: the same rows as they are decoded (plain Arrow columns), and the blocks
as they came. CPU is of this process, from a decoded step to a tail that is shown, joins and all;
`decode_us` is what decoding itself takes. The last line is one JSON object.
"""

import argparse
import gc
import json
import sys
import time
from collections.abc import Sequence

import numpy as np
import psutil

from cloud.journal.contract import Entry
from cloud.lake.embedded import Decoded, decode
from cloud.lake.names import Names
from cloud.lake.table.schema import READINGS
from cloud.live import tail as live_tail
from cloud.live.tail import TailBatch
from cloud.memory import give_back
from protos import records
from tests.cloud.lake_world import T0, Gateway, MemoryJournal

GATEWAYS = 100
SERIES = 25
ROWS = 250
SECOND_US = 1_000_000
ASKED = 500


def blocks(journal: MemoryJournal, gateways: Sequence[Gateway], second: int) -> list[Entry]:
    """A block of each gateway: quantised readings at whole milliseconds of one second."""
    made = []
    for number, gateway in enumerate(gateways):
        chance = np.random.default_rng([number, second])
        ts = T0 + second * SECOND_US + np.sort(chance.integers(0, 1000, ROWS)) * 1000
        entries = np.arange(ROWS) % SERIES + 1
        values = np.round(20 + chance.standard_normal(ROWS), 2)
        made.append(gateway.send(records.numbers(entries, ts, values, np.zeros(ROWS), ts + 1000)))
    return made


def fleet(journal: MemoryJournal) -> list[Gateway]:
    """Gateways whose series are declared."""
    gateways = [Gateway(journal, f"gateway-{number:04d}") for number in range(GATEWAYS)]
    for gateway in gateways:
        for device in range(SERIES):
            gateway.series(f"device-{device}")
    return gateways


def held_by(work: Sequence[Decoded]) -> tuple[tuple[TailBatch, ...], float, float]:
    """The tail of these steps, the CPU seconds that it took, and memory as the system sees it."""
    gc.collect()
    give_back()
    before, began, start = psutil.Process().memory_full_info().uss, time.process_time(), 0
    tail: tuple[TailBatch, ...] = ()
    for decoded in work:
        tail = live_tail.extend(tail, live_tail.batch_of(decoded, start))
        start = decoded.end
    took = time.process_time() - began
    gc.collect()
    give_back()
    return tail, took, psutil.Process().memory_full_info().uss - before


def main(seconds: int, rounds: int) -> dict[str, object]:
    """What all of it comes to; medians of ``rounds``."""
    journal = MemoryJournal()
    gateways, names = fleet(journal), Names(journal.series)
    entries = [blocks(journal, gateways, second) for second in range(seconds)]
    began = time.process_time()
    work = [decode(each, names) for each in entries]
    decode_s = time.process_time() - began
    count = sum(one.tables[READINGS.name].num_rows for one in work)
    found = [held_by(work)[1:] for _ in range(rounds)]
    tail, _, _ = held_by(work)
    tail_s, uss = (float(np.median(each)) for each in zip(*found, strict=True))
    plain = sum(one.tables[READINGS.name].nbytes for one in work) / count
    told = sum(one.bytes for one in tail) / count
    return {
        "readings": count,
        "bytes_per_reading": round(uss / count, 1),
        "told_bytes_per_reading": round(told, 1),
        "decoded_bytes_per_reading": round(plain, 1),
        "block_bytes_per_reading": round(sum(len(e.data) for s in entries for e in s) / count, 1),
        "to_decoded_ratio": round(uss / count / plain, 2),
        "us_per_reading": round(tail_s / count * 1e6, 3),
        "decode_us_per_reading": round(decode_s / count * 1e6, 3),
        "to_decode_ratio": round(tail_s / decode_s, 2),
        "us_per_question": round(_asked(tail) * 1e6, 1),
        "batches": len(tail),
        "readings_in_tail_bytes_max": round((256 << 20) / told),
    }


def _asked(tail: Sequence[TailBatch]) -> float:
    """CPU seconds that the rows of one series take, of all batches."""
    series = [*tail[0].tables[READINGS.name].runs][:ASKED]
    began = time.process_time()
    for each in series:
        for batch in tail:
            rows = batch.tables[READINGS.name].of_series(each, 0, 1 << 62, live_tail.ASKED)
            assert rows is None or rows.num_rows
    return (time.process_time() - began) / len(series)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(json.dumps(main(asked.seconds, asked.rounds)))
    sys.exit(0)
