"""All routes of the HTTP API: what is served, and what the OpenAPI document and the guide say."""

from collections.abc import Mapping
from typing import Any, Final

from cloud.serve import (
    endpoint,
    episodes,
    events,
    fleet,
    history,
    history_quantiles,
    history_table,
    kinds,
    marks,
    models,
    operations,
    quarantine,
    series,
    status,
    told,
    verdicts,
)
from cloud.serve.endpoint import CURSOR_OUT, WHOLE, Endpoint, Method
from cloud.serve.fields import json_schema
from cloud.serve.params import Param

_PAGED: Final[dict[str, Any]] = {"next": CURSOR_OUT}
_NOW: Final[dict[str, Any]] = {"now": WHOLE}
_SPAN: Final[dict[str, Any]] = {"from": WHOLE, "to": WHOLE}
_ANY_TEXT: Final = {"type": ["string", "null"]}
_ANY_WHOLE: Final = {"type": ["integer", "null"], "format": "int64"}
_GATEWAY: Final = {"gateway": Param(kinds.TEXT, "of this gateway")}
_LIST: Final = {"limit": endpoint.limit(10_000)}
_STATE: Final = {
    "type": "object",
    "required": ["us"],
    "properties": {
        "us": WHOLE,
        "value": {"type": ["number", "null"]},
        "text": _ANY_TEXT,
        "others": WHOLE,
    },
}
_ITEMS: Final = {"text": _ANY_TEXT, "durations": {"type": ["array", "null"], "items": _STATE}}
_TRACK: Final = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "t": {"type": "array", "items": WHOLE},
        "v": {"type": "array", "items": {"type": ["number", "null"]}},
        "quality": {"type": "array", "items": WHOLE},
        "special": {"type": "object", "additionalProperties": {"type": "string"}},
        "gaps": {"type": "array", "items": {"type": "array", "items": WHOLE}},
        **{
            name: {"type": "array", "items": _ITEMS.get(name, {"type": ["number", "null"]})}
            for name in history_table.ALL
        },
    },
}  # fmt: skip
HISTORY: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["from", "to", "resolution", "bucket_us", "bad", "watermark", "series", "next"],
    "properties": {
        **_SPAN,
        "resolution": {"type": "string"},
        "bucket_us": _ANY_WHOLE,
        "bucket": _ANY_TEXT,
        "zone": _ANY_TEXT,
        "bad": {"type": "string"},
        "watermark": {"type": "object", "properties": {"journal": WHOLE, "lake": WHOLE}},
        "series": {"type": "array", "items": _TRACK},
        "t": {"type": "array", "items": WHOLE, "description": "wide: starts of all buckets"},
        "values": {"type": "array", "items": {"type": "array"}, "description": "wide: columns"},
        "marks": {"type": "array", "items": {"type": "object"}},
        "view": {"type": "string"},
        "quantiles": history_quantiles.SCHEMA,
        "segments": {"type": "array", "items": {"type": "object"}},
        "next": CURSOR_OUT,
    },
}
_MARK: Final = json_schema(marks.MARKS)
_ROLLOUT: Final = json_schema(models.ROLLOUTS)
_OUTCOME: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["operation", "series", "segments", "left_out"],
    "properties": {
        "operation": json_schema(operations.OPERATIONS),
        "series": {"type": ["object", "null"]},
        "segments": {"type": "array", "items": json_schema(operations.SEGMENTS)},
        "left_out": {"type": "array", "items": {"type": "string"}},
    },
}

ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/status", "What journal and history hold.", {}, status.status, whole=status.STATUS
    ),
    Endpoint(
        "/api/v1/gateways", "Each gateway: connection, backlog, clock, counts.",
        {"gateway": Param(kinds.TEXT, "this one alone"), **_LIST, "cursor": endpoint.cursor(str)},
        fleet.gateways,
        "gateways", fleet.GATEWAYS, _NOW | _PAGED,
    ),
    Endpoint(
        "/api/v1/devices", "Each device: metrics, readings, anomalies, last reading.",
        {**_GATEWAY, **_LIST, "cursor": endpoint.cursor(str, str)}, fleet.devices,
        "devices", fleet.DEVICES, _PAGED,
    ),
    Endpoint(
        "/api/v1/series", "Series by name, unit, kind, label and silence.", series.FILTERS,
        series.series, "series", series.SERIES, {"total": WHOLE} | _NOW | _PAGED,
        refuses=frozenset(),
    ),
    Endpoint(
        "/api/v1/latest", "The last reading of each series.", series.FILTERS, series.latest,
        "latest", series.LATEST, _NOW | _PAGED,
    ),
    Endpoint(
        "/api/v1/history", "Readings, or buckets of them, of up to 100 series.", history.PARAMS,
        history.history, whole=HISTORY, refuses=frozenset({404}), forms=True,
    ),
    Endpoint(
        "/api/v1/states", "What series said over time, as stretches.", events.STATES_PARAMS,
        events.state_stretches, "states", events.STATES, _SPAN | _PAGED, refuses=frozenset({404}),
    ),
    Endpoint(
        "/api/v1/anomalies", "Readings that were scored as anomalies, newest first.",
        events.RANGE, events.anomalies, "anomalies", events.ANOMALIES, _PAGED,
    ),
    Endpoint(
        "/api/v1/episodes", "Episodes of anomalies, the newest or the highest peak first.",
        episodes.PARAMS, episodes.episodes, "episodes", episodes.EPISODES, _PAGED,
    ),
    Endpoint(
        "/api/v1/gaps", "What gateways declared lost, newest first.",
        {name: param for name, param in events.RANGE.items() if name not in ("series", "device")},
        events.gaps, "gaps", events.GAPS, _PAGED,
    ),
    Endpoint(
        "/api/v1/ledger", "What became of each gateway's epochs.", _GATEWAY, status.ledger,
        "ledger", status.LEDGER,
    ),
    Endpoint(
        "/api/v1/standing", "What stands that people are told of, the newest first.",
        told.STANDING_PARAMS, told.standing, "standing", told.STANDING, _NOW | _PAGED,
    ),
    Endpoint(
        "/api/v1/notices", "What people were told, and what became of each message.",
        told.NOTICES_PARAMS, told.notices, "notices", told.NOTICES,
        {"dropped": told.DROPPED} | _NOW | _PAGED,
    ),
    Endpoint(
        "/api/v1/quarantine", "Blocks set apart and why, the last first.", quarantine.PARAMS,
        quarantine.quarantine, "quarantine", quarantine.QUARANTINE,
        {"total": WHOLE} | _NOW | _PAGED,
    ),
    Endpoint(
        "/api/v1/quarantine/{block}", "One block set apart, and what it says of itself.",
        quarantine.BLOCK, quarantine.one, whole=quarantine.ONE, refuses=frozenset({404}),
    ),
    Endpoint(
        "/api/v1/marks", "Marks: fault, maintenance, bad data; those that begin last first.",
        marks.PARAMS, marks.marks, "marks", marks.MARKS, _PAGED, refuses=frozenset({404}),
    ),
    Endpoint(
        "/api/v1/marks", "Mark an interval.", {}, marks.make, whole=_MARK, method=Method.POST,
        body=marks.BODY, refuses=frozenset({403, 404, 408, 409, 413, 415}),
    ),
    Endpoint(
        "/api/v1/marks/{mark}", "One mark.", {"mark": marks.WITHDRAW["mark"]}, marks.one,
        whole=_MARK, refuses=frozenset({404}),
    ),
    Endpoint(
        "/api/v1/marks/{mark}", "Withdraw a mark; what it left out comes back.", marks.WITHDRAW,
        marks.withdraw, whole=_MARK, method=Method.DELETE, refuses=frozenset({403, 404}),
    ),
    Endpoint(
        "/api/v1/verdicts", "What was said of episodes, the last first.", verdicts.PARAMS,
        verdicts.verdicts, "verdicts", verdicts.VERDICTS, _PAGED,
    ),
    Endpoint(
        "/api/v1/verdicts", "Confirm or dismiss an episode, or take that back.", {},
        verdicts.give, whole=json_schema(verdicts.VERDICTS), method=Method.POST,
        body=verdicts.BODY, refuses=frozenset({403, 404, 408, 409, 413, 415}),
    ),
    Endpoint(
        "/api/v1/operations", "Operations on series, the newest first.", operations.PARAMS,
        operations.operations, "operations", operations.OPERATIONS, _PAGED,
        refuses=frozenset({404}),
    ),
    Endpoint(
        "/api/v1/operations", "Rename, replace, merge, retire series, set units, undo.", {},
        operations.make, whole=_OUTCOME, method=Method.POST, body=operations.BODY,
        refuses=frozenset({403, 404, 408, 409, 413, 415}),
    ),
    Endpoint(
        "/api/v1/operations/check", "What an operation would make, without making it.",
        operations.CHECK, operations.check, whole=_OUTCOME, refuses=frozenset({404, 409}),
    ),
    Endpoint(
        "/api/v1/segments", "Of which stored series, since when, in which unit, each is made.",
        operations.SEGMENTS_PARAMS, operations.segments, "segments", operations.SEGMENTS,
        refuses=frozenset({404}),
    ),
    Endpoint(
        "/api/v1/proposals", "Series of one name that could be merged: a unit that changed.",
        operations.PROPOSALS_PARAMS, operations.proposals, "proposals", operations.PROPOSALS,
        {"total": WHOLE},
    ),
    Endpoint(
        "/api/v1/models", "Models that were published, which may be rolled out.",
        models.MODELS_PARAMS, models.models, "models", models.MODELS,
    ),
    Endpoint(
        "/api/v1/models/running", "What each gateway runs and how it behaves.",
        models.RUNNING_PARAMS, models.running, "running", models.RUNNING, _NOW | _PAGED,
    ),
    Endpoint(
        "/api/v1/rollouts", "Rollouts of models, the last begun first.", models.ROLLOUTS_PARAMS,
        models.rollouts, "rollouts", models.ROLLOUTS, _NOW | _PAGED,
    ),
    Endpoint(
        "/api/v1/rollouts", "Begin to roll a published model out.", {}, models.begin,
        whole=_ROLLOUT, method=Method.POST, body=models.BEGIN,
        refuses=frozenset({403, 404, 408, 409, 413, 415}),
    ),
    Endpoint(
        "/api/v1/rollouts/{rollout}/advance", "Take a rollout to its next stage.", models.ADVANCE,
        models.advance, whole=_ROLLOUT, method=Method.POST, body=models.ADVANCE_BODY,
        refuses=frozenset({403, 404, 408, 409, 413, 415}),
    ),
    Endpoint(
        "/api/v1/rollouts/{rollout}/rollback", "Take a rollout back: the models before it serve.",
        models.ADVANCE, models.back, whole=_ROLLOUT, method=Method.POST, body=models.BACK_BODY,
        refuses=frozenset({403, 404, 408, 409, 413, 415}),
    ),
)  # fmt: skip
"""Every route but `/healthz`, the stream and the document of these."""
