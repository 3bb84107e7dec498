"""A small HTTP CONNECT proxy: counts what goes through it, and may ask for a password."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class ConnectProxy:
    """``tunnels`` are the targets asked for; the bytes are those inside tunnels."""

    credentials: str = ""
    tunnels: list[str] = field(default_factory=list)
    refused: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    port: int = 0
    open_now: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break every tunnel as a proxy that restarts does."""
        for writer in self.open_now:
            writer.transport.abort()

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:])
        }
        wanted = f"Basic {base64.b64encode(self.credentials.encode()).decode()}"
        if self.credentials and headers.get("proxy-authorization") != wanted:
            self.refused += 1
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            writer.close()
            return
        assert method == "CONNECT"
        self.tunnels.append(target)
        host, _, port = target.rpartition(":")
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
            writer.close()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.open_now |= {writer, far_writer}
        try:
            await asyncio.gather(
                self._copy(reader, far_writer, "bytes_up"),
                self._copy(far_reader, writer, "bytes_down"),
            )
        finally:
            self.open_now -= {writer, far_writer}

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: str
    ) -> None:
        try:
            while data := await reader.read(65536):
                setattr(self, count, getattr(self, count) + len(data))
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def connect_proxy(credentials: str = "") -> AsyncIterator[ConnectProxy]:
    """A running proxy on loopback; ``credentials`` are `user:password`, empty for none."""
    proxy = ConnectProxy(credentials)
    server = await asyncio.start_server(proxy.serve_one, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        proxy.cut()
        server.close()
        await server.wait_closed()
