"""Tables, tail and queries without threads, beside a plain list of all that was sent."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from cloud.lake.consolidator import Consolidator
from cloud.lake.names import Names
from cloud.lake.upkeep import Upkeep
from cloud.live.live import Live
from cloud.query.history import Ask, Cursor, Query
from cloud.query.plan import Resolution
from tests.cloud.lake_world import Gateway, MemoryJournal


class World:
    """A lake, a tail and queries, without threads: `consolidate` and `follow` are called."""

    def __init__(self, root: Path, upkeep: Callable[[], Upkeep] = Upkeep) -> None:
        self.root = root
        self.upkeep = upkeep
        self.journal = MemoryJournal()
        self.gateway = Gateway(self.journal)
        self.sent: dict[str, list[tuple[int, float | str]]] = defaultdict(list)
        self.query: Query | None = None
        self.open()

    def open(self) -> None:
        names = Names(self.journal.series)
        self.live = Live(self.journal, names)
        self.consolidator = Consolidator(
            self.root, self.journal, names, self.live, upkeep=self.upkeep()
        )
        self.consolidator.recover()
        if self.query is None:
            self.query = Query(self.live, threads=1)
        self.query._live = self.live

    def reopen(self) -> None:
        self.consolidator.close()
        self.open()

    def close(self) -> None:
        self.consolidator.close()
        self.query.close()

    def send(self, device: str, rows: list[tuple[int, float | str]]) -> None:
        self.sent[device] += rows
        ts = [row[0] for row in rows]
        values = [row[1] for row in rows]
        make = self.gateway.texts if isinstance(values[0], str) else self.gateway.numbers
        self.gateway.send(make(device, ts, values))  # type: ignore[arg-type]

    def consolidate(self) -> None:
        while self.consolidator.run_once().more:
            pass

    def follow(self) -> None:
        while self.live.advance():
            pass

    def id(self, device: str) -> int:
        return next(n.id for n in self.live.book.known().names if n.device == device)

    def raw(self, device: str, start: int, end: int, **more) -> list[tuple[int, float | str]]:
        """All pages of a raw answer."""
        found: list[tuple[int, float | str]] = []
        cursor: Cursor | None = None
        while True:
            ask = Ask(
                (self.id(device),), start, end, resolution=Resolution.RAW, cursor=cursor, **more
            )
            answer = self.query.history(ask)
            (series,) = answer.series
            values = series.value.tolist() if series.text is None else series.text.tolist()
            found += zip(series.ts.tolist(), values, strict=True)
            cursor = answer.next
            if cursor is None:
                return found


def expected(world: World, device: str, start: int, end: int) -> list[tuple[int, float | str]]:
    rows = [row for row in world.sent[device] if start <= row[0] < end]
    return sorted(rows, key=lambda row: row[0])  # stable: equal times stay as they arrived


def same(found, wanted) -> bool:
    return repr(found) == repr(wanted)
