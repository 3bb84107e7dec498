"""Verdicts on episodes: given, listed, and which of them counts."""

import secrets
from typing import Any, Final

from cloud.series.verdicts import TooManyVerdicts, Verdict, VerdictKind, VerdictTaken
from cloud.serve import endpoint, episodes, kinds
from cloud.serve import history as serve_history
from cloud.serve.endpoint import Values
from cloud.serve.fields import Field, Type
from cloud.serve.formats import Answer
from cloud.serve.marks import AUTHOR, ID, NOTE
from cloud.serve.params import Param, Refusal
from cloud.serve.site import Site

_KINDS: Final = tuple(kind.value for kind in VerdictKind)
_EPISODE: Final = kinds.matched("[0-9a-f]{32}", "32 hex digits")

PARAMS: Final = {
    "episode": Param(_EPISODE, "on this episode"),
    "series": Param(kinds.SERIES, "on episodes of these series, ids by commas", ()),
    "verdict": Param(kinds.some_of(_KINDS), "that say one of these"),
    "limit": endpoint.limit(),
    "cursor": endpoint.cursor(int),
}
BODY: Final = {
    "episode": Param(_EPISODE, "id of the episode", required=True),
    "series": Param(kinds.SERIES, "id of its series", required=True),
    "from": Param(kinds.TIME, "when the episode began", required=True),
    "verdict": Param(
        kinds.one_of(VerdictKind), "confirmed, dismissed, or open to take it back", required=True
    ),
    "author": AUTHOR,
    "note": NOTE,
    "id": ID,
}
VERDICTS: Final = (
    Field("id", Type.TEXT, "16 hex digits"),
    Field("episode", Type.TEXT, "id of the episode"),
    Field("series", Type.TEXT, "id of its series, as it was named"),
    Field("from", Type.TIME, "when the episode began"),
    Field("verdict", Type.TEXT, "confirmed, dismissed, or open: taken back"),
    Field("note", Type.TEXT, "what there is to say"),
    Field("author", Type.TEXT, "who said so"),
    Field("created", Type.TIME, "when it was given"),
    Field("counts", Type.FLAG, "whether it is the newest of its episode"),
)


def verdicts(site: Site, values: Values) -> Answer:
    """Verdicts, the last given first."""
    last = values["cursor"][0] if values["cursor"] is not None else None
    found = [
        one
        for one in site.verdicts.all()
        if (last is None or one.number < last)
        and values["episode"] in (None, one.episode)
        and (not values["series"] or one.series in values["series"])
        and (values["verdict"] is None or one.kind.value in values["verdict"])
    ]
    page = found[: values["limit"]]
    next_ = kinds.key_text(page[-1].number) if len(found) > len(page) else None
    return endpoint.paged("verdicts", [told(site, one) for one in page], VERDICTS, next_)


def give(site: Site, values: Values) -> Answer:
    """Keep a verdict. Refusal when there is no such episode."""
    if len(values["series"]) != 1:
        message, hint = "a verdict is on one episode of one series", "name its id alone"
        raise Refusal(400, "bad_parameter", message, hint, parameter="series")
    serve_history.known(site.shown.book(), values["series"])
    if not episodes.is_episode(site, values["series"], values["episode"], values["from"]):
        message = f"the series has no episode {values['episode']} that began then"
        hint = "/api/v1/episodes lists them, with `id`, `series` and `from`"
        raise Refusal(404, "unknown_episode", message, hint, parameter="episode")
    verdict = Verdict(
        values["id"] or secrets.token_hex(8), values["episode"], values["series"][0],
        values["from"], values["verdict"], values["note"], values["author"], site.now_us(),
    )  # fmt: skip
    try:
        return Answer(told(site, site.verdicts.add(verdict)), status=201)
    except VerdictTaken as error:
        hint = "leave `id` out, or choose another"
        message = f"the verdict {verdict.id} says something else"
        raise Refusal(409, "verdict_taken", message, hint, parameter="id") from error
    except TooManyVerdicts as error:
        message, hint = "there are too many verdicts", "see the limits in docs/guide/api.md"
        raise Refusal(409, "too_many_verdicts", message, hint) from error


def told(site: Site, verdict: Verdict) -> dict[str, Any]:
    """A verdict as the API tells it."""
    newest = site.verdicts.newest(verdict.episode)
    return {
        "id": verdict.id,
        "episode": verdict.episode,
        "series": f"{verdict.series:016x}",
        "from": verdict.from_us,
        "verdict": verdict.kind.value,
        "note": verdict.note,
        "author": verdict.author,
        "created": verdict.created_us,
        "counts": newest is not None and newest.id == verdict.id,
    }
