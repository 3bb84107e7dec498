"""Pure: figures for a monitoring system, in the Prometheus text format 0.0.4.

A half describes its metrics once, as a table of `Metric`: name, kind, meaning, labels, and how the
samples are read from that half's health document. From the table come the text that is scraped and
the page of the guide. A metric without samples is left out: not known is not zero.
"""

import bisect
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, TypeAlias, TypeVar

import msgspec

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

D = TypeVar("D")
Value: TypeAlias = "float | Latency"
Sample: TypeAlias = tuple[tuple[str, ...], Value]
"""The values of the metric's labels, in order, and the figure."""


class MetricKind(Enum):
    """What a monitoring system may do with the figure."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Latency(msgspec.Struct, kw_only=True):
    """A histogram's state: ``counts`` by bucket, the last one beyond all bounds; ``sum_s`` in s."""

    bounds_s: list[float]
    counts: list[int]
    sum_s: float = 0.0


class Histogram:
    """Counts durations by bucket. One thread observes, any thread may take a `snapshot`."""

    def __init__(self, bounds_s: Sequence[float]) -> None:
        self._bounds_s = list(bounds_s)
        self._counts = [0] * (len(self._bounds_s) + 1)
        self._sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect.bisect_left(self._bounds_s, seconds)] += 1
        self._sum_s += seconds

    def snapshot(self) -> Latency:
        """The counts as they are now."""
        return Latency(bounds_s=self._bounds_s, counts=list(self._counts), sum_s=self._sum_s)


@dataclass(frozen=True, slots=True)
class Metric(Generic[D]):
    """One metric of a document `D`; ``read`` gives no sample where the figure is not known."""

    name: str
    kind: MetricKind
    meaning: str
    read: Callable[[D], Iterable[Sample]]
    labels: tuple[str, ...] = ()


def render(table: Iterable[Metric[D]], document: D) -> str:
    """The text of all metrics of the table, in its order."""
    return "".join(f"{line}\n" for metric in table for line in _lines(metric, document))


def guide(table: Iterable[Metric[D]], title: str) -> str:
    """One half's section of the guide."""
    lines = [f"## {title}", "", "| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in table:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
        lines.append(f"| `{metric.name}` | {metric.kind.value} | {labels} | {metric.meaning} |")
    return "\n".join(lines) + "\n"


def _lines(metric: Metric[D], document: D) -> Iterator[str]:
    samples = list(metric.read(document))
    if not samples:
        return
    yield f"# HELP {metric.name} {_escaped(metric.meaning, quotes=False)}"
    yield f"# TYPE {metric.name} {metric.kind.value}"
    for values, figure in samples:
        labels = tuple(zip(metric.labels, values, strict=True))
        if isinstance(figure, Latency):
            yield from _histogram(metric.name, labels, figure)
        else:
            yield f"{metric.name}{_labels(labels)} {_number(figure)}"


def _histogram(name: str, labels: tuple[tuple[str, str], ...], figure: Latency) -> Iterator[str]:
    so_far = 0
    for bound, count in zip((*figure.bounds_s, math.inf), figure.counts, strict=True):
        so_far += count
        yield f"{name}_bucket{_labels((*labels, ('le', _number(bound))))} {so_far}"
    yield f"{name}_sum{_labels(labels)} {_number(figure.sum_s)}"
    yield f"{name}_count{_labels(labels)} {so_far}"


def _labels(labels: Iterable[tuple[str, str]]) -> str:
    written = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{written}}}" if written else ""


def _escaped(text: str, *, quotes: bool = True) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def _number(value: float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))
