"""What an answer's quantiles are made of, asked and told."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

import numpy as np

from cloud.query.history import Ask, History
from cloud.query.rows import QUANTILES, BucketSeries, More
from cloud.rollup.bins import ERROR
from cloud.serve import kinds
from cloud.serve.params import Param


class MadeOf(Enum):
    """What quantiles are made of; the value is its name on the wire."""

    BINS = "bins"
    READINGS = "readings"


PARAM: Final = Param(
    kinds.one_of(MadeOf),
    "what quantiles of buckets of hours and more are made of: the `bins` of their rollups, or all"
    " `readings`, which is exact",
    MadeOf.BINS,
)
SCHEMA: Final[Mapping[str, Any]] = {
    "type": ["object", "null"],
    "required": ["made_of", "error", "removed"],
    "properties": {
        "made_of": {"type": "string", "enum": [each.value for each in MadeOf]},
        "error": {
            "type": "number",
            "description": "the most that one is off, of the bucket's max − min; 0: exact",
        },
        "removed": {
            "type": "integer",
            "description": "buckets whose readings retention removed, and of which no bins tell",
        },
    },
    "description": "null where none were asked for",
}


def wanted(more: frozenset[More], asked: MadeOf) -> frozenset[More]:
    """What buckets shall tell, quantiles so made as it is asked."""
    if asked is MadeOf.READINGS and More.QUANTILES in more:
        return more - {More.QUANTILES} | {More.EXACT_QUANTILES}
    return more


def told(found: History, ask: Ask) -> dict[str, Any] | None:
    """What they were made of in the end, and their error; None where there are none."""
    if found.buckets is None or QUANTILES.isdisjoint(ask.more):
        return None
    series = [each for each in found.series if isinstance(each, BucketSeries)]
    made_of = MadeOf.BINS if any(each.of_bins for each in series) else MadeOf.READINGS
    errors = [each.error for each in series if each.error is not None]
    return {
        "made_of": made_of.value,
        "error": ERROR if made_of is MadeOf.BINS else 0.0,
        "removed": int(sum(np.isnan(error).sum() for error in errors)),
    }


def about(head: Mapping[str, Any]) -> dict[str, Any]:
    """The same of an answer's ``head`` in one line, for a header."""
    said = head["quantiles"]
    if not said:
        return {"quantiles": None}
    removed = f"; removed={said['removed']}" if said["removed"] else ""
    return {"quantiles": f"{said['made_of']}; error={said['error']:.6g}{removed}"}
