"""How the gateway is: the document that the running agent answers `status` with.

One shape for the socket, `status --json` and the text an operator reads. Times are µs UTC, sizes
bytes; counts are since the buffer began unless they say otherwise. What a part cannot tell keeps
its default.
"""

from typing import Final

import msgspec

from edge.health_budget import BudgetHealth
from protos.exposition import Latency

WEEK_S: Final = 7 * 86_400


class ClockHealth(msgspec.Struct, kw_only=True):
    """What the gateway's clock says, and whether that is believed.

    ``stepped_us``: how far it was moved since the agent's start, by a clock that never steps.
    """

    now_us: int = 0
    synced: bool = False
    stepped_us: int = 0


class BrokerHealth(msgspec.Struct, kw_only=True):
    """The connection to a broker; `name` is empty for the first, `error` while all is well."""

    name: str = ""
    url: str = ""
    protocol: str = ""
    connected: bool = False
    sessions: int = 0
    window: int = 0
    stale_acks: int = 0
    error: str = ""


class IngestHealth(msgspec.Struct, kw_only=True):
    """Messages by class; `waiting` are taken in and not yet committed: in the inbox or under way.

    `collapsed` are copies that the broker sent again; of the `ignored`, `alerts` told anomalies and
    `retained` were retained values; of the accepted `partial` had a part that became a reject;
    of the rejected `unkept` are only counted, there were many at once; `shed` came without a
    promise (QoS 0) on topics of which nothing can be read while much waited, since the start;
    `missing` counts values that a device said it does not have. The readings
    of devices whose own time cannot be used are counted by why: from the future, never set, local
    and of no zone.
    """

    waiting: int = 0
    inbox: int = 0
    under_way: int = 0
    accepted: int = 0
    rejected: int = 0
    unkept: int = 0
    shed: int = 0
    ignored: int = 0
    alerts: int = 0
    collapsed: int = 0
    retained: int = 0
    partial: int = 0
    missing: int = 0
    clocks_ahead: int = 0
    clocks_unset: int = 0
    clocks_local: int = 0
    readings: int = 0
    anomalies: int = 0
    messages_per_s: float = 0.0


class BufferHealth(msgspec.Struct, kw_only=True):
    """What is kept here; `rows` and `bytes` are not yet archived in the cloud.

    ``used_bytes``: room that is taken, of the ``bytes_max`` that file and log may have together.

    ``damaged`` rows were given up to a bad card, with a gap as `evicted` ones.
    ``held``: it is full, and nothing is taken in; ``retries`` counts the refusals since the start.
    ``days_left`` at the present rate, None while that is not known. ``counters`` are its totals.
    """

    rows: int = 0
    unsealed_rows: int = 0
    sealed_rows: int = 0
    blocks: int = 0
    bytes: int = 0
    unsealed_bytes: int = 0
    used_bytes: int = 0
    file_bytes: int = 0
    free_bytes: int = 0
    bytes_max: int = 0
    days_left: float | None = None
    held: bool = False
    retries: int = 0
    commits: int = 0
    commit_latency: Latency | None = None
    counters: dict[str, int] = msgspec.field(default_factory=dict)
    series: int = 0
    rejects: int = 0
    quarantined: int = 0
    evicted: int = 0
    damaged: int = 0
    refused: int = 0
    key_tier: str = ""
    unprotected: str = ""
    cipher: str = ""


class CloudHealth(msgspec.Struct, kw_only=True):
    """Delivery; `line` is connecting, live, waiting or stopped, `error` empty while all is well.

    Attempts, blocks and bytes are since the agent's start; `failures` are sessions in a row.
    `eta_s`: until the backlog is sent, 0 when there is none, None while it cannot be told.
    `certificate_not_after_us` is 0 until the cloud said for how long the certificate serves.
    """

    enrolled: bool = False
    address: str = ""
    line: str = "stopped"
    session: int = 0
    epoch: int = 0
    head: int = 0
    stored: int = 0
    archived: int = 0
    attempts: int = 0
    failures: int = 0
    retry_s: float = 0.0
    blocks_sent: int = 0
    bytes_sent: int = 0
    eta_s: float | None = None
    error: str = ""
    hint: str = ""
    certificate_not_after_us: int = 0
    renewals: int = 0


