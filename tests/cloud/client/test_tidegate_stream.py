"""Pages as one stream: one held at a time, and an error on the way is not taken for the end."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import tidegate
from protos import records
from tests.cloud.client.served_world import Served, follow
from tests.cloud.lake_world import T0
from tests.cloud.serve_world import World
from tidegate.splice import Spliced, Stream
from tidegate.wire import Answer, Line

READINGS = 1_000_000
PAGE_ROWS = 20_000
ROOT = Path(__file__).parents[3]
READ = f"""
import sys
import tidegate

def resident_kb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

most, first, rows, total = 0, 0, 0, 0.0
cloud = tidegate.connect(sys.argv[1], page_rows={PAGE_ROWS})
for number, batch in enumerate(cloud.history("many/temperature", 0, "2100-01-01")):
    rows += len(batch)
    first = first or number == 4 and resident_kb() or 0
    most = max(most, resident_kb())
print(rows, most - first)
"""

INTERRUPTED = """
import io, signal
import pyarrow as pa
from tidegate.splice import Spliced, Stream
from tidegate.wire import Answer

sink, table = io.BytesIO(), pa.table({"x": pa.array(range(20_000))})
with pa.ipc.new_stream(sink, table.schema) as writer:
    for _ in range(40):
        writer.write_table(table)
page = Answer(sink.getvalue(), {})

def interrupt(number, frame):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, interrupt)
told = []
for at in range(400):
    source = Spliced(iter([page]))
    try:
        stream = Stream(source)
        signal.setitimer(signal.ITIMER_REAL, 2e-5 * (at + 1) if at < 390 else 0)
        told.append(pa.table(stream).num_rows)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except (OSError, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, 0)
        told.append(0)
print(*sorted(set(told)))
"""


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Served]:
    """A million readings of one series, in the tables."""
    world = World(tmp_path / "lake")
    number = world.gateway.series("many")
    for start in range(0, READINGS, 100_000):
        at = T0 + np.arange(start, start + 100_000) * 1_000
        values = np.sin(np.arange(len(at)) / 50)
        batch = records.numbers(np.full(len(at), number), at, values, np.zeros(len(at)), at)
        world.gateway.send(batch)
    while world.consolidator.run_once().more:
        pass
    follow(world.live)
    served = Served(world)
    yield served
    served.close()


def test_an_answer_of_any_length_is_read_in_the_memory_of_a_few_pages(many: Served) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ, many.url],
        env={**os.environ, "PYTHONPATH": str(ROOT / "cloud/client")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows, grown_kb = map(int, done.stdout.split())
    assert rows == READINGS
    assert len(many.asked) >= READINGS // PAGE_ROWS
    # All of it would be 44 MB as Arrow, a page 0.9.
    assert grown_kb < 10_000


def page(*columns: tuple[str, object], batches: int = 2, said: str = "") -> Answer:
    table = pa.table(dict(columns)).replace_schema_metadata({"tidegate:next": said})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for _ in range(batches):
            writer.write_table(table)
    return Answer(sink.getvalue(), {})


def words(*held: str) -> pa.Array:
    return pa.array(held).dictionary_encode()


def test_pages_with_words_of_their_own_are_one_stream() -> None:
    pages = [
        page(("word", words("a", "b")), said="more"),
        page(("word", words("c")), batches=0),
        page(("word", words("b", "d", "a")), batches=1),
    ]
    table = pa.table(Stream(Spliced(iter(pages))))
    assert table.column("word").to_pylist() == ["a", "b", "a", "b", "b", "d", "a"]
    frame = pl.DataFrame(Stream(Spliced(iter(pages))))
    assert frame["word"].to_list() == table.column("word").to_pylist()


@pytest.mark.parametrize(
    "other",
    [
        page(("x", pa.array([1.5]))),
        page(("y", pa.array([1]))),
        page(("x", pa.array([1])), ("y", pa.array([1]))),
        page(("x", words("a"))),
    ],
)
def test_columns_that_change_between_pages_are_told(other: Answer) -> None:
    source = Spliced(iter([page(("x", pa.array([1]))), other]))
    with pytest.raises(OSError, match="the columns changed while they were read"):
        pa.table(Stream(source))
    assert isinstance(source.failed, tidegate.AnswerError)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("take", ["to_arrow", "to_polars", "to_pandas", "to_duckdb", "rows"])
def test_an_interruption_is_no_shorter_answer(
    served: Served, monkeypatch: pytest.MonkeyPatch, take: str, interruption: type[BaseException]
) -> None:
    result = tidegate.connect(served.url, page_rows=10).history("gw-2/pump/temperature", 0, T0 * 2)
    ask = Line.arrow
    pages = []

    def interrupted(line: Line, path: str, query: dict[str, str]) -> Answer:
        pages.append(path)
        if len(pages) == 2:
            raise interruption
        return ask(line, path, query)

    monkeypatch.setattr(Line, "arrow", interrupted)
    with pytest.raises(interruption):
        list(getattr(result, take)())
    pages.clear()
    with pytest.raises(OSError, match="the reading was interrupted"):
        pa.table(result)


def test_a_signal_at_any_moment_of_a_reading_is_no_shorter_answer_either() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        env={**os.environ, "PYTHONPATH": str(ROOT / "cloud/client")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["0", "800000"], done.stdout + done.stderr


@pytest.mark.parametrize("take", ["to_arrow", "to_polars", "to_pandas", "to_duckdb", "rows"])
def test_an_error_of_a_later_page_is_raised_as_it_was(served: Served, take: str) -> None:
    cloud = tidegate.connect(served.url, page_rows=10, retries=0)
    result = cloud.history("gw-2/pump/temperature", 0, "2100-01-01")
    served.answers_left = 3  # a name is asked for twice
    try:
        with pytest.raises(tidegate.SignInError, match="sign in; to do: on the page"):
            list(getattr(result, take)())
    finally:
        served.answers_left = None
