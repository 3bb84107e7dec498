"""Pure: which column of a table is what: time, device, metric, value, unit, label.

Two forms: *wide*, a column a metric, and *long*, a row a reading whose metric stands in a column.
What the operator did not say is found by well-known names; what cannot be found is told with the
columns that there are.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cloud.errors import OperatorError

COLUMNS_MAX: Final = 4096
_TIMES: Final = (
    "time", "timestamp", "ts", "datetime", "date_time", "date", "_time", "zeit", "zeitstempel",
    "time_utc", "timestamp_utc", "created_at", "last_updated", "last_changed", "recorded_at",
)  # fmt: skip
_DEVICES: Final = ("device", "device_id", "device_name", "entity_id", "sensor_id", "host", "node")
_METRICS: Final = ("metric", "measurement", "_field", "field", "channel", "variable", "parameter")
_VALUES: Final = ("value", "_value", "state", "reading")
_UNITS: Final = ("unit", "units", "unit_of_measurement")
_HEADER = re.compile(r"(?P<name>[^\[(]*[^\[( ])\s*[\[(](?P<unit>[^\])]{1,16})[\])]")


@dataclass(frozen=True, slots=True)
class Mapping:
    """What the operator said of the columns; names as in the header, empty where nothing was said.

    ``device``: of every row. ``values``: the columns of a wide table that are metrics; all others
    when empty. ``units``: (metric, unit). ``counters``: metrics that only grow.
    """

    time: str = ""
    device: str = ""
    device_column: str = ""
    metric_column: str = ""
    values: tuple[str, ...] = ()
    unit_column: str = ""
    labels: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    units: tuple[tuple[str, str], ...] = ()
    counters: tuple[str, ...] = ()

    @property
    def of_metrics(self) -> Iterator[tuple[str, str]]:
        """Options that name a metric, and which."""
        yield from (("--unit", metric) for metric, _ in self.units)
        yield from (("--counter", metric) for metric in self.counters)


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of a wide table: its name in the header, the metric and the unit."""

    column: str
    metric: str
    unit: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Each column's part, empty where none has it.

    ``metric_column`` empty: wide, ``metrics`` are its columns; else long, with ``value_column``.
    """

    time: str
    device: str
    device_column: str
    labels: tuple[str, ...]
    metrics: tuple[Metric, ...] = ()
    metric_column: str = ""
    value_column: str = ""
    unit_column: str = ""

    @property
    def columns(self) -> list[str]:
        """Every column that is read, once."""
        named = (
            self.time, self.device_column, *self.labels, self.metric_column, self.value_column,
            self.unit_column, *(metric.column for metric in self.metrics),
        )  # fmt: skip
        return list(dict.fromkeys(name for name in named if name))


def lay_out(
    header: Sequence[str], said: Mapping, file: str, device: str, holds: Callable[[str], bool]
) -> Layout:
    """Find every column's part. ``device``: the name where nothing else names one.

    ``holds``: whether a column can hold readings.

    Raises:
        OperatorError: a column that is named is not there, or none can be found.
    """
    if len(header) > COLUMNS_MAX:
        cause = f"it has {len(header):,} columns, {COLUMNS_MAX:,} are allowed"
        raise OperatorError(f"read {file}", cause, "is the --delimiter right?")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        cause = f"two columns are named {twice[0]!r}"
        raise OperatorError(f"read {file}", cause, "name each column differently")
    find = _Finder(header, file)
    time = find.one(said.time, "--time", _TIMES, "the time")
    find.taken.add(time)
    device_column = "" if said.device else find.one(said.device_column, "--device-column", _DEVICES)
    metric = find.one(said.metric_column, "--metric-column", _METRICS)
    find.taken |= {device_column, *said.labels, *said.ignore}
    for option, names in (("--label", said.labels), ("--ignore", said.ignore)):
        for name in names:
            find.one(name, option, ())
    labels = tuple(dict.fromkeys(said.labels))
    fixed = said.device or device
    if metric and metric not in said.values and not _is_wide_anyway(find, said, metric):
        find.taken.add(metric)
        value = find.one(said.values[0] if said.values else "", "--value", _VALUES, "the value")
        unit = find.one(said.unit_column, "--unit-column", _UNITS)
        return Layout(time, fixed, device_column, labels, (), metric, value, unit)
    wanted = said.values or tuple(n for n in header if n not in find.taken and holds(n))
    metrics = tuple(_metric(find.one(name, "--value", ()), said) for name in wanted)
    if not metrics:
        raise OperatorError(f"read {file}", "no column holds values", find.there())
    _check_metrics(metrics, said, file)
    return Layout(time, fixed, device_column, labels, metrics)


def _check_metrics(metrics: Sequence[Metric], said: Mapping, file: str) -> None:
    """Refuse what is said of a metric that is none of a wide table's."""
    for option, name in said.of_metrics:
        known = {metric.metric for metric in metrics}
        if name not in known and (option != "--unit" or name not in {m.column for m in metrics}):
            near = nearest(name, known)
            hint = f"did you mean {near!r}?" if near else f"there is {', '.join(sorted(known)[:8])}"
            raise OperatorError(f"take {option}", f"{file} has no metric {name!r}", hint)


def nearest(name: str, known: Iterable[str]) -> str:
    """The one of ``known`` that a name comes nearest to; empty where none does."""
    return (difflib.get_close_matches(name, sorted(known), 1, 0.4) or [""])[0]


def _is_wide_anyway(find: "_Finder", said: Mapping, metric: str) -> bool:
    """A column that only looks like one of metrics by its name, in a table without a value."""
    return not said.metric_column and not said.values and not find.known(_VALUES)


def _metric(column: str, said: Mapping) -> Metric:
    units = dict(said.units)
    name, unit = metric_of(column)
    return Metric(column, name, units.get(name, units.get(column, unit)))


def metric_of(column: str) -> tuple[str, str]:
    """Metric and unit that a header like `flow [l/s]` names; the unit may be empty."""
    match = _HEADER.fullmatch(column.strip())
    return (match["name"], match["unit"].strip()) if match else (column.strip(), "")


class _Finder:
    """Finds columns by name; ``taken`` have a part already."""

    def __init__(self, header: Sequence[str], file: str) -> None:
        self._header, self._file = header, file
        self.taken: set[str] = set()

    def one(self, said: str, option: str, names: Sequence[str], needed: str = "") -> str:
        """The column that was named, else one of well-known names, else empty or an error."""
        if said:
            if said in self._header:
                return said
            near = nearest(said, self._header)
            cause = f"{self._file} has no column {said!r}"
            hint = f"did you mean {near!r}?" if near else self.there()
            raise OperatorError(f"take {option}", cause, hint)
        found = self.known(names)
        if not found and needed:
            cause = f"no column looks like {needed}"
            hint = f"name it with {option}; {self.there()}"
            raise OperatorError(f"read {self._file}", cause, hint)
        return found

    def known(self, names: Sequence[str]) -> str:
        """The first column with one of these names, whatever its case; empty when there is none."""
        lower = {name.strip().lower(): name for name in self._header if name not in self.taken}
        return next((lower[name] for name in names if name in lower), "")

    def there(self) -> str:
        """What columns there are, a few of them."""
        few = ", ".join(repr(name) for name in self._header[:8])
        return f"there is {few}{' and more' if len(self._header) > 8 else ''}"
