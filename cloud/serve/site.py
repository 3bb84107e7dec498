"""What the answers of the HTTP API are made from: one object, given to each of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cloud.journal.counts import Tally
from cloud.journal.cursor import Cursor
from cloud.journal.sqlite.quarantine import Quarantined
from cloud.live.catalogue import Catalogue
from cloud.live.live import Live
from cloud.notify.file import NotifyFile
from cloud.query.history import Query
from cloud.registry.registry import GatewayRow
from cloud.rollout.rollouts import Rollouts
from cloud.series.marks import Marks
from cloud.series.operations import Operations
from cloud.series.verdicts import Verdicts
from cloud.serve.ledger import Aside, Gaps
from cloud.serve.shown import Shown
from cloud.serve.totals import GatewayTotals
from protos import sync_pb2 as pb


class Journal(Protocol):
    """What the API needs of a journal."""

    @property
    def generation(self) -> int:
        """Rises when a journal was lost."""

    def head(self) -> int:
        """The highest durable offset."""

    def archived(self) -> int:
        """The highest offset in the lake."""

    def cursors(self) -> list[Cursor]:
        """Every gateway's cursor."""

    def counts(self) -> Mapping[str, Tally]:
        """What was ever stored and archived, by gateway."""


class Registry(Protocol):
    """What the API needs of `cloud.registry.registry`."""

    def gateways(self) -> list[GatewayRow]:
        """Every gateway that ever enrolled."""


class Seen(Protocol):
    """A gateway's stream as `cloud.ingest.service.Presence` tells it."""

    @property
    def session(self) -> int:
        """The live session, 0 when there is none."""

    @property
    def since_us(self) -> int:
        """When it was heard last."""

    @property
    def status(self) -> pb.Status:
        """What it last said of itself."""


Presence = Callable[[], Mapping[str, Seen]]
"""Gateways heard since the process started: `lambda: ingest.presence`."""

BytesOf = Callable[[Quarantined], bytes | None]
"""The bytes of a block set apart; None where they are not held."""
Pace = Callable[[str], float | None]
"""How fast a gateway's backlog grows (`cloud.serve.backlog.Backlogs.pace`)."""

SilentAfter = Callable[[str], float]
"""Unheard for how many seconds a gateway is silent (`cloud.notify.settings.Notify.silent_s`)."""


@dataclass(frozen=True, slots=True)
class Site:
    """``now_us`` is the server's clock, µs UTC; ``version`` the product's.

    ``catalogue`` searches the series as they are shown, ``stored`` as they are stored. ``zone`` is
    the plant's, an IANA name, empty where nobody told. ``presence`` tells who is connected,
    ``apart`` the blocks set apart, ``apart_data`` the bytes of one, ``pace`` how backlogs grow,
    ``silent_s`` when a gateway is silent. ``told`` is what people are told, None where nobody is.
    ``rollouts`` are those of models, None where there are none.
    """

    query: Query
    live: Live
    registry: Registry
    journal: Journal
    marks: Marks
    presence: Presence
    apart: Aside
    now_us: Callable[[], int]
    version: str
    catalogue: Catalogue
    stored: Catalogue
    gaps: Gaps
    operations: Operations
    shown: Shown
    verdicts: Verdicts
    zone: str
    pace: Pace
    totals: GatewayTotals
    apart_data: BytesOf
    silent_s: SilentAfter
    told: NotifyFile | None = None
    rollouts: Rollouts | None = None
