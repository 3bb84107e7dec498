"""`tidegate-cloud erase`: an order made of what an operator names, counted, and carried out.

`look_at` only reads, beside a running cloud or without one. `erase` needs a stopped cloud: it
brings all that the journal has into the tables, empties the journal, gives the order and carries
it out. Cut short at any step, it is finished by whoever opens the lake next.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from cloud.config import CloudConfig
from cloud.errors import OperatorError, StorageError
from cloud.journal.sqlite.quarantine import Quarantine, State
from cloud.lake.alone import alone, check_there
from cloud.lake.passes import carry_over, empty_journal
from cloud.lake.table.parquet import Step, no_step, times
from cloud.lake.table.row_groups import read_groups
from cloud.lake.table.schema import (
    ANOMALIES,
    EPISODES,
    READINGS,
    ROLLUP_1D,
    ROLLUPS,
    TABLES,
    TableSpec,
)
from cloud.lake.table.state import State as TableState
from cloud.lake.table.state import look
from cloud.lake.table.sweep import Sweeper
from cloud.retention.erase import carry_out, give
from cloud.retention.order import ALWAYS_US, EVER_US, ORDERS_MAX, Order
from cloud.retention.retired import retired_now, take_up
from cloud.retention.rules import Hulls, Retired, within

TRIES: Final = 10
"""How often it is counted anew because a running cloud replaced files meanwhile."""
_RARE: Final = (ANOMALIES, EPISODES)
_COUNTED: Final = (READINGS, *ROLLUPS, *_RARE)
_COLUMNS: Final = ("gateway", "device", "metric", "series", "ts")

Told = Callable[[str, int, int], None]
"""Told what is looked at, how far, of how much."""
States = Mapping[str, TableState]


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator asks for: of GATEWAY[/DEVICE[/METRIC]], times in [from, last] in µs."""

    target: str
    from_us: int
    last_us: int
    told_us: int
    by: str
    why: str


@dataclass(slots=True)
class Counted:
    """What an order takes, by table; of rollups the rows that tell of its times.

    ``reduced`` of these tell of days whose readings retention removed: they go whole. ``apart``:
    blocks of the gateway in quarantine, whose rows are left out if they are ever released.
    """

    order: Order
    rows: dict[str, int] = field(default_factory=dict)
    series: set[str] = field(default_factory=set)
    reduced: int = 0
    apart: int = 0

    @property
    def is_none(self) -> bool:
        """Whether there is nothing that an order would do."""
        return not (self.apart or any(self.rows.values()))

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            **order_json(self.order),
            "rows": self.rows,
            "series": sorted(self.series),
            "rollup_rows_without_readings": self.reduced,
            "blocks_in_quarantine": self.apart,
        }


def order_json(order: Order) -> dict[str, Any]:
    """An order for machines; times in µs, None where there is no bound."""
    return {
        "number": order.number,
        "told_us": order.told_us,
        "by": order.by,
        "why": order.why,
        "of": order.path,
        "from_us": None if order.from_us == ALWAYS_US else order.from_us,
        "to_us": None if order.last_us == EVER_US else order.last_us + 1,
        "upto_offset": order.upto,
        "readings": order.readings,
        "done": order.is_done,
    }


def orders_of(config: CloudConfig) -> tuple[Order, ...]:
    """All orders that were ever given. StorageError when they are not known."""
    return retired_now(config.lake_folder).orders


def look_at(config: CloudConfig, wish: Wish, told: Told) -> Counted:
    """Count what an order would take of the tables, as they are now.

    Raises:
        OperatorError: there is no lake, or no series of that name in it.
        StorageError: a file cannot be read, or the lake changes faster than it is read.
    """
    lake = config.lake_folder
    check_there(lake, f"erase {wish.target}")
    for _ in range(TRIES):
        retired = retired_now(lake)
        states = {spec.name: look(lake, spec) for spec in _COUNTED}
        try:
            return _counted(config, states, retired, wish, told)
        except StorageError:
            if all(look(lake, TABLES[name]).files.version == one.files.version
                   for name, one in states.items()):  # fmt: skip
                raise
    raise StorageError(f"erase {wish.target}", "the lake changes faster than it is read", "again")


