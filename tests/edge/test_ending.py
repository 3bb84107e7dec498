"""Tasks end though a cancellation was passed over."""

import asyncio

from edge.ending import cancelled


async def test_a_task_that_passed_over_its_cancellation_is_cancelled_again() -> None:
    passed: list[str] = []

    async def deaf_once() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            passed.append("over")
        await asyncio.Event().wait()

    task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    await cancelled([task], again_s=0.01)
    assert passed == ["over"]
    assert task.cancelled()


async def test_a_task_that_tidies_up_is_given_its_time() -> None:
    tidied: list[str] = []

    async def tidy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            tidied.append("up")

    tasks = [asyncio.create_task(tidy()) for _ in range(3)]
    await asyncio.sleep(0)
    await cancelled(tasks)
    assert tidied == ["up"] * 3


async def test_what_is_done_already_is_left_alone() -> None:
    task = asyncio.create_task(asyncio.sleep(0, "an answer"))
    await task
    await cancelled([task])
    assert task.result() == "an answer"