class AlertsHealth(msgspec.Struct, kw_only=True):
    """Episodes told on the local broker since the agent's start."""

    waiting: int = 0
    sent: int = 0
    dropped: int = 0


class ModelHealth(msgspec.Struct, kw_only=True):
    """One model in service; counts are since the agent's start, `failure` empty while it works.

    ``aside``: how often one in a process of its own was set aside, by why.
    ``watched_s``: seconds that series were watched with a threshold in force, summed over them.
    ``unscored``: windows that it gave no number for, or that came while it was set aside.
    ``passed_over``: readings of series that it has no room for.
    """

    name: str = ""
    version: str = ""
    scored: int = 0
    anomalies: int = 0
    failure: str = ""
    aside: dict[str, int] = msgspec.field(default_factory=dict)
    watched_s: float = 0.0
    unscored: int = 0
    passed_over: int = 0

    @property
    def anomalies_per_week(self) -> float:
        """Anomalies for each series and week: the rate that is achieved, 0 before any is known."""
        return self.anomalies * WEEK_S / self.watched_s if self.watched_s else 0.0


class EpisodesHealth(msgspec.Struct, kw_only=True):
    """Episodes of one detector: `open` now, the others since the agent's start.

    `passed_over` were not begun because too many were open.
    """

    detector: str = ""
    open: int = 0
    opened: int = 0
    closed: int = 0
    passed_over: int = 0


class WatchHealth(msgspec.Struct, kw_only=True):
    """One rule of `[watch.NAME]`: the series or devices it is for, and how many stand now.

    ``judged`` readings and anomalies ``found`` are since the agent's start.
    """

    name: str = ""
    series: int = 0
    judged: int = 0
    found: int = 0
    open: int = 0


class CommandHealth(msgspec.Struct, kw_only=True):
    """One command of `[command.NAME]`; counts are since the agent's start.

    ``failed`` went wrong on the way and may have arrived; ``left`` were overtaken or too late;
    ``refused`` would have had a topic that is none, or that the gateway reads itself.
    """

    name: str = ""
    sent: int = 0
    failed: int = 0
    left: int = 0
    refused: int = 0
    waiting: int = 0


class Health(msgspec.Struct, kw_only=True):
    """Everything `status` shows; `running` is false when it was put together without the agent.

    ``brokers`` are those beside the first. ``settings_changed``: keys whose file says something
    else than the agent runs with.
    """

    gateway: str
    version: str
    running: bool = False
    pid: int = 0
    started_us: int = 0
    clock: ClockHealth = msgspec.field(default_factory=ClockHealth)
    broker: BrokerHealth = msgspec.field(default_factory=BrokerHealth)
    brokers: list[BrokerHealth] = msgspec.field(default_factory=list)
    ingest: IngestHealth = msgspec.field(default_factory=IngestHealth)
    buffer: BufferHealth = msgspec.field(default_factory=BufferHealth)
    cloud: CloudHealth = msgspec.field(default_factory=CloudHealth)
    alerts: AlertsHealth = msgspec.field(default_factory=AlertsHealth)
    models: list[ModelHealth] = msgspec.field(default_factory=list)
    episodes: list[EpisodesHealth] = msgspec.field(default_factory=list)
    watches: list[WatchHealth] = msgspec.field(default_factory=list)
    commands: list[CommandHealth] = msgspec.field(default_factory=list)
    budget: BudgetHealth = msgspec.field(default_factory=BudgetHealth)
    settings_changed: list[str] = msgspec.field(default_factory=list)
