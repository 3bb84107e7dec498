"""What was delivered and acknowledged, message by message, and what history must hold of it.

Every message has a number, which is in its value: so a loss and a double can never cancel out.
Kinds follow one another: flat JSON with a time of its own, flat JSON without, a bare scalar.
"""

import json
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

DEVICES = 8
PREFIX = "crash/"
METRICS = {"a": 0.25, "b": 0.5, "c": 0.0}


def message(number: int) -> tuple[str, bytes]:
    """Topic and payload of a message."""
    device = f"{PREFIX}d{number // 3 % DEVICES}"
    match number % 3:
        case 0:
            told = {"ts": round(time.time(), 6), "a": number + 0.25}
            return device, json.dumps(told).encode()
        case 1:
            return device, b'{"b":%d.5}' % number
        case _:
            return f"{device}/c", b"%d" % number


def number_in(topic: str, payload: bytes) -> int | None:
    """The number of a message on the wire; None when it is none of ours."""
    if not topic.startswith(PREFIX):
        return None
    said = json.loads(payload)
    value = said if not isinstance(said, Mapping) else said.get("a", said.get("b"))
    return int(value)


def is_timed(number: int) -> bool:
    return number % 3 == 0


@dataclass(slots=True)
class Verdict:
    """`lost` and `doubled` by message number; `doubled_untimed` counts surplus readings."""

    acknowledged: int
    lost: list[int]
    doubled: list[int]
    doubled_untimed: int
    foreign: int


@dataclass(slots=True)
class Heard:
    """What the wire to the agent carried.

    ``again`` holds, for a message that came more than once, every later (packet id, DUP).
    """

    first: array = field(default_factory=lambda: array("l"))  # type: ignore[type-arg]
    again: dict[int, list[tuple[int, bool]]] = field(default_factory=dict)
    acked: bytearray = field(default_factory=bytearray)
    deliveries: int = 0
    acknowledged: int = 0

    def delivered(self, number: int, packet_id: int, dup: bool) -> None:
        missing = number + 1 - len(self.first)
        if missing > 0:
            self.first.extend([-1] * missing)
            self.acked.extend(bytes(missing))
        self.deliveries += 1
        if self.first[number] < 0:
            self.first[number] = packet_id
        else:
            self.again.setdefault(number, []).append((packet_id, dup))

    def puback(self, number: int) -> None:
        if not self.acked[number]:
            self.acked[number] = 1
            self.acknowledged += 1

    def excused(self, number: int) -> int:
        """How many copies of an untimed message nobody could have told from new readings.

        A broker that lost its session's memory sends again as if for the first time: without DUP,
        or under another packet id than before.
        """
        if is_timed(number):
            return 0
        known, excused = {self.first[number]}, 0
        for packet_id, dup in self.again.get(number, ()):
            excused += not (dup and packet_id in known)
            known.add(packet_id)
        return excused

    def judge(self, history: Mapping[int, int]) -> Verdict:
        """``history``: how often each message's reading is in it."""
        lost = [n for n, acked in enumerate(self.acked) if acked and not history.get(n)]
        doubled, untimed, foreign = [], 0, 0
        for number, copies in history.items():
            if number >= len(self.first) or self.first[number] < 0:
                foreign += 1
                continue
            surplus = copies - 1
            untimed += min(surplus, self.excused(number))
            if surplus > self.excused(number):
                doubled.append(number)
        return Verdict(self.acknowledged, lost, doubled, untimed, foreign)


def numbers(metric: str, values: Iterable[float]) -> Counter[int]:
    """Message numbers from the values of one series."""
    return Counter(int(value - METRICS[metric]) for value in values)
