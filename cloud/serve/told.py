"""What people are told: what stands, and what became of each message."""

from dataclasses import replace
from enum import Enum
from typing import Any, Final

from cloud.notify import log as notify_log
from cloud.notify.outbox import State
from cloud.notify.rule import What
from cloud.serve import endpoint, kinds
from cloud.serve.endpoint import Values
from cloud.serve.fields import Field, Type
from cloud.serve.formats import Answer
from cloud.serve.kinds import key_text
from cloud.serve.params import Param
from cloud.serve.site import Site


class Which(Enum):
    """Whether what ended is told too; the value is its name on the wire."""

    OPEN = "open"
    ALL = "all"


STANDING_PARAMS: Final = {
    "what": Param(kinds.one_of(What), "of this kind"),
    "gateway": Param(kinds.TEXT, "of this gateway"),
    "which": Param(kinds.one_of(Which), "what stands, or what stood too", Which.OPEN),
    "limit": endpoint.limit(),
    "cursor": endpoint.cursor(int),
}
NOTICES_PARAMS: Final = {
    "channel": Param(kinds.TEXT, "to this channel"),
    "state": Param(kinds.one_of(State), "that are so"),
    "limit": endpoint.limit(),
    "cursor": endpoint.cursor(int),
}
STANDING: Final = (
    Field("id", Type.TEXT, "for ever its own, 32 hex digits"),
    Field("what", Type.TEXT, "silence, buffer, certificate, gap, episode, limit"),
    Field("rule", Type.TEXT, "the rule that found it"),
    Field("severity", Type.TEXT, "info, warning, critical"),
    Field("gateway", Type.TEXT, "the gateway it is about"),
    Field("device", Type.TEXT, "the device, where it is about a series", null=True),
    Field("metric", Type.TEXT, "what is measured, where it is about a series", null=True),
    Field("began", Type.TIME, "since when it stands: of a silence, when it was last heard"),
    Field("ended", Type.TIME, "when it ended", null=True),
    Field("detail", Type.OBJECT, "facts as it began, or ended: value, limit, share, days …"),
)
NOTICES: Final = (
    Field("id", Type.TEXT, "as the receiver got it, each time it was sent"),
    Field("channel", Type.TEXT, "whom it is for"),
    Field("severity", Type.TEXT, "of what matters most in it"),
    Field("subject", Type.TEXT, "what it says, on one line"),
    Field("state", Type.TEXT, "waiting, delivered, dropped"),
    Field("attempts", Type.WHOLE, "how often it was tried"),
    Field("made", Type.TIME, "when it was made"),
    Field("due", Type.TIME, "when it is tried next", null=True),
    Field("done", Type.TIME, "when it was delivered or dropped", null=True),
    Field("error", Type.TEXT, "why it was not delivered the last time, or for whom; else empty"),
)
DROPPED: Final = {
    "type": "array",
    "description": "how much was ever dropped, by channel and reason",
    "items": {
        "type": "object",
        "required": ["channel", "reason", "count"],
        "additionalProperties": False,
        "properties": {
            "channel": {"type": "string"},
            "reason": {"type": "string"},
            "count": endpoint.WHOLE,
        },
    },
}


def standing(site: Site, values: Values) -> Answer:
    """What stands, that which was found last first."""
    found = [] if site.told is None else notify_log.standings(
        site.told, what=values["what"], gateway=values["gateway"],
        ended=values["which"] is Which.ALL,
        before=_before(values), limit=values["limit"] + 1,
    )  # fmt: skip
    page, next_ = _page(found, values["limit"])
    return endpoint.paged("standing", page, STANDING, next_, now=site.now_us())


def notices(site: Site, values: Values) -> Answer:
    """Messages and what became of them, the newest first."""
    found = [] if site.told is None else notify_log.notices(
        site.told, channel=values["channel"], state=values["state"], before=_before(values),
        limit=values["limit"] + 1,
    )  # fmt: skip
    page, next_ = _page(found, values["limit"])
    dropped = [] if site.told is None else site.told.drops()
    answer = endpoint.paged("notices", page, NOTICES, next_, now=site.now_us())
    return replace(answer, document={**answer.document, "dropped": dropped})


def _before(values: Values) -> int | None:
    return None if values["cursor"] is None else values["cursor"][0]


def _page(found: list[dict[str, Any]], limit: int) -> tuple[list[dict[str, Any]], str | None]:
    page = found[:limit]
    next_ = key_text(page[-1]["number"]) if len(found) > limit else None
    return [{name: row[name] for name in row if name != "number"} for row in page], next_
