"""A line between two peers that loses, doubles and reorders, if it is told to, or stalls."""

from collections import Counter, deque
from dataclasses import dataclass, field
from random import Random

from protos import sync_pb2 as pb


@dataclass(eq=False)
class Link:
    """One connection. ``spoils``: how likely a message meets a fault; 0 is TCP.

    ``is_stalled``: nothing arrives on either side, and neither is told. ``is_ended``: the cloud
    has closed it. ``is_broken``: and the gateway notices.
    """

    chance: Random
    spoils: float
    faults: Counter[str]
    up: deque[pb.GatewayMessage] = field(default_factory=deque)
    down: deque[pb.CloudMessage] = field(default_factory=deque)
    is_ended: bool = False
    is_stalled: bool = False
    is_broken: bool = False

    def say(self, message: pb.GatewayMessage) -> None:
        """From the gateway."""
        self._put(self.up, message)

    def tell(self, message: pb.CloudMessage) -> None:
        """From the cloud."""
        self._put(self.down, message)

    def _put(self, queue: deque, message: object) -> None:  # type: ignore[type-arg]
        if self.chance.random() >= self.spoils:
            queue.append(message)
            return
        fault = self.chance.choice(("lost", "doubled", "reordered"))
        self.faults[fault] += 1
        if fault == "doubled":
            queue.extend((message, message))
        elif fault == "reordered":
            queue.insert(self.chance.randint(0, len(queue)), message)
