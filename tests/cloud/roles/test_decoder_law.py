"""Whatever happens to a cloud, both placements of decoding show the same view, to the byte."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from cloud.lake.consolidator import Batch, Consolidator
from cloud.lake.embedded import Decoded
from cloud.lake.names import Names
from cloud.live.feed import events_of
from cloud.live.live import Live
from cloud.live.packed import Plain
from cloud.live.step import Steps
from protos import records
from tests.cloud.correction_world import STRETCHES, unsynced
from tests.cloud.lake.test_over_journal import Line
from tests.cloud.lake_world import T0, Gateway
from tests.cloud.roles.decoder_here import decoder_here

Lived = Callable[[int, int, Callable[[Live], Any]], None]
_times = st.lists(st.integers(-50, 50).map(lambda n: T0 + n * 700_001), min_size=1, max_size=5)
_stretch = st.integers(0, 2)
_ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("numbers"), st.integers(0, 4), _times),
        st.tuples(st.just("texts"), st.integers(0, 4), _times),
        st.tuples(st.just("scores"), st.integers(0, 4), _times),
        st.tuples(st.just("unsynced"), _stretch),
        st.tuples(st.just("correct"), _stretch),
        st.just(("damaged",)),
        st.just(("advance",)),
        st.just(("advance",)),
        st.just(("consolidate",)),
        st.just(("end",)),
    ),
    min_size=4,
    max_size=20,
)


class Both:
    """Two views of one journal and one lake: of ``lives[1]`` the blocks are decoded apart."""

    def __init__(self, root: Path, rows_max: int) -> None:
        self.journal = SqliteJournal.open(
            root / "journal", now_us=lambda: T0, limits=JournalLimits(segment_bytes_max=16 << 10)
        )
        names = Names(self.journal.series)
        self.decoder = decoder_here(root, Steps(self.journal, names))
        here = Steps(self.journal, names, rows_max=rows_max)
        self.lives = tuple(Live(self.journal, names, steps=one) for one in (here, self.decoder))
        self.consolidator = Consolidator(root / "lake", self.journal, names, self)
        self.consolidator.recover()
        line = Line(self.journal)
        self.gateway = Gateway(line, epoch=line.epoch)  # type: ignore[arg-type]

    def publish(self, batch: Batch) -> None:
        for live in self.lives:
            live.publish(batch)

    def released(self, decoded: Decoded) -> None:
        for live in self.lives:
            live.released(decoded)

    def in_use(self) -> frozenset[str]:
        return self.lives[0].in_use() | self.lives[1].in_use()

    def do(self, kind: str, *more: Any) -> None:
        match kind:
            case "advance":
                for live in self.lives:
                    live.advance()
            case "consolidate":
                self.consolidator.run_once()
            case "end":  # of its process, between two steps
                if self.decoder._child is not None:
                    self.decoder._lose("a test")
            case "damaged":
                batch = self.gateway.numbers("pump-0", [T0], [1.0])
                batch.tables[next(iter(batch.tables))]["series"][:] = 0
                self.gateway.send(batch)
            case _:
                self.gateway.send(self.said(kind, *more))

    def said(self, kind: str, number: int, times: Sequence[int] = ()) -> records.Batch:
        device, values = f"pump-{number}", [float(t % 8191) for t in times]
        match kind:
            case "numbers":
                return self.gateway.numbers(device, times, values)
            case "texts":
                return self.gateway.texts(device, times, [f"at {t % 3}" for t in times])
            case "scores":
                return self.gateway.scores(device, times, values)
        wrong = STRETCHES[number]
        if kind == "correct":
            return wrong.correction()
        return unsynced(self.gateway, "late", wrong, [10, 20, 30], [1.0, 2.0, 3.0])

    def advance(self) -> None:
        """Show all that there is."""
        for live in self.lives:
            while live.advance():
                pass

    def close(self) -> None:
        for live in self.lives:
            live.stop()
        self.consolidator.close()
        self.journal.close()


def shown(live: Live) -> Any:
    """All that a view has of blocks: rows, how they lie in memory, what is known of series."""
    view, known = live.view, live.book.known()
    tail = [
        (
            batch.start, batch.end,
            [
                (name, rows.packed.schema, rows.rows.to_pydict(), _columns(rows.packed.columns))
                for name, rows in batch.tables.items()
            ],
            [(one.kind, one.offset, _plain(one.data)) for one in events_of(batch, None)],
        )
        for batch in view.tail
    ]  # fmt: skip
    books = [
        (name, int(known.readings[at]), int(known.anomalies[at]), int(known.first_ts[at]),
         int(known.last_ts[at]), str(known.last_value[at]), known.last_text[at],
         int(known.last_quality[at]))
        for at, name in enumerate(known.names)
    ]  # fmt: skip
    return view.lake, view.journal, tail, books, live.told


def _columns(columns: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """How each lies in memory; what came over a socket has lost the unused bits of its nulls."""
    return [
        (name, type(one).__name__, 0 if isinstance(one, Plain) else one.nbytes)
        for name, one in columns.items()
    ]


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value.tolist() if hasattr(value, "tolist") else value for key, value in data.items()
    }


def rows_of(live: Live) -> list[str]:
    """The rows of a view that no table has, whatever steps they came in, and what is known."""
    rows = [
        f"{name} {row}"
        for batch in live.view.tail
        for name, held in batch.tables.items()
        for row in held.rows.to_pylist()
    ]
    return [*sorted(rows), *sorted(map(repr, shown(live)[3]))]


@pytest.fixture
def lives(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """Plays lives of a cloud of two views, so many, in steps of so many rows."""

    def lived(count: int, rows_max: int, told: Callable[[Live], Any]) -> None:
        monkeypatch.setattr("cloud.roles.decoder.ROWS_PER_STEP", rows_max)

        @given(_ACTIONS)
        @settings(max_examples=count, suppress_health_check=[HealthCheck.too_slow])
        def any_of(actions: list[tuple[Any, ...]]) -> None:
            both = Both(tmp_path_factory.mktemp("both"), rows_max)
            try:
                for action in actions:
                    if action[0] == "correct" and told is rows_of:
                        both.advance()  # rows shown before it stand as they were until a pass
                    both.do(*action)
                both.advance()
                assert both.decoder.together == 0
                assert repr(told(both.lives[1])) == repr(told(both.lives[0]))
            finally:
                both.close()

        any_of()

    return lived


def test_both_placements_show_the_same_view_to_the_byte(lives: Lived) -> None:
    lives(8, 1000, shown)


def test_steps_asked_ahead_show_the_same_rows_whatever_happens_meanwhile(lives: Lived) -> None:
    lives(12, 6, rows_of)


@pytest.mark.campaign
def test_both_placements_show_the_same_view_through_many_lives(lives: Lived) -> None:
    lives(500, 1000, shown)
    lives(1000, 6, rows_of)
