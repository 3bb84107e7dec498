"""What the ingest role's process and its parent say to each other (`cloud.roles.wire` has how).

The parent calls, from any thread, and each call has a number; the child answers each when it is
done, and tells news besides. So a mark that waits for the disk keeps no question waiting.
"""

from typing import Final

import msgspec

from cloud.roles.wire import Channel, Told
from cloud.settings import CloudSettings


class Start(msgspec.Struct, frozen=True, tag=True):
    """The first order: the home whose journal is to be opened, and its settings."""

    home: str
    settings: CloudSettings


class Listen(msgspec.Struct, frozen=True, tag=True):
    """Take gateways in from now on: None, once their port is bound."""


class Quiet(msgspec.Struct, frozen=True, tag=True):
    """End all sessions in good order, and take no more: None."""


class Close(msgspec.Struct, frozen=True, tag=True):
    """Finish what is queued for the journal, close it, and end: None, once it is closed."""


class AskHead(msgspec.Struct, frozen=True, tag=True):
    """The journal's highest durable offset: int."""


class AskArchived(msgspec.Struct, frozen=True, tag=True):
    """The highest offset that was marked archived: int."""


class AskCursors(msgspec.Struct, frozen=True, tag=True):
    """Every gateway's cursor: list[Cursor]."""


class AskCounts(msgspec.Struct, frozen=True, tag=True):
    """How much was ever stored of each gateway: dict[str, Tally]."""


class AskStats(msgspec.Struct, frozen=True, tag=True):
    """The journal's figures: JournalStats."""


class AskWaiting(msgspec.Struct, frozen=True, tag=True):
    """Bytes read from gateways and not yet durable: int."""


class MarkArchived(msgspec.Struct, frozen=True, tag=True):
    """The tables hold everything up to ``offset`` durably: None, once that is durable."""

    offset: int


class SetApart(msgspec.Struct, frozen=True, tag=True):
    """Quarantine the block at ``offset``: None, once that is durable."""

    offset: int
    reason: str


Question = AskHead | AskArchived | AskCursors | AskCounts | AskStats | AskWaiting
Call = Listen | Quiet | Close | Question | MarkArchived | SetApart


class Asked(msgspec.Struct, frozen=True, tag=True):
    """A call, and its number."""

    number: int
    call: Call


class Answer(msgspec.Struct, frozen=True, tag=True):
    """What came of the call of this number: its value, or the error."""

    number: int
    value: msgspec.Raw = msgspec.Raw(b"\xc0")
    error: Told | None = None


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The journal is open."""

    generation: int


class Refused(msgspec.Struct, frozen=True, tag=True):
    """It cannot be opened; the child ends."""

    told: Told


class Stored(msgspec.Struct, frozen=True, tag=True):
    """The journal reaches ``head`` now."""

    head: int


class Seen(msgspec.Struct, frozen=True, tag=True):
    """A gateway's stream as `cloud.ingest.service.Presence` tells it; ``status`` as protobuf."""

    gateway: str
    session: int
    since_us: int
    agent_version: str
    status: bytes


class Heard(msgspec.Struct, frozen=True, tag=True):
    """Gateways that came, went or reported since the last word of them."""

    seen: list[Seen]


class Broken(msgspec.Struct, frozen=True, tag=True):
    """The journal stopped writing for good: the cloud must end."""

    told: Told


Order = Start | Asked
News = Answer | Ready | Refused | Stored | Heard | Broken

_ORDERS: Final[msgspec.msgpack.Decoder[Order]] = msgspec.msgpack.Decoder(Order)
_NEWS: Final[msgspec.msgpack.Decoder[News]] = msgspec.msgpack.Decoder(News)


class IngestChannel(Channel):
    """One end of the socket; `send` from any thread, `heard` or `said` from one."""

    def heard(self) -> Order:
        """The parent's next word, for the child; EndedError when it is gone."""
        return _ORDERS.decode(self.frame())

    def said(self) -> News:
        """The child's next word, for the parent; EndedError when it is gone."""
        return _NEWS.decode(self.frame())
