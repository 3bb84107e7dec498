"""Who listens when a batch was read: the log of rejects, `top`, and the Sparkplug host."""

import asyncio

from edge.agent_parts import Clients
from edge.config import EdgeConfig
from edge.heard import Heard
from edge.ingest import Inbox
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
        inbox: where they came from.
        clients: makes the host's.
        loop: the host's.
    """

    def __init__(
        self,
        config: EdgeConfig,
        reader: Reader,
        inbox: Inbox,
        clients: Clients,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.traffic = Traffic(reader.origin)
        self.host = SparkplugHost(lambda *will: clients("host", *will), config.host_id)
        self._is_host = config.settings.sparkplug.enabled
        self._rejects = RejectLog()
        self._reader = reader
        self._inbox = inbox
        self._loop = loop

    def take(self, messages: Messages, heard: Heard) -> None:
        """Take a batch as it was read; on the collect thread, so quick."""
        self._rejects.add(heard.rejects, heard.counts.unkept)
        self._inbox.unwanted = self._reader.unwanted
        self.traffic.add(messages.topics)
        if self._is_host and (heard.asked or self._reader.hears_nodes):
            self._loop.call_soon_threadsafe(self.host.add, heard.asked)
