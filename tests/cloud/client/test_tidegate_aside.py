"""The client that is awaited: the same answers, and a reading that is given up ends."""

import asyncio
import threading

import pytest

import tidegate
from cloud.rollup.partials import MINUTE_US
from tests.cloud.client.served_world import Served
from tests.cloud.lake_world import T0

HOUR = (T0, T0 + 60 * MINUTE_US)


async def test_what_is_awaited_is_what_is_waited_for(served: Served) -> None:
    waiting, awaiting = tidegate.connect(served.url), tidegate.connect_async(served.url)
    assert (await awaiting.status())["lake"] == waiting.status()["lake"]
    some = awaiting.series(match="*/d[0-9]??/*")
    frame, same = awaiting.history(some, *HOUR), waiting.history(some, *HOUR)
    assert (await frame.to_polars()).equals(same.to_polars())
    assert (await frame.to_arrow()).equals(same.to_arrow())
    assert (await frame.to_pandas()).equals(same.to_pandas())
    assert (await frame.to_duckdb()).count("*").fetchall() == [(120,)]
    assert [row async for row in frame.rows()] == list(same.rows())
    assert frame.result.about["resolution"] == "raw"


async def test_batches_come_one_by_one_while_other_things_are_done(served: Served) -> None:
    cloud = tidegate.connect_async(served.url, page_rows=1000)
    result = cloud.history("long/temperature", *HOUR)
    served.asked.clear()
    sizes = []
    async for batch in result:
        sizes.append(len(batch))
        assert sum(path.endswith("history") for path, _ in served.asked) == len(sizes)
    assert sizes == [1000, 1000, 1000]


async def test_an_error_is_raised_as_it_is(served: Served) -> None:
    cloud = tidegate.connect_async(served.url)
    with pytest.raises(tidegate.NotFoundError, match="did you mean long/temperature"):
        await cloud.history("long/temp", *HOUR).to_polars()
    with pytest.raises(tidegate.BadQuestionError, match="kind"):
        await anext(aiter(cloud.series(kind="gaug")))


async def test_whoever_is_cancelled_leaves_no_thread_at_work() -> None:
    heard = asyncio.Event()
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        heard.set()
        assert await reader.read() == b""  # until the caller hangs up
        writer.close()
        gone.set()

    before = {thread.ident for thread in threading.enumerate()}
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        cloud = tidegate.connect_async(f"http://127.0.0.1:{port}", timeout=3600)
        asking = asyncio.create_task(cloud.gaps().to_polars())
        await heard.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(gone.wait(), 60)
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.shutdown_default_executor(), 60)
    left = [t for t in threading.enumerate() if t.ident not in before and t.is_alive()]
    assert [thread.name for thread in left if "asyncio" in thread.name] == []
