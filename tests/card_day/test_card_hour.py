"""What five messages a second write to a card: an hour in simulated time, minutes in real time."""

import os
import random
from pathlib import Path

import pytest

from edge.card import process_written
from edge.keys import find_key, make_key_file
from edge.wear import Wear
from tests.card_day.card import mounted
from tests.card_day.day import DAY_S, PER_S, WRITTEN_MAX, Day
from tests.edge.conftest import BufferWorld

HOUR_S = 3600.0
SEND_EVERY_S = 900.0


def test_an_hour_of_commits_takes_its_part_of_a_days_budget_and_no_more(
    tmp_path: Path,
) -> None:
    """The real buffer on a card of its own; the kernel counts, time alone is simulated."""
    key = tmp_path / "buffer.key"
    make_key_file(key)
    world = BufferWorld(tmp_path / "card", random.Random(8), find_key(key, {}))
    with mounted(tmp_path, tmp_path / "card") as card:
        before = process_written()
        if card is None or before is None:
            pytest.skip("no file system can be mounted here, or the kernel does not count")
        store = world.open()
        device, messages = card.written() or 0, 0
        wear, now_s, sent_s, began = Wear(WRITTEN_MAX, 5.0), 0.0, 0.0, process_written() or 0
        store.begin_epoch(1, ()).result()
        while now_s < HOUR_S:
            rows = max(1, round((now_s + max(wear.spacing_s, 1 / PER_S)) * PER_S) - messages)
            now_s, messages = now_s + rows / PER_S, messages + rows
            store.commit(world.chunk(rows, counters={"messages": rows, "accepted": rows})).result()
            wear.committed(now_s, process_written() or 0)
            if now_s - sent_s >= SEND_EVERY_S:
                sent_s = now_s
                block = store.seal_next(bytes_target=65536, mono_us=1, wall_us=2).result()
                assert block is not None
                store.mark(block.header.seq, block.header.seq).result()
        part = HOUR_S / DAY_S * WRITTEN_MAX
        assert (process_written() or 0) - began <= part
        store.close()
        os.sync()
        assert (card.written() or 0) - device <= part
        assert messages == pytest.approx(PER_S * HOUR_S, rel=0.01)


@pytest.mark.campaign
@pytest.mark.broker
@pytest.mark.timeout(600)
def test_a_part_of_a_day_by_real_processes_is_as_status_says(tmp_path: Path) -> None:
    day = Day(tmp_path, sends=2, linger_s=45.0)
    figures = day.run()
    assert not day.faults, figures
