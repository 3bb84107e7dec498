"""All routes of the Prometheus API: what is served, and what the OpenAPI document says of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cloud.serve import kinds
from cloud.serve.endpoint import Method
from cloud.serve.params import Param
from cloud.serve.prometheus import names, params, values
from cloud.serve.prometheus.labelled import Labelled
from cloud.serve.prometheus.params import LIMIT, MATCH, MATCHERS, QUERY, SPAN, TIME, UNUSED, WIDTH
from cloud.serve.prometheus.values import Told
from cloud.serve.site import Site

ROOT: Final = "/api/prometheus"
"""What Grafana is told as the server's address, behind its name."""
Answering = Callable[[Site, Labelled, Mapping[str, Any]], Told]
"""From what is asked to what is told; blocks, and is called from a thread."""


@dataclass(frozen=True, slots=True)
class Question:
    """A route: ``params`` of the query string or of a form, ``methods`` it takes."""

    path: str
    summary: str
    params: Mapping[str, Param]
    answer: Answering
    data: Mapping[str, Any]
    methods: tuple[Method, ...] = (Method.GET, Method.POST)


_RESULT: Final = {
    "type": "object",
    "required": ["resultType", "result"],
    "properties": {"resultType": {"type": "string"}, "result": {"type": "array"}},
}
_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_LABELS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_EXPRESSION: Final = {"query": Param(QUERY, "a query of PromQL", required=True)}
_SERIES: Final = {MATCH: MATCHERS, **SPAN, "limit": LIMIT}

QUESTIONS: Final = (
    Question(
        f"{ROOT}/api/v1/query", "A query of PromQL at one time.",
        {**_EXPRESSION, "time": Param(TIME, "when", default_text="now"), "limit": LIMIT, **UNUSED},
        values.query, _RESULT,
    ),
    Question(
        f"{ROOT}/api/v1/query_range", "A query of PromQL at evenly spaced times.",
        {
            **_EXPRESSION,
            "start": Param(TIME, "the first time", required=True),
            "end": Param(TIME, "no time is later", required=True),
            "step": Param(WIDTH, "between two times", required=True),
            "limit": LIMIT,
            **UNUSED,
        },
        values.query_range, _RESULT,
    ),
    Question(f"{ROOT}/api/v1/labels", "The names of labels.", _SERIES, names.labels, _TEXTS),
    Question(
        f"{ROOT}/api/v1/label/{{name}}/values", "The values of a label.",
        {"name": Param(kinds.TEXT, "of the label", required=True), **_SERIES},
        names.label_values, _TEXTS, (Method.GET,),
    ),
    Question(
        f"{ROOT}/api/v1/series", "Series by their labels.",
        {**_SERIES, MATCH: Param(QUERY, MATCHERS.help, (), required=True)}, names.series,
        {"type": "array", "items": _LABELS},
    ),
    Question(
        f"{ROOT}/api/v1/metadata", "Types and units of metrics.",
        {
            "metric": Param(kinds.TEXT, "of this metric, by its Prometheus name"),
            "limit": LIMIT,
            "limit_per_metric": Param(
                kinds.whole(0, params.LIMIT_MAX), "types and units of one metric; 0: all", 0
            ),
        },
        names.metadata, {"type": "object", "additionalProperties": {"type": "array"}},
        (Method.GET,),
    ),
    Question(
        f"{ROOT}/api/v1/status/buildinfo", "Which Prometheus this answers as.", {},
        names.buildinfo, _LABELS, (Method.GET,),
    ),
)  # fmt: skip
