"""A bare gateway client, message by message, and blocks for it to send."""

import asyncio
from typing import Any

import grpc

from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH
from protos.series import EMPTY_ROOT
from protos.sync_pb2_grpc import SyncStub
from tests.contract.sender import Sender
from tests.sim.site import DEADLINE_S, Papers, Site

GATEWAY = "attic"


class Client:
    """One stream, message by message."""

    def __init__(self, site: Site, papers: Papers, gateway: str = GATEWAY) -> None:
        self.gateway = gateway
        self.channel = site.channel(papers)
        stub = SyncStub(self.channel)  # type: ignore[no-untyped-call]
        self.call = stub.Session()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.call.cancel()
        await self.channel.close()

    async def say(self, **body: Any) -> None:
        await self.call.write(pb.GatewayMessage(**body))

    async def hear(self) -> Any:
        """The next message, None at the end of the stream."""
        async with asyncio.timeout(DEADLINE_S):
            message = await self.call.read()
        return None if message is grpc.aio.EOF else message

    async def hello(self, **changes: Any) -> Any:
        hello: dict[str, Any] = {
            "protocol_min": 1,
            "protocol_max": 1,
            "gateway": self.gateway,
            "head_hash": GENESIS_HASH,
            "boot_id": bytes(16),
            "series_root": EMPTY_ROOT,
        }
        await self.say(hello=pb.Hello(**{**hello, **changes}))
        return await self.hear()

    async def begin(self) -> tuple[int, int]:
        """Session and epoch of a new gateway."""
        session = (await self.hello()).resume.session
        await self.say(epoch_request=pb.EpochRequest(session=session))
        return session, (await self.hear()).epoch_grant.epoch


class Blocks:
    """Blocks that follow one another, made without a journal."""

    def __init__(self, session: int, epoch: int, gateway: str = GATEWAY) -> None:
        self.sender = Sender(None, gateway)  # type: ignore[arg-type]
        self.sender.session, self.sender.epoch = session, epoch

    def next(self, size: int = 0) -> pb.BlockData:
        block = self.sender.make(size)
        where = {"session": self.sender.session, "epoch": self.sender.epoch}
        return pb.BlockData(**where, seq=block.header.seq, data=block.data)
