"""How the live view follows the journal: at once after a pause, then in steps."""

import threading
from pathlib import Path

import pytest

from tests.cloud.live.test_live import World, held, wait_for


def test_the_first_block_after_a_pause_shows_at_once_and_who_gathers_can_be_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.live.live.GATHER_S", 3600.0)
    world = World(tmp_path / "lake")
    world.live.start()
    world.send()
    wait_for(lambda: len(held(world.live.view)) == 5)
    world.send()
    ending = threading.Thread(target=world.live.stop, daemon=True)
    ending.start()
    ending.join(20)
    assert not ending.is_alive()
    assert len(held(world.live.view)) == 5  # what came since was gathering
    world.consolidator.close()
