"""How many readers there are, and what each may hold.

One for each core but that of ingest, and one for each GB of the machine's memory, for each is an
interpreter with its libraries (some 50 MB that are its own) and what it knows of files. More than
READERS_AUTO_MAX would ask for more of the parent than one interpreter has.
"""

from typing import Final

from cloud.live.live import Live
from cloud.query.history import Query
from cloud.query.index import INDEX_BYTES_MAX
from cloud.roles.placement import CORES_MIN, MEMORY_BYTES_MIN, machine
from cloud.roles.reader_query import QueryApart
from cloud.roles.reader_wire import Start
from cloud.roles.readers import Readers
from cloud.settings import CloudSettings, ReaderPlacement

READERS_AUTO_MAX: Final = 4
INDEX_BYTES_MIN: Final = 32 << 20
"""Of what a reader knows of files: a day of 100 M readings takes 40 MB."""
MEMORY_BYTES_MAX: Final = 1 << 30
"""Data of one reader, the libraries' own included; a question that takes more is refused."""


def begin_query(settings: CloudSettings, live: Live) -> tuple[Query, Readers | None]:
    """Who answers, with readers started where the settings say; None where there are none."""
    threads = settings.lake.query_threads
    count = reader_count(settings.roles.readers, *machine())
    if not count:
        return Query(live, threads), None
    index_bytes = max(INDEX_BYTES_MAX // (count + 1), INDEX_BYTES_MIN)
    start = Start(index_bytes, MEMORY_BYTES_MAX, settings.log.format, settings.log.level)
    readers = Readers(count, start)
    readers.begin()
    return QueryApart(live, readers, threads, index_bytes_max=index_bytes), readers


def reader_count(wanted: int | ReaderPlacement, cores: int, memory_bytes: int) -> int:
    """Readers that there shall be; 0 is none but this process."""
    if wanted is ReaderPlacement.TOGETHER:
        return 0
    if isinstance(wanted, int):
        return wanted
    if cores < CORES_MIN or memory_bytes < MEMORY_BYTES_MIN:
        return 0
    return min(cores - 1, READERS_AUTO_MAX, -(-memory_bytes // (1 << 30)))
