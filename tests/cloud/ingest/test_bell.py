"""The bell of streams: who waits is woken once, however many calls are decided together."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from cloud.ingest.bell import Bell


async def test_every_event_is_set_and_the_loop_is_woken_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bell, loop, woken = Bell(), asyncio.get_running_loop(), list[object]()
    call = loop.call_soon_threadsafe

    def wake(*told: object) -> asyncio.Handle:
        woken.append(told)
        return call(*told)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_soon_threadsafe", wake)
    events = [asyncio.Event() for _ in range(50)]
    futures = [Future[int]() for _ in events]
    for future, event in zip(futures, events, strict=True):
        bell.ring_after(future, event)

    def decide() -> None:
        for future in futures:
            future.set_result(1)

    with ThreadPoolExecutor(1) as writer:
        writer.submit(decide).result()  # the loop stands meanwhile
    assert len(woken) == 1
    await asyncio.gather(*(event.wait() for event in events))


async def test_what_was_decided_before_it_was_asked_for_rings_too() -> None:
    bell, event, future = Bell(), asyncio.Event(), Future[int]()
    future.set_exception(ValueError())
    bell.ring_after(future, event)
    await event.wait()
    event.clear()
    later = Future[int]()
    bell.ring_after(later, event)
    later.cancel()
    await event.wait()


def test_a_call_decided_after_the_loop_is_closed_harms_nobody() -> None:
    future = Future[int]()

    async def begin() -> None:
        Bell().ring_after(future, asyncio.Event())

    asyncio.run(begin())
    future.set_result(1)
    assert future.result() == 1
