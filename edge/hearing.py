"""Who listens when a batch was read: the log of rejects, `top`, Sparkplug's host, the memoir."""

import asyncio

from edge.agent_parts import Clients
from edge.config import EdgeConfig
from edge.heard import Heard
from edge.memoir import Memoir
from edge.message import Messages
from edge.reading import Reader
from edge.rejected import RejectLog
from edge.sparkplug_host import SparkplugHost
from edge.traffic import Traffic


class Hearing:
    """Tells each of them what concerns it.

    Args:
        config: of the gateway.
        reader: whose batches they are.
        clients: makes the host's.
        loop: the host's, and the memoir's.
        memoir: keeps what was taught.
    """

    def __init__(
        self,
        config: EdgeConfig,
        reader: Reader,
        clients: Clients,
        loop: asyncio.AbstractEventLoop,
        memoir: Memoir,
    ) -> None:
        self.traffic = Traffic(reader.origin)
        self.host = SparkplugHost(lambda *will: clients("host", *will), config.host_id)
        self._is_host = config.settings.sparkplug.enabled
        self._rejects = RejectLog()
        self._reader = reader
        self._loop = loop
        self._memoir = memoir

    def take(self, messages: Messages, heard: Heard) -> None:
        """Take a batch as it was read; on the collect thread, so quick."""
        self._rejects.add(heard.rejects)
        self.traffic.add(messages.topics)
        if self._is_host and (heard.asked or self._reader.hears_nodes):
            self._loop.call_soon_threadsafe(self.host.add, heard.asked)
        lessons = self._reader.take_lessons()
        if lessons:
            self._loop.call_soon_threadsafe(self._memoir.add, lessons)
