"""The names behind numbers: fetched once each, the same for every reader."""

import threading

from cloud.lake.names import ERASED, Names
from protos.series import SeriesEntry, SeriesKey, erase_entry, make_entry


class Tables:
    """A journal's series tables, which tells what it was asked for and how much it gave."""

    def __init__(self) -> None:
        self.entries: list[SeriesEntry] = []
        self.given = 0

    def declare(self, count: int) -> None:
        for n in range(len(self.entries) + 1, len(self.entries) + count + 1):
            key = SeriesKey(f"pump-{n // 10}", f"m{n}")
            self.entries.append(make_entry(n, n // 10 + 1, key, bytes(16)))

    def series(self, gateway: str, epoch: int, after: int = 0) -> list[SeriesEntry]:
        found = self.entries[after:]
        self.given += len(found)
        return found


def test_a_table_that_grows_with_every_block_is_fetched_once() -> None:
    tables = Tables()
    names = Names(tables.series)
    for high in range(1, 301):
        tables.declare(1)
        numbers = names.of_epoch("attic", 1, high)
        assert len(numbers) == high + 1
        assert names.name(int(numbers[high])).metric == f"m{high}"
    assert tables.given == 300


def test_what_was_given_out_stays_as_it_was_while_the_table_grows() -> None:
    tables = Tables()
    names = Names(tables.series)
    tables.declare(5)
    early = names.of_epoch("attic", 1, 5)
    before = early.tolist()
    tables.declare(50)
    late = names.of_epoch("attic", 1, 55)
    assert (early.tolist(), late[:6].tolist()) == (before, before)
    assert len(set(late.tolist())) == 56


def test_a_series_of_two_epochs_has_one_number_and_an_erased_one_has_none() -> None:
    tables = Tables()
    names = Names(tables.series)
    tables.declare(2)
    first = names.of_epoch("attic", 1, 2).tolist()
    tables.entries[0] = erase_entry(tables.entries[0])
    assert names.of_epoch("attic", 2, 2).tolist() == [first[0], ERASED, first[2]]


def test_threads_that_fetch_the_same_entries_add_them_once() -> None:
    tables = Tables()
    tables.declare(20)
    both = threading.Barrier(2)

    def together(gateway: str, epoch: int, after: int) -> list[SeriesEntry]:
        found = tables.series(gateway, epoch, after)
        both.wait(10)
        return found

    names = Names(together)
    threads = [threading.Thread(target=names.of_epoch, args=("attic", 1, 20)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names.of_epoch("attic", 1, 20)) == 21


def test_a_block_that_names_more_than_is_declared_gets_a_shorter_table() -> None:
    tables = Tables()
    tables.declare(3)
    assert len(Names(tables.series).of_epoch("attic", 1, 9)) == 4
