"""Pure: what is on its way to the cloud: blocks and series in order, within the window.

Blocks leave by seq without a hole, each behind the declarations that it needs; going back to a seq
forgets what was sent after it. Bytes count from sending until the cloud has stored them.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from edge.sync_effects import Allowed, LoadEntries, Seal, Send
from edge.sync_pace import Pace, Sent
from protos import sync_pb2 as pb
from protos.block import Block
from protos.limits import (
    BLOCK_BYTES_TARGET,
    DECLARE_BYTES_MAX,
    DECLARE_ENTRIES_MAX,
    WINDOW_BYTES_MAX,
)
from protos.records import Kind
from protos.series import SeriesEntry, encode_entry

_NOTES: Final = frozenset({Kind.GAPS, Kind.CORRECTIONS})
"""What the buffer sends before all readings, whichever end of them was asked for."""


class Outbox:
    """One session's stream of an epoch. ``known``: series entries that the cloud acked.

    ``allowed`` is what may be sent, ``urgent`` whether chunks with anomalies are to go first once;
    ``is_level``: nothing waited when it was last looked with all allowed.
    """

    def __init__(self) -> None:
        self.session = 0
        self.epoch = 0
        self.window = 1
        self.known = 0
        self.next_seq = 1
        self.declared = 0
        self.pace = Pace()
        self.allowed, self.urgent, self.is_level = Allowed.ALL, False, False
        self._asks_urgent = False
        self._flight: deque[tuple[int, Sent]] = deque()  # (seq, block) sent and not yet stored
        self._flight_bytes = 0
        self._waiting: deque[Block] = deque()  # loaded, not yet sent
        self._resent = (0, 0)  # (from_seq, how many more resends of it are echoes)

    @property
    def in_flight(self) -> bool:
        """True when a block was sent and not yet stored."""
        return bool(self._flight)

    @property
    def may_all(self) -> bool:
        """True when all that waits may be sent."""
        return self.allowed is Allowed.ALL

    @property
    def waits(self) -> bool:
        """True when a loaded block could not be sent yet."""
        return bool(self._waiting)

    @property
    def room(self) -> int:
        """Bytes that may be sent now; at least 1, so that one block too big for any window goes."""
        return max(self.window - self._flight_bytes, 1)

    def has_room(self, bytes_more: int) -> bool:
        """True when so many more may be sent, or nothing is on its way."""
        return not self._flight or self._flight_bytes + bytes_more <= self.window

    @property
    def may_seal(self) -> bool:
        """True when a block more fits the window whatever its size, and the link is not ahead."""
        if not self._flight or self.allowed is Allowed.NOTHING:
            return self.allowed is not Allowed.NOTHING
        fits = self.has_room(BLOCK_BYTES_TARGET)
        return fits and self.pace.allows(self._flight_bytes, self.window)

    def next_seal(self) -> Seal:
        """What is to be sealed for the room there is."""
        self._asks_urgent = self.urgent or self.allowed is Allowed.URGENT
        if self._asks_urgent:
            return Seal(self.room, urgent_only=True)
        return Seal(self.pace.target(self.room), self.pace.next_end())

    def begin(self, resume: pb.Resume, from_seq: int) -> None:
        """The cloud resumed a session."""
        self.session, self.epoch, self.known = resume.session, resume.epoch, resume.series_known
        self.window = max(1, min(resume.window_bytes, WINDOW_BYTES_MAX))
        self.go_back(from_seq)

    def go_back(self, from_seq: int) -> None:
        """Send from ``from_seq`` again; what was sent before counts no longer."""
        self.next_seq, self.declared = from_seq, self.known
        self._flight.clear()
        self._flight_bytes = 0
        self._waiting.clear()

    def asked_again(self, from_seq: int) -> bool:
        """The cloud lacks ``from_seq``: go back to it, unless this only echoes an earlier resend.

        Each block behind the missing one makes the cloud ask, so one loss asks as many times.
        """
        known, echoes = self._resent
        if from_seq == known and echoes > 0:
            self._resent = (from_seq, echoes - 1)
            return False
        behind = sum(seq > from_seq for seq, _ in self._flight)
        self._resent = (from_seq, max(0, behind - 1))
        self.go_back(from_seq)
        return True

    def stored(self, seq: int) -> None:
        """Everything up to ``seq`` is stored: its bytes are free, and it is not sent again."""
        while self._flight and self._flight[0][0] <= seq:
            sent = self._flight.popleft()[1]
            self._flight_bytes -= sent.size
            self.pace.stored(sent)
        if seq >= self.next_seq:
            self.go_back(seq + 1)

    def sealed(self, block: Block | None) -> bool:
        """What `next_seal` led to; None: nothing waits. Whether no more is to be asked for."""
        if not self._asks_urgent:
            self.pace.sealed(None if block is None else len(block.data))
            self.is_level = block is None
        elif block is None:
            self.urgent = False
        if block is not None:
            if not self._asks_urgent and block.header.rows and block.header.rows.keys() <= _NOTES:
                self.pace.noted()
            self.offer([block])
        return block is None and not (self._asks_urgent and self.allowed is Allowed.ALL)

    def offer(self, blocks: Sequence[Block]) -> None:
        """Take blocks that come next; others are of a past that was gone back from."""
        if blocks and blocks[0].header.seq == self.next_seq and not self._waiting:
            self._waiting.extend(blocks)

    def declare(self, entries: Sequence[SeriesEntry]) -> list[Send]:
        """The entries in as few messages as their bounds allow."""
        if not entries or entries[0].entry != self.declared + 1:
            return []
        self.declared = entries[-1].entry
        return [self._declaration(part) for part in _parted(entries)]

    def pour(self) -> tuple[list[Send], LoadEntries | None]:
        """What may be sent now, and the series that must be declared before the rest, if any."""
        sends: list[Send] = []
        if self.allowed is Allowed.NOTHING:
            return sends, None
        while self._waiting and self.has_room(len(self._waiting[0].data)):
            block = self._waiting[0]
            if block.header.series_high > self.declared:
                return sends, LoadEntries(self.declared + 1, DECLARE_ENTRIES_MAX)
            self._waiting.popleft()
            sends.append(self._send(block))
        return sends, None

    def _send(self, block: Block) -> Send:
        seq = block.header.seq
        sent = self.pace.sent(len(block.data), is_alone=not self._flight)
        self._flight.append((seq, sent))
        self._flight_bytes += len(block.data)
        self.next_seq = seq + 1
        data = pb.BlockData(session=self.session, epoch=self.epoch, seq=seq, data=block.data)
        return Send(pb.GatewayMessage(block=data))

    def _declaration(self, entries: Sequence[SeriesEntry]) -> Send:
        declare = pb.Declare(
            session=self.session,
            epoch=self.epoch,
            first=entries[0].entry,
            entries=[encode_entry(entry) for entry in entries],
        )
        return Send(pb.GatewayMessage(declare=declare))


def _parted(entries: Sequence[SeriesEntry]) -> list[Sequence[SeriesEntry]]:
    """The entries in runs that each fit one Declare."""
    parts: list[Sequence[SeriesEntry]] = []
    start = size = 0
    for at, entry in enumerate(entries):
        length = len(encode_entry(entry))
        if at > start and (size + length > DECLARE_BYTES_MAX or at - start == DECLARE_ENTRIES_MAX):
            parts.append(entries[start:at])
            start, size = at, 0
        size += length
    return [*parts, entries[start:]]
