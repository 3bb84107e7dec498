"""A search among names finds what a look at each of them finds, while names come."""

import fnmatch
import json
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import numpy as np
import pytest

from cloud.lake.names import Name
from cloud.live.catalogue import Catalogue, Wanted
from cloud.live.series import Known
from protos.series import SeriesKind

DEVICES = ("hall/pump-1", "hall/pump-2", "Hof [1]", "b]x", "*", "é-1")
METRICS = ("temp", "TEMP", "state", "a?b", "[]")
UNITS = ("°C", "", "V")
LABELS = ({}, {"room": "hall"}, {"room": "hangar", "floor": "1"}, {"axis": "[x]"})


class Book:
    """Names as they come; the reading of each is as old as its place."""

    former: Mapping[int, str] = MappingProxyType({7: "cellar/old/name"})

    def __init__(self, names: list[Name]) -> None:
        self.names = names

    def known(self) -> Known:
        names = self.names.copy()
        numbers = np.arange(len(names))
        zeros, texts = np.zeros(len(names), np.int64), np.full(len(names), None, object)
        return Known(
            names, numbers % 5, zeros, numbers, numbers, zeros.astype(float), texts,
            zeros.astype(np.uint8),
        )  # fmt: skip


def made(chance: random.Random, count: int, start: int = 0) -> list[Name]:
    return [
        Name(
            f"gw-{chance.randrange(4)}", chance.choice(DEVICES), chance.choice(METRICS),
            chance.choice(UNITS), json.dumps(chance.choice(LABELS)), chance.choice([0, 1, 2]),
            start + i + 1,
        )
        for i in range(count)
    ]  # fmt: skip


def asked(chance: random.Random) -> Wanted:
    def maybe(value: object) -> object:
        return value if chance.random() < 0.3 else None

    def pattern() -> str:
        parts = ["*", "?", "[]x]", "[!1]", "[a-h]", "[", "]", "hall", "-1", "/", "T", "temp", "gw-"]
        return "".join(chance.choice(parts) for _ in range(chance.randrange(6)))

    ids = frozenset(chance.randrange(1, 120) for _ in range(30))
    label = (chance.choice(["room", "axis"]), maybe(chance.choice(["ha*", "hall", "[[]x]"])))
    return Wanted(
        gateway=maybe("gw-1"), device=maybe(chance.choice(DEVICES)),
        metric=maybe(chance.choice(METRICS)), unit=maybe(chance.choice(UNITS)),
        kinds=maybe(frozenset(chance.sample(list(SeriesKind), 2))), ids=maybe(ids),
        part=maybe(chance.choice(["PUMP", "hang", "e", "old/", "zz"])),
        pattern=maybe(f"*{pattern()}*" if chance.random() < 0.8 else pattern()),
        labels=maybe((label,)) or (),
        heard_since=maybe(20), silent_since=maybe(60), without=maybe(ids) or frozenset(),
    )  # fmt: skip


def naively(book: Book, wanted: Wanted) -> list[int]:
    known = book.known()
    return sorted(
        (i for i, name in enumerate(known.names) if fits(known, i, name, wanted, book.former)),
        key=lambda i: (
            known.names[i].gateway, known.names[i].device, known.names[i].metric,
            f"{known.names[i].id:016x}",
        ),
    )  # fmt: skip


def fits(known: Known, i: int, name: Name, wanted: Wanted, former: Mapping[int, str]) -> bool:
    path = f"{name.gateway}/{name.device}/{name.metric}".casefold()
    text = f"{path} {name.labels} {former.get(name.id, '')}".casefold()
    labels, heard = json.loads(name.labels), known.readings[i] > 0
    since, until = wanted.heard_since, wanted.silent_since
    return (
        all(
            getattr(wanted, each) in (None, getattr(name, each))
            for each in ("gateway", "device", "metric", "unit")
        )
        and (wanted.kinds is None or name.kind in wanted.kinds)
        and (wanted.ids is None or name.id in wanted.ids)
        and name.id not in wanted.without
        and (wanted.part is None or wanted.part.casefold() in text)
        and (wanted.pattern is None or fnmatch.fnmatchcase(path, wanted.pattern.casefold()))
        and all(
            key in labels and (value is None or fnmatch.fnmatchcase(labels[key], value))
            for key, value in wanted.labels
        )
        and (since is None or bool(heard and known.last_ts[i] >= since))
        and (until is None or not heard or bool(known.last_ts[i] < until))
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_search_finds_what_a_look_at_each_name_finds_also_among_those_that_came(seed: int):
    chance = random.Random(seed)
    book, catalogue = Book(made(chance, 40)), Catalogue()
    for _ in range(6):
        for _ in range(60):
            wanted = asked(chance)
            found = catalogue.find(book, wanted)
            assert found.at.tolist() == naively(book, wanted), (seed, wanted)
            page, _ = found.page(None, 7)
            assert page.at == found.at.tolist()[:7]
        book.names += made(chance, chance.randrange(25), len(book.names))


def test_a_book_whose_names_moved_is_read_anew():
    chance = random.Random(3)
    first = made(chance, 30)
    book, catalogue = Book([*first]), Catalogue()
    catalogue.find(book, Wanted())
    # As series that operations joined do: they stand behind all others, so the last one moves.
    book.names = [*first[:-1], *made(chance, 5, 50), first[-1]]
    assert catalogue.find(book, Wanted()).at.tolist() == naively(book, Wanted())
    assert catalogue.find(Book([]), Wanted()).at.tolist() == []
    assert catalogue.devices(Book([]), None, None, 10)[0].names == []


def test_searches_while_series_come_see_every_one_that_was_there_when_they_began():
    chance = random.Random(11)
    book, catalogue = Book(made(chance, 300)), Catalogue()
    names = made(chance, 400, 300)

    def search(_: int) -> bool:
        there = len(book.names)
        found = catalogue.find(book, Wanted())
        told = found.page(None, 10_000)[0]
        # Every place that was found must be one that is known.
        return len(found) >= there and len([found.known.names[i] for i in told.at]) == len(found)

    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(search, n) for n in range(200)]
        for name in names:
            book.names.append(name)
        assert all(one.result() for one in searches)
    assert len(catalogue.find(book, Wanted())) == 700
