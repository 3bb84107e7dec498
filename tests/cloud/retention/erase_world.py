"""A filled home of which parts are erased, and how it is checked then."""

from cloud.cli import console
from cloud.lake.rebuild import rebuild
from cloud.lake.table.schema import ROLLUP_1M, TABLES
from cloud.lake.vacuum import orphans
from cloud.ledger.of_files import read_ledger
from cloud.recompute.days import look_at as compare
from cloud.retention.erasure import Wish
from cloud.retention.order import ALWAYS_US, EVER_US
from cloud.verify.whole import verify
from tests.cloud.consolidate_world import EVER, Spoilt


def call(home: Spoilt, *arguments: str) -> int:
    return console().call(["--home", str(home.root), "erase", *arguments])


def wish(target: str, from_us: int = ALWAYS_US, last_us: int = EVER_US) -> Wish:
    return Wish(target, from_us, last_us, 1, "ann", "asked for")


def without(held: dict[str, list[str]], *words: str) -> dict[str, list[str]]:
    """The rows, but those that name one of these."""
    return {
        name: [row for row in rows if name in KEPT or not any(f"'{w}'" in row for w in words)]
        for name, rows in held.items()
        if not TABLES[name].width_us
    }


KEPT = ("gaps", "corrections")


def whole(home: Spoilt) -> dict[str, list[str]]:
    """What all tables hold but minutes, which are of what is frequent among the days made anew."""
    return {name: rows for name, rows in home.held().items() if name != ROLLUP_1M.name}


def check(home: Spoilt, erased: int) -> None:
    """History is whole, so many readings erased, and the rollups are what a rebuild makes."""
    found = verify(home.root / "journal", home.root / "lake")
    assert (found.faults, found.notes, found.erased) == ([], [], erased)
    assert f"− {erased:,} erased" in found.line()
    rows = read_ledger(home.root / "journal", home.root / "lake")
    assert (sum(row.erased for row in rows), sum(row.in_lake for row in rows)) == (
        erased,
        found.in_lake,
    )
    before = whole(home)
    rebuild(home.root / "lake")
    assert whole(home) == before
    assert compare(home.root / "journal", home.root / "lake", EVER).is_same
    assert not orphans(home.root / "lake", 0.0, 1e12)
