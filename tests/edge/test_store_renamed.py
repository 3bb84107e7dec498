"""A buffer under another name: nothing of it is lost, and nothing that was stored is sent again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from edge.commands.enroll import _reread, _with_name
from edge.config import FILE_NAME, EdgeConfig, load
from edge.errors import OperatorError, StorageError
from edge.store.inspection import Inspection
from edge.store.limits import StoreLimits
from edge.store.store import Store
from protos.block import read_block
from tests.edge.conftest import MIB, BufferWorld, values_of

LIMITS = StoreLimits(bytes_max=64 * MIB)


def renamed(world: BufferWorld, name: str = "attic-2") -> Store:
    store = Store.open(
        world.path, gateway=name, keys=world.keys, limits=LIMITS, boot_id=bytes(16),
        begun_as=world.gateway,
    )  # fmt: skip
    world.stores.append(store)
    return store


def values(store: Store) -> list[tuple[Any, ...]]:
    blocks = store.blocks_from(1, 1 << 40).result()
    return sorted(value for block in blocks for value in values_of(read_block(block.data)[2]))


def half_delivered(world: BufferWorld) -> list[tuple[Any, ...]]:
    """A buffer of which the first block is stored, the second sealed, the rest chunks."""
    store = world.open()
    kept: list[tuple[Any, ...]] = []
    store.begin_epoch(4, (), generation=9).result()
    for number in range(3):
        chunk = world.chunk(30, new_series=1)
        store.commit(chunk).result()
        if number:
            kept += values_of(chunk.batch)
        if number < 2:
            assert store.seal_next(bytes_target=65536, mono_us=1, wall_us=2).result()
            store.mark(1, 0, 9).result()  # written with the next state that is
    store.close()
    return sorted(kept)


def test_what_the_cloud_lacks_goes_under_the_new_name_and_the_rest_not_again(
    world: BufferWorld,
) -> None:
    kept = half_delivered(world)
    store = renamed(world)
    state = store.sync_state().result()
    assert (state.epoch, state.head, state.stored, state.generation) == (0, 0, 0, 0)
    assert state.series_high == len(world.entries)
    assert state.unsealed_rows == len(kept)
    world.drain(store)
    assert values(store) == kept
    (block, *_) = store.blocks_from(1, 1 << 40).result()
    assert (block.header.gateway, block.header.epoch) == ("attic-2", 1)


def test_a_renamed_buffer_lives_on_as_any_other(world: BufferWorld) -> None:
    kept = half_delivered(world)
    renamed(world).close()
    store = renamed(world)
    chunk = world.chunk(20)
    store.commit(chunk).result()
    world.drain(store)
    store.close()
    again = renamed(world)
    assert values(again) == sorted(kept + values_of(chunk.batch))
    assert again.sync_state().result().head > 0, "the second opening begins no new life"
    again.close()
    third = renamed(world, "attic-3")
    assert third.sync_state().result().head == 0
    world.drain(third)
    assert values(third) == sorted(kept + values_of(chunk.batch))


def test_a_change_of_name_that_was_cut_off_never_happened(
    world: BufferWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = half_delivered(world)

    def dies(*_: object) -> None:
        raise apsw.IOError("the disk is gone")

    with monkeypatch.context() as cut:
        cut.setattr("edge.store.renamed.write_state", dies)
        with pytest.raises(StorageError, match="the disk is gone"):
            renamed(world)
    old = world.open()
    state = old.sync_state().result()
    assert (state.epoch, state.head, state.stored) == (4, 2, 1)
    assert len(old.blocks_from(1, 1 << 40).result()) == 2
    old.close()
    store = renamed(world)
    world.drain(store)
    assert values(store) == kept


@pytest.mark.parametrize("is_opened", [False, True])
def test_a_renamed_buffer_is_whole_to_whoever_verifies_it(
    world: BufferWorld, is_opened: bool
) -> None:
    half_delivered(world)
    if is_opened:
        store = renamed(world)
        world.drain(store)
        store.close()
    with Inspection.of(world.path, gateway=world.gateway, keys=world.keys, limits=LIMITS) as look:
        assert list(look.damage()) == []


def test_another_name_alone_does_not_open_a_buffer(world: BufferWorld) -> None:
    half_delivered(world)
    with pytest.raises(StorageError):
        replace(world, gateway="attic-2").open()


def config(home: Path, text: str) -> EdgeConfig:
    (home / FILE_NAME).write_text(text)
    return load(home)


@pytest.mark.parametrize(
    "text",
    [
        '[gateway]\nname = "attic"\n',
        '# head\n\n[gateway]\n# The name.\n  name = "attic"  # ours\n# begun_as = ""\n\n[log]\n',
        '[log]\nlevel = "debug"\n[gateway]\nname = "attic"\n[broker]\nurl = "mqtt://h"\n',
    ],
)
def test_the_settings_keep_everything_but_the_name(tmp_path: Path, text: str) -> None:
    before = config(tmp_path, text)
    after = _reread(before, _with_name(text, before, "cellar"))
    assert (after.name, after.buffer_name) == ("cellar", "attic")
    third = config(tmp_path, _with_name(text, before, "cellar"))
    last = _reread(third, _with_name(third.settings_path.read_text(), third, "roof"))
    assert (last.name, last.buffer_name) == ("roof", "attic")
    assert last.settings.log == before.settings.log
    assert last.settings.broker == before.settings.broker


def test_settings_of_another_style_are_left_to_their_owner(tmp_path: Path) -> None:
    odd = config(tmp_path, 'gateway = { name = "attic" }\n')
    with pytest.raises(OperatorError, match="write another name") as caught:
        _reread(odd, _with_name(odd.settings_path.read_text(), odd, "cellar"))
    assert 'begun_as = "attic"' in caught.value.hint
