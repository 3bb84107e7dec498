"""One bit of the journal's files turns: what was acknowledged is there, or the gateway is asked.

A journal answers for every acknowledged block that is not in the lake: it holds it bit for bit, or
it begins a generation, at whose first hello the gateway sends again what is missing.
"""

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud.errors import StorageError
from cloud.journal.restore import Floor, Ground
from cloud.journal.sqlite.segment import list_segments, settle
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from protos import sync_pb2 as pb
from protos.block import read_header
from tests.contract.sender import WAIT_S, WINDOW_BYTES, Sender

LIMITS = JournalLimits(bytes_max=64 << 20, segment_bytes_max=256 << 10)
NOW_US = 1_800_000_000_000_000
BEGUN_US = NOW_US - 10**15
PAGE = 16384
FLIPS = 24


@dataclass(slots=True)
class Filled:
    """A journal of three segments as a kill left it, the first archived; and its gateways.

    ``late``: hashes by (gateway, seq) of what was acknowledged and is not in the lake.
    """

    folder: Path
    senders: tuple[Sender, ...]
    late: dict[tuple[str, int], bytes]
    ground: Ground


def opened(folder: Path, ground: Ground) -> SqliteJournal:
    return SqliteJournal.open(folder, now_us=lambda: NOW_US, limits=LIMITS, ground=lambda: ground)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    folder = tmp_path_factory.mktemp("life") / "journal"
    journal = SqliteJournal.open(folder, now_us=lambda: BEGUN_US, limits=LIMITS)
    senders = tuple(Sender(journal, name).begin() for name in ("attic", "cellar"))
    for sender in senders:
        sender.declare(3)
    while len(list_segments(folder)) < 3:
        for sender in senders:
            sender.send(9000)
        if len(list_segments(folder)) == 2:  # the second keeps its log, as after a kill
            journal._sealed.settle_soon = lambda _: None
    for sender in senders:
        sender.send(9000)
    archived = list_segments(folder)[1].first - 1
    journal.mark_archived(archived).result(WAIT_S)
    floors = [Floor(e.gateway, e.epoch, e.seq, e.hash) for e in journal.read(0, 1 << 30)][:archived]
    late = {(e.gateway, e.seq): e.hash for e in journal.read(archived, 1 << 30)}
    ground = Ground(archived, journal.generation, tuple(floors))
    journal._sealed.close()  # the first is settled by then
    to = tmp_path_factory.mktemp("killed") / "journal"
    shutil.copytree(folder, to)
    journal.close()
    return Filled(to, senders, late, ground)


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def told_stored(journal: SqliteJournal, sender: Sender, generation: int) -> int:
    """The seq up to which the gateway is told that its blocks are stored; higher ones it sends."""
    hello = pb.Hello(
        protocol_min=1, protocol_max=1, gateway=sender.name, epoch=sender.epoch,
        head=len(sender.blocks), head_hash=sender.blocks[-1].hash, oldest_kept=1,
        boot_id=sender.boot_id, generation=generation, series_high=len(sender.series),
        series_root=sender.root,
    )  # fmt: skip
    replies = journal.hello(sender.name, hello, WINDOW_BYTES).result(WAIT_S).replies
    for reply in replies:
        if reply.HasField("epoch_grant"):
            grant = reply.epoch_grant
            return int(grant.previous_stored) if grant.stored_epoch == sender.epoch else 0
    assert replies[0].HasField("resume"), replies
    return int(replies[0].resume.stored)


def outcome(filled: Filled, folder: Path) -> str:
    """What the product makes of damaged files."""
    try:
        journal = opened(folder, filled.ground)
    except StorageError as error:
        return "refused" if error.hint else f"refused without a way out: {error}"
    try:
        read = journal.read(filled.ground.offset, 1 << 30)
        held = {(entry.gateway, entry.seq): read_header(entry.data)[1] for entry in read}
        assert held.items() <= filled.late.items(), "blocks that were never acknowledged"
        for sender in filled.senders:
            stored = told_stored(journal, sender, filled.ground.generation)
            said = {name for name in filled.late if name[0] == sender.name and name[1] <= stored}
            if said - held.keys() or stored > len(sender.blocks):
                return "SILENT"
        return "whole" if journal.generation == filled.ground.generation else "healed"
    except StorageError:
        return "told"
    finally:
        journal.close()


