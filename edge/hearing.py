"""Who listens when a batch was read: the log of rejects, `top`, Sparkplug's hosts, the memoir."""

import asyncio
from collections.abc import Mapping
from typing import Final

from edge.agent_parts import Clients
from edge.config import EdgeConfig
from edge.heard import Heard
from edge.ingest import Inbox
from edge.memoir import Memoir
from edge.message import Messages
from edge.reading import Reader
from edge.rejected import RejectLog
from edge.sparkplug_host import SparkplugHost
from edge.traffic import Traffic

NODES: Final = "spBv1.0/"


class Hearing:
    """Tells each of them what concerns it.

    Args:
        config: of the gateway.
        reader: whose batches they are.
        inbox: where they came from.
        clients: makes the hosts', for each broker by its name.
        loop: the hosts', and the memoir's.
        memoir: keeps what was taught.
    """

    def __init__(
        self,
        config: EdgeConfig,
        reader: Reader,
        inbox: Inbox,
        clients: Mapping[str, Clients],
        loop: asyncio.AbstractEventLoop,
        memoir: Memoir,
    ) -> None:
        self.traffic = Traffic(reader.origin)
        self.hosts = {name: _host(made, config.host_id) for name, made in clients.items()}
        self._is_host = config.settings.sparkplug.enabled
        self._begun: set[str] = set()
        self._rejects = RejectLog()
        self._reader = reader
        self._inbox = inbox
        self._loop = loop
        self._memoir = memoir

    def take(self, messages: Messages, heard: Heard) -> None:
        """Take a batch as it was read; on the collect thread, so quick."""
        self._rejects.add(heard.rejects, heard.counts.unkept)
        self._inbox.unwanted = self._reader.unwanted
        self.traffic.add(messages.topics)
        if self._is_host and (heard.asked or self._reader.hears_nodes):
            self._be_host(messages, heard)
        lessons = self._reader.take_lessons()
        if lessons:
            self._loop.call_soon_threadsafe(self._memoir.add, lessons)

    def _be_host(self, messages: Messages, heard: Heard) -> None:
        """Begin as a host at each broker that nodes are heard at, and ask there what is asked."""
        for name in self._with_nodes(messages) - self._begun:
            self._begun.add(name)
            self._loop.call_soon_threadsafe(self.hosts[name].add, ())
        for name, one in heard.asked:
            self._loop.call_soon_threadsafe(self.hosts[name].add, (one,))

    def _with_nodes(self, messages: Messages) -> set[str]:
        """Brokers of this batch that sent a message of a node; known ones are not looked at."""
        found, at = set(), 0
        for burst in messages.bursts:
            topics = messages.topics[at : at + burst.count]
            at += burst.count
            if burst.broker not in self._begun and any(one.startswith(NODES) for one in topics):
                found.add(burst.broker)
        return found


def _host(clients: Clients, host_id: str) -> SparkplugHost:
    return SparkplugHost(lambda *will: clients("host", *will), host_id)