def erase(
    config: CloudConfig,
    wish: Wish,
    told: Told = lambda *_: None,
    step: Step = no_step,
    ordered: Callable[[Order], None] = lambda _: None,
) -> Counted:
    """Give the order and carry it out; durable on return. Where nothing is due none is given.

    ``ordered`` is called right before it is given.

    Raises:
        OperatorError: there is no lake, the cloud is running, there is no series of that name, or
            the orders are as many as can be.
        StorageError: a table cannot be read, the tables are not level, or the disk refuses.
    """
    lake, tried = config.lake_folder, f"erase {wish.target}"
    check_there(lake, tried)
    carry_over(config, told)
    empty_journal(config)
    with alone(lake, tried, _RARE, step) as tables:
        readings = tables[READINGS.name]
        retired = take_up(lake, readings.state.retired)
        retired = carry_out(tables, Sweeper(grace_s=0.0), retired)
        states = {name: table.state for name, table in tables.items()}
        found = _counted(config, states, retired, wish, told)
        if found.is_none:
            return found
        if len(retired.orders) >= ORDERS_MAX:
            cause = f"{ORDERS_MAX:,} orders were given, more cannot be kept"
            raise OperatorError(tried, cause, "erase more with one order: whole devices, all times")
        told("erased", 0, 1)
        ordered(found.order)
        retired = give(readings, retired, found.order)
        retired = carry_out(tables, Sweeper(grace_s=0.0), retired)
        found.order = retired.orders[-1]
        told("erased", 1, 1)
        return found


def _counted(
    config: CloudConfig, states: States, retired: Retired, wish: Wish, told: Told
) -> Counted:
    gateway, device, metric = _resolved(states, wish.target)
    order = Order(
        len(retired.orders) + 1, wish.told_us, wish.by, wish.why, gateway, device, metric,
        wish.from_us, wish.last_us, states[READINGS.name].offset,
    )  # fmt: skip
    found = Counted(order, apart=_apart(config.journal_folder, order))
    for spec in _COUNTED:
        files = states[spec.name].files
        for done, file in enumerate(files.files):
            told(spec.name, done, len(files.files))
            if file.devices is None or file.devices[0][0] <= gateway <= file.devices[1][0]:
                _count(Path(files.path(file)), spec, retired.hulls, found)
    return found


def _count(path: Path, spec: TableSpec, hulls: Hulls, to: Counted) -> None:
    columns = (*_COLUMNS, *(("end_ts",) if spec is EPISODES else ()))
    for rows in read_groups(path, spec, columns):
        rows = rows.filter(pa.array(to.order.takes(rows, spec)))
        to.rows[spec.name] = to.rows.get(spec.name, 0) + rows.num_rows
        to.series.update(f"{to.order.gateway}/{device}/{metric}" for device, metric in _names(rows))
        if spec.width_us:
            to.reduced += int(within(rows["series"].to_numpy(), times(rows["ts"]), hulls).sum())


def _resolved(states: States, target: str) -> tuple[str, str, str]:
    """Gateway, device and metric of a target; a name may have a slash in it.

    Raises:
        OperatorError: there is nothing of that name, or it is two.
    """
    gateway, _, rest = target.partition("/")
    found, known = set[tuple[str, str, str]](), False
    for device, metric in _series(states, gateway):
        known = True
        if rest == device:
            found.add((gateway, device, ""))
        if rest == f"{device}/{metric}":
            found.add((gateway, device, metric))
    if known and not rest and "/" not in target:
        return gateway, "", ""
    if len(found) != 1:
        cause = f"it may be {sorted(found)}" if found else "the tables have nothing of that name"
        hint = "name it as `tidegate-cloud series` lists it: gateway/device/metric"
        raise OperatorError(f"erase {target}", cause, hint)
    return found.pop()


def _series(states: States, gateway: str) -> Iterator[tuple[str, str]]:
    """Devices and metrics of a gateway that have any row; some more than once."""
    for spec in (ROLLUP_1D, *_RARE):
        files = states[spec.name].files
        for file in files.files:
            if file.devices is None or file.devices[0][0] <= gateway <= file.devices[1][0]:
                for rows in read_groups(Path(files.path(file)), spec, _COLUMNS[:3]):
                    own = Order(0, 0, "", "", gateway, "", "", 0, 0, 0).of_series(rows)
                    yield from _names(rows.filter(pa.array(own)))


def _names(rows: pa.Table) -> set[tuple[str, str]]:
    found = rows.group_by(["device", "metric"]).aggregate([])
    return set(zip(found["device"].to_pylist(), found["metric"].to_pylist(), strict=True))


def _apart(journal: Path, order: Order) -> int:
    """Blocks of the gateway that are set apart and could still be released."""
    path = journal / "quarantine.db"
    if not path.exists():
        return 0
    with closing(Quarantine(path)) as quarantine:
        blocks = quarantine.list()
    waiting = (State.HELD, State.RELEASING)
    return sum(
        one.gateway == order.gateway and one.state in waiting and 0 < one.offset <= order.upto
        for one in blocks
    )
