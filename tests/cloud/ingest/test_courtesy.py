"""Decoding steps aside for a loop that is late, and never for ever."""

import asyncio
import threading
import time

from cloud.ingest.courtesy import LATE_S, Courtesy


def test_nobody_waits_while_the_loop_is_in_time() -> None:
    courtesy = Courtesy(aside_s=3600.0)
    courtesy.step_aside()
    courtesy.heard(LATE_S / 2)
    courtesy.step_aside()


def test_a_step_aside_ends_when_the_loop_is_in_time_again() -> None:
    courtesy = Courtesy(aside_s=3600.0)
    courtesy.heard(2 * LATE_S)
    done = threading.Event()

    def decode() -> None:
        courtesy.step_aside()
        done.set()

    threading.Thread(target=decode, daemon=True).start()
    assert not done.wait(0.05)
    courtesy.heard(0.0)
    assert done.wait(20)


def test_a_loop_that_stays_late_holds_nobody_for_ever() -> None:
    courtesy = Courtesy(aside_s=0.01)
    courtesy.heard(1.0)
    courtesy.step_aside()


async def test_the_loop_itself_is_measured() -> None:
    courtesy = Courtesy(aside_s=3600.0)
    seen: list[float] = []
    heard = courtesy.heard
    courtesy.heard = lambda late_s: (seen.append(late_s), heard(late_s))[1]  # type: ignore[method-assign]
    watching = asyncio.create_task(courtesy.watch())
    async with asyncio.timeout(20):
        while not seen:
            await asyncio.sleep(0.001)
        time.sleep(5 * LATE_S)
        while max(seen) < 2 * LATE_S:
            await asyncio.sleep(0.001)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    courtesy.step_aside()  # who stopped watching holds nobody
