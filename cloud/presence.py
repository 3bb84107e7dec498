"""From the streams to the registry: news of gateways, bounded, the newest first to count."""

import asyncio
from collections.abc import Callable

from cloud.ingest import Presence


def news_into(heard: "asyncio.Queue[Presence]") -> Callable[[Presence], None]:
    """A callback for the streams that never blocks: in a full queue the oldest news gives way."""

    def put(one: Presence) -> None:
        if heard.full():
            heard.get_nowait()
        heard.put_nowait(one)

    return put
