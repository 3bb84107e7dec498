"""Blocks set apart over HTTP: listed, filtered, paged, and looked at one by one."""

from hashlib import sha256
from pathlib import Path

import pytest

from cloud.journal.sqlite.quarantine import Cause, Quarantine, Quarantined
from protos.block import read_header
from tests.cloud.lake_world import T0
from tests.cloud.serve_world import World

DAY = 86_400_000_000


def put(apart: Quarantine, n: int, data: bytes, cause: Cause = Cause.POISON) -> Quarantined:
    gateway = "gw-1" if n % 2 else "gw-2"
    reason = f"body, row {n}: no such series"
    block = Quarantined(
        gateway, 1, n, sha256(data).digest(), cause, n, reason, 1, T0 + n * DAY, len(data)
    )
    apart.put(block, data)
    return block


@pytest.fixture
def apart(tmp_path: Path):
    apart = Quarantine(tmp_path / "quarantine.db")
    yield apart
    apart.close()


@pytest.fixture
def world(tmp_path: Path, apart: Quarantine):
    world = World(tmp_path / "lake", apart=apart.list, apart_data=apart.data)
    world.fill()
    yield world
    world.close()


def test_blocks_set_apart_are_listed_the_last_first_page_by_page(world, apart):
    put_in = [put(apart, n, b"no block %d" % n).hash.hex() for n in range(1, 6)]
    assert world.get("/api/v1/quarantine?limit=0", 400)["error"]["parameter"] == "limit"
    found, cursor = [], ""
    while True:
        answer = world.get(f"/api/v1/quarantine?limit=2{cursor}")
        assert answer["total"] == 5
        found += [row["block"] for row in answer["quarantine"]]
        if answer["next"] is None:
            break
        cursor = f"&cursor={answer['next']}"
    assert found == put_in[::-1]


def test_blocks_are_found_by_gateway_state_cause_and_words(world, apart):
    held = [put(apart, n, b"no block %d" % n) for n in range(1, 5)]
    put(apart, 6, b"another stream", Cause.FORK)
    apart.discard(held[0], T0 + 9 * DAY, "Spoilt by a bad card")

    def seqs(asked: str) -> list[int]:
        return [row["seq"] for row in world.get(f"/api/v1/quarantine?{asked}")["quarantine"]]

    assert seqs("gateway=gw-1") == [3, 1]
    assert seqs("state=discarded") == [1]
    assert seqs("state=held,releasing&cause=poison") == [4, 3, 2]
    assert seqs("cause=fork") == [6]
    assert seqs("q=BAD+card") == [1]
    assert seqs("q=row+3") == [3]
    assert seqs(f"q={held[1].hash.hex()[:12]}") == [2]
    (row,) = world.get("/api/v1/quarantine?state=discarded")["quarantine"]
    assert (row["why"], row["settled"]) == ("Spoilt by a bad card", T0 + 9 * DAY)
    refused = world.get("/api/v1/quarantine?state=hold", 400)["error"]
    assert (refused["parameter"], refused["nearest"]) == ("state", "held")


def test_a_block_may_be_looked_at_and_says_of_itself_what_it_can(world, apart):
    sound = world.journal.entries[0].data
    block = put(apart, 1, sound)
    answer = world.get(f"/api/v1/quarantine/{block.hash.hex()}")
    header, _ = read_header(sound)
    assert answer["kept"] is True
    assert answer["fault"] == ""
    assert answer["header"]["ts_max"] == header.ts_max_us
    assert answer["header"]["rows"]["numbers"] == 60
    assert (answer["seq"], answer["readings"]) == (1, 60)

    torn = world.get(f"/api/v1/quarantine/{put(apart, 2, b'no block').hash.hex()}")
    assert torn["header"] is None
    assert torn["fault"]

    apart.discard(block, T0, "enough")
    gone = world.get(f"/api/v1/quarantine/{block.hash.hex()}")
    assert (gone["kept"], gone["header"], gone["fault"]) == (False, None, "")


def test_a_block_that_is_not_set_apart_is_refused_and_a_name_that_is_none_too(world):
    missing = world.get(f"/api/v1/quarantine/{'0' * 64}", 404)["error"]
    assert missing["parameter"] == "block"
    assert world.get("/api/v1/quarantine/ff", 400)["error"]["parameter"] == "block"
