"""Where delivery stands, for who asks without knowing gRPC."""

from dataclasses import dataclass
from enum import Enum

from edge.sync_effects import Allowed
from protos import sync_pb2 as pb


class Line(Enum):
    """What the uplink is at."""

    CONNECTING = "connecting"
    LIVE = "live"
    WAITING = "waiting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class UplinkState:
    """Delivery as `status` shows it; seqs are of ``epoch``, ``error`` is empty while all is well.

    ``blocks_sent`` and ``bytes_sent`` count since the agent started, sent again included;
    ``failures`` are sessions in a row that did not live long, ``attempts`` all that were begun.
    ``eta_s``: seconds until the backlog is sent, None while nobody can tell.
    """

    line: Line = Line.STOPPED
    session: int = 0
    epoch: int = 0
    head: int = 0
    stored: int = 0
    archived: int = 0
    error: str = ""
    hint: str = ""
    retry_s: float = 0.0
    failures: int = 0
    attempts: int = 0
    blocks_sent: int = 0
    bytes_sent: int = 0
    eta_s: float | None = None
    code: int = pb.CODE_UNSPECIFIED
    """Why the cloud refused the last session; unspecified while all is well."""
    allowed: Allowed = Allowed.ALL
    """What the limit of a day lets be sent."""
