"""Pure: the cloud's figures as one document: times in µs UTC, sizes in bytes."""

import msgspec

from protos.exposition import Latency


class JournalFigures(msgspec.Struct, kw_only=True):
    """The journal: where it stands, what it holds, and what was ever stored in it."""

    generation: int = 0
    begun: int = 1
    head: int = 0
    archived: int = 0
    oldest: int = 0
    segments: int = 0
    bytes: int = 0
    bytes_max: int = 0
    quarantined: int = 0
    blocks: int = 0
    readings: int = 0
    archived_readings: int = 0
    is_failed: bool = False


class LakeFigures(msgspec.Struct, kw_only=True):
    """The tables; ``lag_us``: how long the oldest block that is not in them has waited.

    ``corrections_refused``: corrections of times over those that are known of one gateway.
    ``unsorted`` days are in files that overlap or take too much room; ``sorting_rows`` is what is
    left of the one that is sorted now, ``sorting_lacks_bytes`` the room that this waits for.
    ``retired`` readings were removed by retention.
    """

    offset: int = 0
    readings: int = 0
    anomalies: int = 0
    gaps: int = 0
    lag_us: int = 0
    is_faulty: bool = False
    faults: int = 0
    restarts: int = 0
    corrections_refused: int = 0
    unsorted: int = 0
    sorting_rows: int = 0
    sorting_lacks_bytes: int = 0
    retired: int = 0


class ReaderFigures(msgspec.Struct, kw_only=True):
    """Processes that read history: how many there shall be and are, what they did since the start.

    ``together`` are questions about history that were answered without them all the same.
    """

    wanted: int = 0
    alive: int = 0
    restarts: int = 0
    answers: int = 0
    together: int = 0


class DecoderFigures(msgspec.Struct):
    """The process that decodes blocks for the live view, since the start.

    ``together`` are steps of the view that were decoded without it all the same.
    """

    restarts: int = 0
    together: int = 0


class ToldFigures(msgspec.Struct, kw_only=True):
    """What people are told: ``standing`` now by kind, messages ``waiting`` by channel.

    ``dropped`` is by channel and reason, ever; ``is_faulty`` while what stands cannot be looked at.
    """

    standing: dict[str, int] = msgspec.field(default_factory=dict)
    waiting: dict[str, int] = msgspec.field(default_factory=dict)
    dropped: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)
    is_faulty: bool = False


class GatewayFigures(msgspec.Struct, kw_only=True):
    """One gateway: its cursor, and what it last said of itself."""

    name: str
    is_connected: bool = False
    is_clock_synced: bool = False
    epoch: int = 0
    session: int = 0
    stored: int = 0
    archived: int = 0
    forks: int = 0
    backlog_rows: int = 0
    backlog_bytes: int = 0
    buffer_bytes: int = 0
    buffer_bytes_max: int = 0
    rejected: int = 0
    evicted: int = 0
    last_seen_us: int = 0
    certificate_not_after_us: int = 0


class Figures(msgspec.Struct, kw_only=True):
    """Everything; ``requests`` by (path, status such as `2xx`), ``resident_bytes`` by role."""

    version: str
    now_us: int = 0
    sessions: int = 0
    waiting_bytes: int = 0
    tail_bytes: int = 0
    view_offset: int = 0
    series: int = 0
    readings: int = 0
    anomalies: int = 0
    enrolments: int = 0
    enrolments_refused: int = 0
    requests: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)
    resident_bytes: dict[str, int] = msgspec.field(default_factory=dict)
    request_seconds: Latency | None = None
    journal: JournalFigures = msgspec.field(default_factory=JournalFigures)
    lake: LakeFigures = msgspec.field(default_factory=LakeFigures)
    readers: ReaderFigures = msgspec.field(default_factory=ReaderFigures)
    decoder: DecoderFigures = msgspec.field(default_factory=DecoderFigures)
    told: ToldFigures = msgspec.field(default_factory=ToldFigures)
    gateways: list[GatewayFigures] = msgspec.field(default_factory=list)
