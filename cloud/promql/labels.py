"""Pure: our names as Prometheus has names.

A series is called by its metric: what a name may not have becomes `_`. The metric as it is told
stands in a label of its own, beside `gateway`, `device` and `unit`, and the series' own labels.
"""

import re
from collections.abc import Mapping
from typing import Final

import orjson

from cloud.lake.names import Name

NAME: Final = "__name__"
"""The label that holds the name of a metric."""
LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
ID: Final = "series"
"""The label that tells series apart which have all others in common: the id."""
OWN: Final = ("gateway", "device", "metric", "unit")
_NOT_METRIC: Final = re.compile(r"[^a-zA-Z0-9_:]")
_NOT_LABEL: Final = re.compile(r"[^a-zA-Z0-9_]")


def metric_name(metric: str) -> str:
    """A metric as Prometheus may call it: `bus/volts.1` is `bus_volts_1`, `2nd` is `_2nd`."""
    name = _NOT_METRIC.sub("_", metric)
    return name if METRIC.fullmatch(name) else f"_{name}"


def own_labels(labels: str) -> Mapping[str, str]:
    """A series' own labels, given as JSON: names as Prometheus may have them.

    What is one of ours, or begins with `__`, gets `exported_` before it; a name that another of
    the series has too gets a number behind it. Empty ones are none.
    """
    found: dict[str, str] = {}
    for label, value in sorted(orjson.loads(labels).items()):
        name = _NOT_LABEL.sub("_", label)
        name = name if LABEL.fullmatch(name) else f"_{name}"
        if name in (*OWN, ID) or name.startswith("__"):
            name = f"exported_{name}"
        whole, count = name, 1
        while name in found:
            count += 1
            name = f"{whole}_{count}"
        if value:
            found[name] = value
    return found


def labels_of(name: Name) -> dict[str, str]:
    """All labels of a series; those that would be empty are left out."""
    held = {
        NAME: metric_name(name.metric),
        "gateway": name.gateway,
        "device": name.device,
        "metric": name.metric,
        "unit": name.unit,
        **own_labels(name.labels),
    }
    return {label: value for label, value in held.items() if value}
