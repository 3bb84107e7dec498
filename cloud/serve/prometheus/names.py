"""Answers about what there is: labels, their values, series, metrics; and what server this is."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.promql.labels import metric_name
from cloud.serve import kinds
from cloud.serve.prometheus import params
from cloud.serve.prometheus.labelled import Labelled, Table
from cloud.serve.prometheus.params import MATCH, TooMuch
from cloud.serve.prometheus.values import Told, Values
from cloud.serve.site import Site
from protos.series import SeriesKind

SERIES_MAX: Final = 10_000
"""Series in one answer that lists them."""
PROMETHEUS: Final = "2.42.0"
"""Whose HTTP API it is a part of; Grafana asks for no more than a version has."""
_TYPES: Final = {SeriesKind.COUNTER: "counter"}


def labels(site: Site, labelled: Labelled, values: Values) -> Told:
    """The names of all labels that some series has."""
    table, picked = _picked(site, labelled, values)
    found = [label for label, column in table.columns.items() if column.codes[picked].any()]
    return _first(sorted(found), values)


def label_values(site: Site, labelled: Labelled, values: Values) -> Told:
    """The values of a label."""
    name = params.label(values["name"])
    table, picked = _picked(site, labelled, values)
    return _first(table.values(name, picked), values)


def series(site: Site, labelled: Labelled, values: Values) -> Told:
    """The labels of series. TooMuch beyond SERIES_MAX without a `limit` below it."""
    table, picked = _picked(site, labelled, values)
    at: list[int] = np.flatnonzero(picked).tolist()
    if min(len(at), values["limit"] or len(at)) > SERIES_MAX:
        hint = f"name a gateway or a device, or add `limit={SERIES_MAX}`"
        raise TooMuch(f"{len(at)} series are more than {SERIES_MAX}", hint)
    return _first(at, values, table.labels)


def metadata(site: Site, labelled: Labelled, values: Values) -> Told:
    """Of which type and in which units metrics are, by the name that Prometheus has for them."""
    found: dict[str, dict[tuple[str, str, str], None]] = {}
    for name in labelled.table(site.shown.book()).known.names:
        metric = metric_name(name.metric)
        if values["metric"] in (None, metric):
            told = _TYPES.get(SeriesKind(name.kind), "gauge"), name.metric, name.unit
            found.setdefault(metric, {})[told] = None
    limit, each = values["limit"] or len(found), values["limit_per_metric"] or None
    told_of = {
        metric: [
            {"type": of[0], "help": of[1], "unit": of[2]} for of in sorted(found[metric])[:each]
        ]
        for metric in sorted(found)[:limit]
    }
    return told_of, ()


def buildinfo(site: Site, labelled: Labelled, values: Values) -> Told:
    """Which Prometheus this server answers as, and which version of Tidegate it is."""
    told = {"version": PROMETHEUS, "revision": f"tidegate-{site.version}", "branch": "tidegate"}
    return told | {"buildUser": "", "buildDate": "", "goVersion": ""}, ()


def _picked(site: Site, labelled: Labelled, values: Values) -> tuple[Table, NDArray[np.bool_]]:
    """The series that some of the selectors mean, heard in the span if one is given."""
    table = labelled.table(site.shown.book())
    picked = np.ones(len(table.known.names), bool)
    if values[MATCH]:
        picked = np.zeros(len(table.known.names), bool)
        for matchers in values[MATCH]:
            picked |= table.fulfil(matchers)
    start, end = values["start"], values["end"]
    if start is not None or end is not None:
        first = kinds.FIRST_US if start is None else start
        picked &= table.heard(first, kinds.LAST_US if end is None else end)
    return table, picked


def _first(
    found: Sequence[Any], values: Values, told: Callable[[Sequence[Any]], Any] | None = None
) -> Told:
    """The first `limit` of them, and a warning where there are more."""
    limit = values["limit"] or len(found)
    kept = found[:limit]
    more = f"{len(found)} were found, {limit} are told: `limit`"
    return told(kept) if told else kept, [more] if len(found) > limit else ()
