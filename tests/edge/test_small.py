"""What keeps an agent small is done for it, and what it loads late may fail without ending it."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from edge import config, delivery, identity, memory, upkeep
from edge.commands.run import _load_early
from edge.errors import LibraryError


async def test_an_agent_gives_back_memory_for_ever_and_off_its_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop_thread, seen, enough = asyncio.get_running_loop(), Counter[str](), asyncio.Event()
    mappings = (memory.Mapping(0, 4096, 0, "r--p a library"),)

    def record(name: str) -> Any:
        def done(*arguments: object) -> object:
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()  # a look at all mappings would hold up everything
            assert arguments in ((), (mappings,))
            seen[name] += 1
            if seen["let_go"] > 3 and seen["settle"]:
                loop_thread.call_soon_threadsafe(enough.set)
            return mappings

        return done

    for name in ("unwritten", "cut", "let_go", "settle"):
        monkeypatch.setattr(memory, name, record(name))
    for name in ("CODE_KEPT_S", "CODE_KEPT_AT_START_S", "SETTLED_S"):
        monkeypatch.setattr(upkeep, name, 0.001)
    task = asyncio.create_task(upkeep.stay_small())
    await asyncio.wait({task, asyncio.create_task(enough.wait())}, return_when="FIRST_COMPLETED")
    task.cancel()
    assert enough.is_set()
    assert (seen["cut"], seen["settle"]) == (1, 1)


def test_a_library_that_does_not_load_does_not_keep_an_agent_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "LINKS", ("a_library_that_is_gone",))
    monkeypatch.setattr(identity, "is_enrolled", lambda _folder: True)
    (tmp_path / config.FILE_NAME).write_text(
        '[gateway]\nname = "gw"\n\n[models]\nenabled = false\n'
    )
    with pytest.raises(LibraryError, match="a_library_that_is_gone"):
        memory.load(*delivery.LINKS)
    _load_early(config.load(tmp_path))
