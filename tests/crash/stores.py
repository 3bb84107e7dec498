"""What lies in buffer, journal and lake, by value, read from the files of halves that do not run.

For a campaign that got stuck: what was acknowledged and is in none of them is lost, whatever
becomes of the halves. What cannot be read holds nothing.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cloud.errors import StorageError
from cloud.journal.sqlite.reader import JournalReader
from cloud.journal.sqlite.segment import list_segments
from deploy.demo.stack import StackError, run
from protos.block import read_block
from protos.records import Kind


def in_buffer(home: Path, export: Path) -> Iterator[float]:
    """Readings that wait for the cloud, as the operator's own command brings them out."""
    export.unlink(missing_ok=True)
    with suppress(StackError):  # something in it could not be read: the rest is written
        run("tidegate-edge", "--home", str(home), "buffer", "export", str(export), seconds=300)
    if export.exists():
        for line in export.read_text().splitlines():
            yield json.loads(line).get("value", -1.0)


def in_journal(folder: Path) -> Iterator[float]:
    """Readings of every block that the journal still holds."""
    with suppress(StorageError, IndexError), JournalReader(folder) as reader:
        for entry in reader.iterate(list_segments(folder)[0].first - 1):
            yield from read_block(entry.data)[2].kind(Kind.NUMBERS)["value"].tolist()


def in_lake(folder: Path) -> Iterator[float]:
    """Readings of every whole data file; one of the same rows beside it changes nothing."""
    for path in folder.glob("readings/period=*/*.parquet"):
        with suppress(pa.ArrowInvalid, OSError):
            values = pq.read_table(path, columns=["value"], partitioning=None)["value"]
            yield from (value for value in values.to_pylist() if value is not None)
