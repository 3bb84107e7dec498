"""The book of series, made anew of tables while the view goes on."""

from pathlib import Path

from tests.cloud.live.test_live import World, held


def test_tables_that_are_ahead_of_the_view_and_opened_anew_are_counted_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send()
    world.follow()
    world.send()
    world.send()
    world.consolidator.run_once()
    world.consolidator.recover()  # after a fault, say: the book is made of the tables
    assert world.live.book.counts()[1] == 15
    world.follow()
    world.send()
    world.follow()
    assert world.live.book.counts()[1] == 20
    assert len(held(world.live.view)) == 20
