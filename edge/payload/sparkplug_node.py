"""Pure: what a host knows of one Sparkplug node: aliases, its sequence, and whether it lives.

Messages are read as they come; their order matters only for what was lost. A gap in `seq` may close
by itself within `REORDER_US`; then a rebirth is asked for. After a restart of ours every node is
asked for its birth at its first message; until it comes, what its last birth said is taken for
true, and told to be wrong if the new one says otherwise.
"""

from typing import Final

import msgspec

from edge.payload.known import Bounded, Known, Publish
from edge.payload.said import Channel
from protos import sparkplug_pb2 as pb

NAMESPACE: Final = "spBv1.0"
NODES_MAX: Final = 1024
METRICS_MAX: Final = 100_000
"""Metrics and devices of all nodes together; what is beyond is read by its name alone."""
NAME_CHARS_MAX: Final = 255
REORDER_US: Final = 5_000_000
"""How long a message may be late before it counts as lost."""
ASK_AGAIN_US: Final = 30_000_000
SEQ_MOD: Final = 256
_EARLY_MAX: Final = 64
_BOOLEAN: Final = 11
GUESSES_MAX: Final = 1024
"""Aliases of before a restart that a node may use before its birth."""


class Born(msgspec.Struct, frozen=True):
    """A metric of a birth; ``field`` is where its values stand if they are plain numbers."""

    channel: Channel
    datatype: int
    field: str = ""


class Node:
    """One edge node; its name is `group/node`."""

    def __init__(self, group: str, name: str, nodes: "Nodes") -> None:
        self.device = f"{group}/{name}"
        self.aliases: dict[int, Born] = {}
        self.names: dict[tuple[str, str], Born] = {}
        self.devices: dict[str, bool] = {}
        self.is_born = False
        self.bd_seq: int | None = None
        self._nodes = nodes
        self._room = 0
        self._group = group
        self._name = name
        self._next: int | None = None
        self._early: set[int] = set()
        self._gap_us = 0
        self._asked_us: int | None = None
        self._guesses: dict[int, str] = {}

    def guess(self, alias: int) -> None:
        """Note that a value was read by an alias of before our restart."""
        if len(self._guesses) < GUESSES_MAX and alias in self.aliases:
            self._guesses[alias] = self.aliases[alias].channel[0]

    def was_wrong(self, alias: int, name: str) -> str:
        """What an alias was taken for before it was born again as ``name``; empty: just that."""
        guessed = self._guesses.pop(alias, name)
        return guessed if guessed != name else ""

    def born(self, seq: int, bd_seq: int | None) -> None:
        """Take a birth of the node: all that was known before is void."""
        self.aliases.clear()
        self.names.clear()
        self.devices.clear()
        self.is_born, self.bd_seq = True, bd_seq
        self._next = (seq + 1) % SEQ_MOD
        self._early.clear()
        self._gap_us = 0
        self._asked_us = None

    def died(self) -> list[str]:
        """Take the death of the node; the devices that die with it."""
        stale = [name for name, lives in self.devices.items() if lives]
        self.is_born, self._next = False, None
        for name in stale:
            self.devices[name] = False
        return stale

    @property
    def size(self) -> int:
        """Metrics and devices that are remembered."""
        return len(self.names) + len(self.devices)

    def make_room(self) -> None:
        """Look how much may be remembered of the birth that comes now."""
        self._room = METRICS_MAX - self._nodes.size

    def lives(self, device: str, alive: bool) -> None:
        """Remember whether a device lives."""
        if device in self.devices or (self._room > 0 and len(device) <= NAME_CHARS_MAX):
            self.devices[device] = alive

    def add(self, device: str, name: str, alias: int | None, born: Born) -> None:
        """Remember a metric of a birth."""
        if self._room <= 0 or len(name) + len(device) > NAME_CHARS_MAX:
            return
        self._room -= 1
        self.names[device, name] = born
        if alias is not None:
            self.aliases[alias] = born

    def heard(self, seq: int | None, now_us: int, known: Known) -> None:
        """Follow the sequence; ask for a rebirth when something is lost for good."""
        if not self.is_born:
            self.ask(now_us, known)
        if self._next is None or seq is None:
            return
        if seq == self._next:
            self._next = (seq + 1) % SEQ_MOD
            while self._next in self._early:
                self._early.remove(self._next)
                self._next = (self._next + 1) % SEQ_MOD
            if not self._early:
                self._gap_us = 0
        elif (seq - self._next) % SEQ_MOD < SEQ_MOD // 2:
            self._early.add(seq)
            self._gap_us = self._gap_us or now_us
        if self._gap_us and (now_us - self._gap_us > REORDER_US or len(self._early) > _EARLY_MAX):
            self.ask(now_us, known)

    def ask(self, now_us: int, known: Known) -> None:
        """Ask for a rebirth, but not again too soon."""
        if self._asked_us is not None and 0 <= now_us - self._asked_us < ASK_AGAIN_US:
            return
        self._asked_us = now_us
        topic = f"{NAMESPACE}/{self._group}/NCMD/{self._name}"
        if set(topic) & {"+", "#", "\0"}:
            return
        known.ask(Publish(topic, rebirth(now_us)))


def rebirth(now_us: int) -> bytes:
    """The payload of the command that asks a node for its births."""
    payload = pb.Payload(timestamp_ms=now_us // 1000)
    payload.metrics.add(
        name="Node Control/Rebirth",
        timestamp_ms=now_us // 1000,
        datatype=_BOOLEAN,
        bool_value=True,
    )
    return payload.SerializeToString()


class Nodes:
    """All nodes that were heard."""

    def __init__(self) -> None:
        self._nodes: Bounded[tuple[str, str], Node] = Bounded(NODES_MAX)

    def of(self, group: str, name: str) -> Node:
        """A node, unborn when it is new."""
        node = self._nodes.get((group, name))
        if node is None:
            node = Node(group, name, self)
            if len(group) + len(name) <= NAME_CHARS_MAX:
                self._nodes.put((group, name), node)
        return node

    @property
    def size(self) -> int:
        """Metrics and devices of all nodes that are remembered."""
        return sum(node.size for node in self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)
