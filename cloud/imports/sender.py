"""The import gateway's side of delivery: hello, epochs, series, blocks, in the ledger's order.

What the ledger keeps is sent until the cloud says that it is stored; a line that breaks, or a cloud
that has no room, is tried again from what the cloud then says it has.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

from cloud.errors import OperatorError, PeerError, TidegateError, UnreachableError
from cloud.imports.ledger import Kept, Ledger
from cloud.imports.line import Line
from protos import sync_pb2 as pb
from protos.limits import (
    BLOCK_BYTES_MAX,
    DECLARE_BYTES_MAX,
    DECLARE_ENTRIES_MAX,
    PROTOCOL_MAX,
    PROTOCOL_MIN,
    WINDOW_BYTES_DEFAULT,
)
from protos.series import encode_entry

TRIES_MAX: Final = 150
"""Sessions in a row that brought nothing on, with pauses between: five minutes of a full cloud."""
PAUSE_S: Final = 2.0
AGENT: Final = "tidegate-cloud import"
_AGAIN: Final = (pb.OVERLOADED, pb.SHUTTING_DOWN, pb.STORAGE_FAILED)


class RefusedError(PeerError):
    """The cloud ended a session; ``again``: it may be otherwise later."""

    def __init__(self, told: pb.Fault) -> None:
        super().__init__("import into the cloud", told.message, told.hint)
        self.again = told.code in _AGAIN


class Sender:
    """Delivers a ledger. ``dial`` opens a line; `settle` must come first, `finish` last."""

    def __init__(
        self,
        ledger: Ledger,
        dial: Callable[[], Line],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ledger, self._dial, self._pause = ledger, dial, pause
        self._line: Line | None = None
        self._session = self._stored = self._known = self._sent = 0
        self._waiting: dict[int, int] = {}
        self._window = WINDOW_BYTES_DEFAULT

    @property
    def stored(self) -> int:
        """The last block of this epoch that the cloud said to have stored."""
        return self._stored

    def settle(self) -> None:
        """Open a session and have everything stored that the ledger keeps.

        Raises:
            OperatorError: the cloud knows more of this gateway than its ledger.
            PeerError: the cloud refuses.
            UnreachableError: it does not answer, or has no room for long.
        """
        self._persist(self._drain)

    def send(self, blocks: list[Kept]) -> None:
        """Send blocks that are kept; waits while too many bytes are not stored."""
        self._persist(lambda: self._send(iter(blocks)))

    def finish(self) -> None:
        """Wait until the cloud has stored everything that the ledger keeps; errors as `settle`."""
        self._persist(self._drain)

    def close(self) -> None:
        """Hang up."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _persist(self, step: Callable[[], None]) -> None:
        """Take a step, again over a new session when the line or the cloud's room fails."""
        tries, before = 0, -1
        while True:
            try:
                if self._line is None:
                    self._open()
                    self._send(self._ledger.unsent(self._stored))
                    self._drain()
                return step()
            except (UnreachableError, RefusedError) as error:
                self.close()
                tries = tries + 1 if self._stored <= before else 0
                before = max(before, self._stored)
                if not self._is_worth_it(error) or tries >= TRIES_MAX:
                    raise
                self._pause(PAUSE_S)

    def _is_worth_it(self, error: TidegateError) -> bool:
        # A cloud that never answered is not there; one that did comes back.
        return error.again if isinstance(error, RefusedError) else self._session > 0

    def _open(self) -> None:
        ledger, standing = self._ledger, self._ledger.standing
        self._line = self._dial()
        self._waiting.clear()
        hello = pb.Hello(
            protocol_min=PROTOCOL_MIN, protocol_max=PROTOCOL_MAX, gateway=ledger.gateway,
            epoch=standing.epoch, head=standing.head, head_hash=standing.head_hash, oldest_kept=1,
            boot_id=ledger.boot_id, agent_version=AGENT, series_high=len(ledger.series),
            series_root=ledger.root, generation=standing.generation,
        )  # fmt: skip
        self._say(pb.GatewayMessage(hello=hello))
        resume = self._answer().resume
        self._session, self._stored, self._sent = resume.session, resume.stored, resume.stored
        self._known = resume.series_known
        self._window = resume.window_bytes or WINDOW_BYTES_DEFAULT
        if resume.stored > standing.head:
            raise self._behind(resume.stored - standing.head)
        if standing.epoch == 0:
            self._ask_epoch(resume)
        elif self._is_ended(resume):
            self.close()  # what follows the grant spoke of the epoch that has ended
            self._open()
        self._ledger.heard(resume.generation)

    def _is_ended(self, resume: pb.Resume) -> bool:
        """Whether the cloud ended our epoch with this session; then the ledger is in the next.

        The cloud grants it unasked, if it does: an empty declaration, which is always answered,
        shows whether there is a grant before the answer.
        """
        said = pb.Declare(session=self._session, epoch=resume.epoch, first=self._known + 1)
        self._say(pb.GatewayMessage(declare=said))
        answer = self._answer()
        if not answer.HasField("epoch_grant"):
            return False
        self._granted(resume, answer.epoch_grant)
        return True

    def _ask_epoch(self, resume: pb.Resume) -> None:
        request = pb.EpochRequest(session=self._session, closed_epoch=0, why="an import")
        self._say(pb.GatewayMessage(epoch_request=request))
        self._granted(resume, self._answer().epoch_grant)

    def _granted(self, resume: pb.Resume, grant: pb.EpochGrant) -> None:
        """Go on in a new epoch with what the cloud does not hold; it names what it holds."""
        ledger = self._ledger
        held: set[int] = set()
        for run in grant.stored_chunks:
            ours = list(range(run.first, run.first + run.count))
            if not all(ledger.has(run.prefix, one) for one in ours):
                raise self._behind(run.count)
            held.update(ours)
        behind = ledger.after(grant.stored_epoch, grant.previous_stored)
        again = [block for block in behind if block not in held]
        ledger.begin_epoch(grant.epoch, resume.generation, again)
        self._stored = self._sent = 0
        self._known = grant.series_known

    def _behind(self, blocks: int) -> OperatorError:
        name = self._ledger.gateway
        return OperatorError(
            f"import as the gateway {name!r}",
            f"the cloud holds {blocks:,} blocks of it that {self._ledger.path} does not know",
            "restore that file from the newest backup, or import under a new --gateway name",
        )

    def _send(self, blocks: Iterator[Kept]) -> None:
        for block in blocks:
            # One that a new session sent already, or sealed anew in a new epoch.
            if block.seq <= self._sent or block.epoch != self._ledger.standing.epoch:
                continue
            self._declare()
            while self._waiting and sum(self._waiting.values()) > self._window - BLOCK_BYTES_MAX:
                self._hear()
            said = pb.BlockData(
                session=self._session, epoch=block.epoch, seq=block.seq, data=block.data
            )
            self._say(pb.GatewayMessage(block=said))
            self._waiting[block.seq] = len(block.data)
            self._sent = block.seq

    def _declare(self) -> None:
        """Tell the series that the cloud does not know yet."""
        series = self._ledger.series
        while self._known < len(series):
            entries: list[bytes] = []
            size = 0
            for entry in series[self._known : self._known + DECLARE_ENTRIES_MAX]:
                data = encode_entry(entry)
                size += len(data)
                if entries and size > DECLARE_BYTES_MAX:
                    break
                entries.append(data)
            said = pb.Declare(
                session=self._session, epoch=self._ledger.standing.epoch, first=self._known + 1,
                entries=entries,
            )  # fmt: skip
            self._say(pb.GatewayMessage(declare=said))
            wanted = self._known + len(entries)
            while self._known < wanted:
                self._hear()

    def _drain(self) -> None:
        while self._waiting:
            self._hear()

    def _hear(self) -> None:
        """Take one answer in."""
        answer = self._answer()
        if answer.HasField("resend"):
            raise UnreachableError("import into the cloud", "it lost a block on the way", "again")
        if answer.HasField("ack") and answer.ack.epoch == self._ledger.standing.epoch:
            self._stored = max(self._stored, answer.ack.stored)
            self._known = max(self._known, answer.ack.series_known)
            for seq in [seq for seq in self._waiting if seq <= self._stored]:
                del self._waiting[seq]

    def _say(self, message: pb.GatewayMessage) -> None:
        assert self._line is not None, "a session is open"
        self._line.send(message)

    def _answer(self) -> pb.CloudMessage:
        """The next answer that says something of delivery.

        Raises:
            RefusedError: a fault.
        """
        assert self._line is not None, "a session is open"
        while True:
            answer = self._line.receive()
            if answer.HasField("fault"):
                raise RefusedError(answer.fault)
            # Certificates and models are no business of an import.
            if answer.WhichOneof("body") not in ("terms", "model_offers"):
                return answer
