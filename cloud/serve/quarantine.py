"""Blocks set apart over HTTP: which, why, what became of them, and what one says of itself."""

from collections.abc import Mapping
from typing import Any, Final

from cloud.journal.sqlite.quarantine import Cause, Quarantined, State
from cloud.serve import endpoint, kinds
from cloud.serve.endpoint import Values
from cloud.serve.fields import Field, Type, json_schema
from cloud.serve.formats import Answer
from cloud.serve.params import Param, Refusal
from cloud.serve.site import Site
from protos.block import MalformedBlock, read_header

_STATES: Final = tuple(state.name.lower() for state in State)
_CAUSES: Final = tuple(cause.name.lower() for cause in Cause)
PARAMS: Final = {
    "gateway": Param(kinds.TEXT, "of this gateway"),
    "state": Param(kinds.some_of(_STATES), "that stand so"),
    "cause": Param(kinds.some_of(_CAUSES), "set apart for this"),
    "q": Param(kinds.TEXT, "a part of the name, the gateway, or a reason, in any case"),
    "limit": endpoint.limit(),
    "cursor": endpoint.cursor(int, str),
}
BLOCK: Final = {
    "block": Param(
        kinds.matched("[0-9a-f]{64}", "64 hex digits"), "hash of the block", required=True
    ),
}
QUARANTINE: Final = (
    Field("block", Type.TEXT, "its hash, 64 hex digits; the first 12 are its name in commands"),
    Field("gateway", Type.TEXT, "whose"),
    Field("epoch", Type.WHOLE, "in which life of its buffer"),
    Field("seq", Type.WHOLE, "its number there"),
    Field("cause", Type.TEXT, "poison: it cannot be consolidated; fork: another holds its place"),
    Field("state", Type.TEXT, "held, releasing, released or discarded"),
    Field("reason", Type.TEXT, "why it is set apart"),
    Field("why", Type.TEXT, "why it was discarded, empty when it was not"),
    Field("attempts", Type.WHOLE, "how often it was tried"),
    Field("since", Type.TIME, "since when it is set apart"),
    Field("settled", Type.TIME, "when it was released or discarded", null=True),
    Field("readings", Type.WHOLE, "how many it has, by its header"),
    Field("bytes", Type.WHOLE, "its size"),
    Field("offset", Type.WHOLE, "where in the journal, 0 where it never was"),
)
_HEADER: Final = (
    Field("rows", Type.OBJECT, "how many of each kind were sealed"),
    Field("ts_min", Type.TIME, "the earliest time in it"),
    Field("ts_max", Type.TIME, "the latest time in it"),
    Field("sealed", Type.TIME, "when it was sealed, by the gateway's clock"),
    Field("boot_id", Type.TEXT, "of the gateway's start that sealed it"),
    Field("chunks", Type.WHOLE, "how many chunks it is made of"),
)
_ROW: Final = json_schema(QUARANTINE)
ONE: Final[Mapping[str, Any]] = {
    **_ROW,
    "required": [*_ROW["required"], "kept", "header", "fault"],
    "properties": {
        **_ROW["properties"],
        "kept": {"type": "boolean", "description": "whether its bytes are held"},
        "header": {
            **json_schema(_HEADER),
            "type": ["object", "null"],
            "description": "what it says of itself, null where that cannot be read",
        },
        "fault": {"type": "string", "description": "why its header cannot be read, else empty"},
    },
}


def quarantine(site: Site, values: Values) -> Answer:
    """Blocks set apart, those that were last first."""
    found = sorted((one for one in site.apart() if _wanted(one, values)), key=_key)
    total = len(found)
    if values["cursor"] is not None:
        since, block = values["cursor"]
        found = [one for one in found if _key(one) > (-since, block)]
    page = found[: values["limit"]]
    more = len(found) > len(page)
    next_ = kinds.key_text(page[-1].since_us, page[-1].hash.hex()) if more else None
    told = [_told(one) for one in page]
    return endpoint.paged("quarantine", told, QUARANTINE, next_, total=total, now=site.now_us())


def one(site: Site, values: Values) -> Answer:
    """One block set apart, with what its header says. Refusal when there is none of that name."""
    wanted = bytes.fromhex(values["block"])
    found = next((each for each in site.apart() if each.hash == wanted), None)
    if found is None:
        hint = "`/api/v1/quarantine` lists them all"
        raise Refusal(404, "not_found", "no such block is set apart", hint, parameter="block")
    data = site.apart_data(found)
    header, fault = (None, "") if data is None else _header(data)
    return Answer({**_told(found), "kept": data is not None, "header": header, "fault": fault})


def _key(block: Quarantined) -> tuple[int, str]:
    return -block.since_us, block.hash.hex()


def _wanted(block: Quarantined, values: Values) -> bool:
    states, causes, part = values["state"], values["cause"], (values["q"] or "").casefold()
    texts = (block.hash.hex(), block.gateway, block.reason, block.why)
    return (
        values["gateway"] in (None, block.gateway)
        and (states is None or block.state.name.lower() in states)
        and (causes is None or block.cause.name.lower() in causes)
        and any(part in text.casefold() for text in texts)
    )


def _told(block: Quarantined) -> dict[str, Any]:
    return {
        "block": block.hash.hex(),
        "gateway": block.gateway,
        "epoch": block.epoch,
        "seq": block.seq,
        "cause": block.cause.name.lower(),
        "state": block.state.name.lower(),
        "reason": block.reason,
        "why": block.why,
        "attempts": block.attempts,
        "since": block.since_us,
        "settled": block.settled_us or None,
        "readings": block.readings,
        "bytes": block.bytes,
        "offset": block.offset,
    }


def _header(data: bytes) -> tuple[dict[str, Any] | None, str]:
    try:
        header, _ = read_header(data)
    except MalformedBlock as error:
        return None, str(error)
    return {
        "rows": {kind.name.lower(): rows for kind, rows in header.rows.items()},
        "ts_min": header.ts_min_us,
        "ts_max": header.ts_max_us,
        "sealed": header.sealed_wall_us,
        "boot_id": header.boot_id.hex(),
        "chunks": len(header.chunks),
    }, ""
