"""From the streams to the registry: news of gateways, bounded, the newest first to count."""

import asyncio
from collections.abc import Callable, Sequence

from google.protobuf.json_format import MessageToDict

from cloud.ingest.service import Presence
from cloud.registry.registry import Registry


def news_into(heard: "asyncio.Queue[Presence]") -> Callable[[Presence], None]:
    """A callback for the streams that never blocks: in a full queue the oldest news gives way."""

    def put(one: Presence) -> None:
        if heard.full():
            heard.get_nowait()
        heard.put_nowait(one)

    return put


def note_all(registry: Registry, told: Sequence[Presence]) -> None:
    """Keep what gateways said of themselves: one write to the disk, however many came at once.

    Blocks. StorageError when the registry cannot be written.
    """
    with registry.transaction():
        for one in told:
            status = MessageToDict(one.status, preserving_proto_field_name=True)
            registry.seen(one.gateway, one.since_us, one.agent_version, status)
