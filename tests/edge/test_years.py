"""What years bring: damage that piles up, halves of different releases, words of a later one."""

from pathlib import Path
from typing import Any

import apsw
import pytest

from cloud.ingest.identity import Authority
from cloud.journal import hello as cloud_hello
from edge import sync, sync_hello
from edge.rolling_day import DAY_HOURS
from edge.seal import RowKind
from edge.store.buffer import Buffer
from edge.store.limits import QUARANTINE_BYTES_MAX, QUARANTINE_ROWS_MAX, StoreLimits
from edge.sync import Session
from protos import sync_pb2 as pb
from protos.limits import MIB
from tests.edge.test_uplink import drained, history, uplink_to
from tests.sim.site import Papers, Site, enrol

LATER_WORD = bytes.fromhex("fa7d03") + b"new"
"""A field number 2015 that no message has, as a later release may add one."""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "cloud", Authority.create(tmp_path / "ca", "a test"))


@pytest.fixture
def papers(site: Site) -> Papers:
    return enrol(site.authority, "gw-1")


def buffer(world: Any) -> Buffer:
    limits = StoreLimits(bytes_max=64 * MIB)
    return Buffer(
        world.path, gateway="gw-1", keys=world.keys, limits=limits, boot_id=b"boot" * 4
    )  # fmt: skip


def kept(world: Any, kinds: str) -> tuple[int, int, str]:
    """Rows, bytes and last name of what is in quarantine, of some kinds."""
    db = apsw.Connection(str(world.path))
    sql = "SELECT count(*), coalesce(sum(length(data)), 0), max(no) FROM quarantine WHERE "
    rows, size, last = db.execute(sql + kinds).fetchone()
    name = db.execute("SELECT name FROM quarantine WHERE no = ?", (last,)).fetchone()
    db.close()
    return rows, size, name[0] if name else ""


def test_a_card_that_decays_for_years_fills_no_buffer_with_its_damage(world: Any) -> None:
    made = buffer(world)
    many, each = 3 * QUARANTINE_ROWS_MAX, QUARANTINE_BYTES_MAX // 500
    for first in range(0, many, 100):
        with made._rows.transaction():
            for no in range(first, first + 100):
                made._rows.set_aside(RowKind.CHUNK, f"chunk {no}", "rot", 1, bytes(each))
    made.close()
    rows, size, last = kept(world, "kind = 'chunk'")
    assert rows == QUARANTINE_ROWS_MAX
    assert QUARANTINE_BYTES_MAX - each <= size <= QUARANTINE_BYTES_MAX
    assert last == f"chunk {many - 1}", "the newest are kept"


def test_damage_that_is_looked_for_at_each_opening_is_not_forgotten(world: Any) -> None:
    made = buffer(world)
    with made._rows.transaction():
        made._rows.set_aside(RowKind.ENTRY, "series 1", "rot", 0, b"x")
        made._rows.set_aside(RowKind.CHUNK, "rows of block 1/1", "gone", 5, b"")
        for no in range(QUARANTINE_ROWS_MAX + 50):
            made._rows.set_aside(RowKind.CHUNK, f"chunk {no}", "rot", 1, b"x")
    made.close()
    assert kept(world, "name = 'series 1' OR name = 'rows of block 1/1'")[0] == 2
    assert kept(world, "name GLOB 'chunk *'")[0] == QUARANTINE_ROWS_MAX


@pytest.mark.parametrize("ahead", ["the gateway", "the cloud", "both"])
async def test_a_half_that_is_a_release_ahead_delivers_with_the_other(
    site: Site, papers: Papers, world: Any, monkeypatch: pytest.MonkeyPatch, ahead: str
) -> None:
    """Ahead: speaks one protocol more, still this one, and says words the other does not know."""
    if ahead != "the cloud":
        monkeypatch.setattr(sync_hello, "PROTOCOL_MAX", sync_hello.PROTOCOL_MAX + 1)
        hello_of = sync.hello_of

        def with_more(*given: Any) -> pb.Hello:
            said = hello_of(*given)
            said.MergeFromString(LATER_WORD)
            return said

        monkeypatch.setattr(sync, "hello_of", with_more)
    if ahead != "the gateway":
        monkeypatch.setattr(cloud_hello, "PROTOCOL_MAX", cloud_hello.PROTOCOL_MAX + 1)
    store = world.open()
    chunks = [world.chunk(20, new_series=1) for _ in range(3)]
    for chunk in chunks:
        store.commit(chunk).result()
    async with site.serve() as cloud, uplink_to(site, store, papers) as uplink:
        assert await drained(uplink, cloud)
        assert history(cloud, world) == sorted(
            value for chunk in chunks for value in world.values_of(chunk.batch)
        )


def test_a_message_that_only_a_later_cloud_knows_changes_nothing() -> None:
    session = Session("gw-1", bytes(16), "1")
    before = session.phase
    assert session.received(pb.CloudMessage.FromString(LATER_WORD)) == []
    assert session.phase is before


def test_a_cloud_that_no_longer_speaks_this_protocol_is_told_as_what_it_is(world: Any) -> None:
    state = world.open().sync_state().result()
    resume = pb.Resume(protocol=sync_hello.PROTOCOL_MAX + 1, session=1, generation=1)
    objected = sync_hello.objection(resume, state)
    assert objected is not None
    assert str(sync_hello.PROTOCOL_MAX + 1) in objected[0]


def test_files_of_figures_do_not_grow(tmp_path: Path) -> None:
    from edge.spending import FILE_NAME, Spending
    from tests.edge.test_spending import Clock, config

    clock = Clock()
    spending = Spending(config(tmp_path), clock)
    sizes = []
    for day in range(1, 400):
        clock.now_s = day * 86_400.0
        spending.look()
        spending.save()
        sizes.append((tmp_path / FILE_NAME).stat().st_size)
    assert max(sizes) < 40 * 3 * DAY_HOURS