def outcomes(filled: Filled, tmp_path: Path, name: str, bits: list[int]) -> dict[int, str]:
    said = {}
    for number, bit in enumerate(bits):
        folder = tmp_path / str(number)
        shutil.copytree(filled.folder, folder)
        flip(folder / name, bit)
        try:
            said[bit] = outcome(filled, folder)
        except Exception as error:  # noqa: BLE001 - a traceback is an outcome, and a wrong one
            said[bit] = f"{type(error).__name__}: {error}"
        shutil.rmtree(folder)
    return said


def wrong(said: dict[int, str]) -> dict[int, str]:
    return {
        bit: what
        for bit, what in said.items()
        if what not in ("whole", "healed", "refused", "told")
    }


def names(filled: Filled) -> list[str]:
    return [segment.path.name for segment in list_segments(filled.folder)]


def test_an_undamaged_copy_is_whole(filled: Filled, tmp_path: Path) -> None:
    shutil.copytree(filled.folder, tmp_path / "copy")
    assert outcome(filled, tmp_path / "copy") == "whole"


@pytest.mark.parametrize("which", range(3))
def test_a_flipped_bit_in_a_segment_is_told_healed_or_touched_nothing(
    filled: Filled, tmp_path: Path, which: int
) -> None:
    name = names(filled)[which]
    size = (filled.folder / name).stat().st_size
    chance = random.Random(which)
    heads = [(page * PAGE + chance.randrange(128)) * 8 for page in range(size // PAGE)]
    anywhere = [chance.randrange(size * 8) for _ in range(FLIPS)]
    assert wrong(outcomes(filled, tmp_path, name, heads + anywhere)) == {}


@pytest.mark.parametrize("which", [1, 2])
def test_a_flipped_bit_in_a_log_is_healed_or_touched_nothing(
    filled: Filled, tmp_path: Path, which: int
) -> None:
    name = names(filled)[which] + "-wal"
    size = (filled.folder / name).stat().st_size
    chance = random.Random(10 + which)
    said = outcomes(filled, tmp_path, name, [chance.randrange(size * 8) for _ in range(FLIPS)])
    assert wrong(said) == {}
    assert "healed" in said.values()


def test_a_flipped_bit_in_a_settled_segment_is_healed_or_touched_nothing(
    filled: Filled, tmp_path: Path
) -> None:
    settled = tmp_path / "settled"
    shutil.copytree(filled.folder, settled)
    segment = list_segments(settled)[1]
    assert settle(segment)
    size = segment.path.stat().st_size
    chance = random.Random(20)
    heads = [(page * PAGE + chance.randrange(64)) * 8 for page in range(size // PAGE)]
    anywhere = [chance.randrange(size * 8) for _ in range(FLIPS)]
    copy = Filled(settled, filled.senders, filled.late, filled.ground)
    said = outcomes(copy, tmp_path, segment.path.name, heads + anywhere)
    assert wrong(said) == {}
    assert "healed" in said.values()


def test_a_flipped_bit_in_the_last_commit_of_the_log_is_healed(
    filled: Filled, tmp_path: Path
) -> None:
    """It looks as a power cut does, so a generation begins: what was acknowledged comes again."""
    name = names(filled)[-1] + "-wal"
    last = (filled.folder / name).stat().st_size - PAGE - 24
    bits = [(last + byte) * 8 + byte % 8 for byte in (0, 5, 9, 13, 17, 23, 24, 5000)]
    assert set(outcomes(filled, tmp_path, name, bits).values()) == {"healed"}


def test_a_lost_log_or_segment_is_healed(filled: Filled, tmp_path: Path) -> None:
    """But the log of the newest alone: such a segment looks as if it had never been used."""
    _, second, third = names(filled)
    for number, name in enumerate((second, second + "-wal", third)):
        shutil.copytree(filled.folder, tmp_path / str(number))
        (tmp_path / str(number) / name).unlink()
        assert outcome(filled, tmp_path / str(number)) == "healed", name


def test_what_was_damaged_is_kept_aside(filled: Filled, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    shutil.copytree(filled.folder, folder)
    name = names(filled)[-1] + "-wal"
    flip(folder / name, ((folder / name).stat().st_size - 100) * 8)
    damaged = (folder / name).read_bytes()
    assert outcome(filled, folder) == "healed"
    (aside,) = folder.glob("aside-*")
    assert (aside / name).read_bytes() == damaged
    assert outcome(filled, folder) == "healed", "and no other generation is begun"
    assert len(list(folder.glob("aside-*"))) == 1
