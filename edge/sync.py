"""Pure: the gateway's side of delivery: what one session with the cloud says and does.

A `Session` is fed with what happens (messages, answers of the store, time) and returns effects;
the shell (`edge.uplink`) carries them out in order and feeds the answers back. No socket, disk,
clock or chance here. The clauses are in docs/decisions/0020 to 0024.

At most one question (`Seal`, `LoadBlocks`, `LoadEntries`, `BeginEpoch`) is open at a time; its
answer is fed back by the method of the same name in the past tense. `Mark` asks nothing.
"""

from collections.abc import Sequence
from typing import Final

from edge.sync_bounds import refusal
from edge.sync_effects import (
    BeginEpoch,
    BufferState,
    Close,
    Effect,
    LoadBlocks,
    Mark,
    Phase,
    Send,
)
from edge.sync_hello import disproof, hello_of, objection
from edge.sync_outbox import Outbox
from protos import sync_pb2 as pb
from protos.block import Block, ChunkRun
from protos.series import SeriesEntry

__all__ = ["BufferState", "Effect", "Session"]

SILENCE_US_MAX: Final = 60_000_000
"""An unanswered hello or block this long after the last word of the cloud ends the session."""


class Session:
    """One session: from the hello to the close. Make a new one for each connection.

    ``epoch``, ``head``, ``stored`` and ``archived`` say where delivery stands, ``number`` and
    ``generation`` what the cloud called this session and its journal. The link is measured by
    ``pace.tick``, to be told the time of what is fed next; ``outbox.allowed`` bounds what is sent.
    """

    def __init__(self, gateway: str, boot_id: bytes, agent_version: str) -> None:
        self._gateway = gateway
        self._boot_id = boot_id
        self._agent_version = agent_version
        self.phase = Phase.HELLO
        self.number = 0
        self.generation = 0
        self.epoch = 0
        self.head = 0
        self.stored = 0
        self.archived = 0
        self._state: BufferState | None = None
        self.outbox = Outbox()
        self.pace = self.outbox.pace
        self._asked = False
        self._loading = 0  # from_seq of the last LoadBlocks
        self._grant: pb.EpochGrant | None = None
        self._checking: pb.Resume | None = None
        self._later: dict[str | None, pb.CloudMessage] = {}  # meanwhile, the newest of each
        self._idle = False  # nothing waits as chunks, as far as is known
        self._heard = True
        self._silent_since_us = 0

    @property
    def drained(self) -> bool:
        """True when all that is in the buffer is sealed, stored and archived."""
        level = self.phase is Phase.LIVE and self._idle and self.outbox.may_all and not self._asked
        return level and self.head == self.stored == self.archived

    def greet(self, state: BufferState, status: pb.Status, mono_us: int) -> list[Effect]:
        """Say hello. Feed once, first; ``mono_us`` is the time since boot."""
        self._state = state
        self.epoch, self.head = state.epoch, state.head
        self.stored, self.archived = state.stored, state.archived
        me = (self._gateway, self._boot_id, self._agent_version)
        return [Send(pb.GatewayMessage(hello=hello_of(*me, state, status, mono_us)))]

    def received(self, message: pb.CloudMessage) -> list[Effect]:
        """A message of the cloud; one of an older session or epoch changes nothing."""
        self._heard = True
        if self.phase is Phase.CLOSED:
            return []
        if refused := refusal(message):
            return self._close(*refused)
        if self._checking is not None:
            self._later[message.WhichOneof("body")] = message
            return []
        match message.WhichOneof("body"):
            case "resume":
                return self._resume(message.resume)
            case "ack" if self._is_present(message.ack):
                return self._acked(message.ack)
            case "resend" if self._is_present(message.resend):
                return self._resend(message.resend.from_seq)
            case "epoch_grant" if message.epoch_grant.session == self.number:
                return self._granted(message.epoch_grant)
            case _:
                return []

    def expect(self) -> None:
        """New chunks may wait in the buffer: nothing is `drained` until `wake` looked."""
        self._idle = False

    def wake(self) -> list[Effect]:
        """New chunks wait in the buffer."""
        self._idle = False
        self.pace.woken()
        return self._pump()

    def tick(self, now_us: int) -> list[Effect]:
        """The time on a monotonic clock, every second or so: notices a cloud that fell silent."""
        self.pace.tick(now_us)
        waits = self.phase in (Phase.HELLO, Phase.GRANT) or self.outbox.in_flight
        if self._heard or not waits:
            self._heard, self._silent_since_us = False, now_us
        elif now_us - self._silent_since_us >= SILENCE_US_MAX and self.phase is not Phase.CLOSED:
            told = f"no answer from the cloud for {SILENCE_US_MAX // 1_000_000} s"
            return self._close(told, "the connection may be half open: it is made anew")
        return []

    def sealed(self, block: Block | None) -> list[Effect]:
        """The answer to `Seal`; None: no chunk waits."""
        self._asked = False
        self._idle = self.outbox.sealed(block) or self._idle
        if block is not None:
            self.head = block.header.seq
        return self._pump()

    def unreadable(self, told: str) -> list[Effect]:
        """The answer to `Seal` or `LoadBlocks` when a damaged chunk bars the way.

        A new epoch frees what is whole: the store sets the damaged part aside when it begins.
        """
        if self._checking is not None:
            return self._checked(())
        self._asked = False
        if not self._is_live():
            return self._pump()
        return [self._request(told)]

    def blocks_loaded(self, blocks: Sequence[Block]) -> list[Effect]:
        """The answer to `LoadBlocks`."""
        if self._checking is not None:
            return self._checked(blocks)
        self._asked = False
        missing = not blocks or blocks[0].header.seq != self._loading
        if missing and self._is_live() and self._loading > self.stored:
            told = f"block {self._loading} of epoch {self.epoch} is not in the buffer"
            return [self._request(told)]
        self.outbox.offer(blocks)
        return self._pump()

    def entries_loaded(self, entries: Sequence[SeriesEntry]) -> list[Effect]:
        """The answer to `LoadEntries`."""
        self._asked = False
        if not self._is_live():
            return self._pump()
        if not entries:
            told = f"series {self.outbox.declared + 1} is not in the buffer, but a block needs it"
            return self._close(told, "check the buffer: tidegate-edge buffer verify")
        return [*self.outbox.declare(entries), *self._pump()]

    def epoch_begun(self, state: BufferState) -> list[Effect]:
        """The answer to `BeginEpoch`, with the buffer as it is now."""
        self._asked = False
        self._state = state
        if self._grant is not None:
            self.outbox.known, self._grant = self._grant.series_known, None
        self.epoch = self.outbox.epoch = state.epoch
        self.head, self.stored, self.archived = state.head, 0, 0
        self.outbox.go_back(1)
        self._idle = False
        if self.phase is not Phase.CLOSED:
            self.phase = Phase.LIVE
        return self._pump()

    def _is_live(self) -> bool:
        return self.phase is Phase.LIVE and self._grant is None

    def _is_present(self, message: pb.Ack | pb.Resend) -> bool:
        is_ours = message.session == self.number and message.epoch == self.epoch
        return is_ours and self._is_live()

    def _resume(self, resume: pb.Resume) -> list[Effect]:
        state = self._state
        if self.phase is not Phase.HELLO or state is None:
            told = "the cloud resumed what was not asked"
            return [] if resume.session == self.number else self._close(told, "upgrade it")
        if objected := objection(resume, state):
            return self._close(*objected)
        if 0 < resume.stored < state.head:
            self._checking = resume  # is that block ours? Before anything of it is believed
            return self._ask(LoadBlocks(resume.stored, 1))
        return self._resumed(state, resume)

    def _checked(self, blocks: Sequence[Block]) -> list[Effect]:
        """The block that the cloud stored last, as it is here; none when it was let go."""
        resume, self._checking, self._asked = self._checking, None, False
        if self.phase is Phase.CLOSED or resume is None or self._state is None:
            return []
        if disproved := disproof(resume, blocks):
            return self._close(*disproved)
        later = (effect for held in self._later.values() for effect in self.received(held))
        return [*self._resumed(self._state, resume), *later]  # in this order

    def _resumed(self, state: BufferState, resume: pb.Resume) -> list[Effect]:
        self.number, self.generation = resume.session, resume.generation
        self.stored = min(resume.stored, state.head)
        self.archived = min(resume.archived, self.stored)
        self.outbox.begin(resume, self.stored + 1)
        if state.epoch == 0:
            return [self._request("no epoch yet")]
        if state.generation not in (0, resume.generation):
            self.phase = Phase.GRANT  # granted unasked; the next hello must say the old one again
            return []
        mark = Mark(self.stored, self.archived, self.generation)
        if resume.stored > state.head or resume.series_known > state.series_high:
            self.phase = Phase.GRANT  # this buffer was rewound: the cloud grants unasked
            return [mark]
        if resume.stored + 1 < state.oldest_kept:
            why = f"the cloud holds {resume.stored}, the oldest kept is {state.oldest_kept}"
            return [mark, self._request(why)]
        self.phase = Phase.LIVE
        return [mark, *self._pump()]

    def _request(self, why: str) -> Effect:
        self.phase = Phase.GRANT
        request = pb.EpochRequest(session=self.number, closed_epoch=self.epoch, why=why)
        return Send(pb.GatewayMessage(epoch_request=request))

    def _granted(self, grant: pb.EpochGrant) -> list[Effect]:
        if grant.epoch <= self.epoch or self.phase is Phase.HELLO:
            return []
        if grant.previous_epoch != self.epoch:
            told = f"epoch {grant.epoch} was granted after {grant.previous_epoch}, not {self.epoch}"
            return self._close(told, "it is settled by the next session")
        self._grant = grant
        return self._pump()

    def _begin(self, grant: pb.EpochGrant) -> list[Effect]:
        runs = tuple(ChunkRun(run.prefix, run.first, run.count) for run in grant.stored_chunks)
        if grant.stored_epoch == self.epoch:
            self.stored = max(self.stored, min(grant.previous_stored, self.head))
            kept = (self.epoch, self.stored)
        else:
            kept = (grant.stored_epoch, grant.previous_stored)
        return self._ask(BeginEpoch(grant.epoch, runs, kept, self.generation))

    def _acked(self, ack: pb.Ack) -> list[Effect]:
        outbox = self.outbox
        outbox.known = max(outbox.known, ack.series_known)
        if ack.stored > self.head or ack.archived > ack.stored:
            told = f"the cloud acked {ack.stored} (archived {ack.archived}) of {self.head} blocks"
            return self._close(told, "the cloud mixes up gateways: report it")
        stored, archived = max(ack.stored, self.stored), max(ack.archived, self.archived)
        if (stored, archived) == (self.stored, self.archived):
            return []
        self.stored, self.archived = stored, archived
        outbox.stored(stored)
        return [Mark(stored, archived, self.generation), *self._pump()]

    def _resend(self, from_seq: int) -> list[Effect]:
        if not self.stored < from_seq <= self.outbox.next_seq:
            return []
        return self._pump() if self.outbox.asked_again(from_seq) else []

    def _pump(self) -> list[Effect]:
        """Send what may be sent, then ask for more; nothing while a question is open."""
        if self._asked or self.phase is Phase.CLOSED:
            return []
        if self._grant is not None:
            return self._begin(self._grant)
        if self.phase is not Phase.LIVE:
            return []
        sends, undeclared = self.outbox.pour()
        if undeclared is not None:
            return [*sends, *self._ask(undeclared)]
        if self.outbox.waits or not self.outbox.may_seal:
            return [*sends]
        if self.outbox.next_seq <= self.head:
            self._loading = self.outbox.next_seq
            return [*sends, *self._ask(LoadBlocks(self._loading, self.outbox.room))]
        return [*sends] if self._idle else [*sends, *self._ask(self.outbox.next_seal())]

    def _ask(self, question: Effect) -> list[Effect]:
        self._asked = True
        return [question]

    def _close(
        self, message: str, hint: str, code: pb.Code = pb.CODE_UNSPECIFIED, retry_ms: int = 0
    ) -> list[Effect]:
        self.phase = Phase.CLOSED
        return [Close(code, message, hint, retry_ms)]
