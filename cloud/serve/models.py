"""Models and rollouts: what was published, who runs what and how it behaves, what is decided."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cloud.errors import OperatorError
from cloud.rollout.plan import Behaviour, Rollout, Stage, members
from cloud.rollout.rollouts import (
    HOLD_US,
    SHARE,
    TRIAL_US,
    RolloutConflictError,
    Rollouts,
    UnknownRolloutError,
    Wish,
)
from cloud.serve import endpoint, kinds
from cloud.serve.endpoint import Values
from cloud.serve.fields import Field, Type
from cloud.serve.formats import Answer
from cloud.serve.marks import AUTHOR, NOTE
from cloud.serve.params import Expected, Kind, Param, Refusal
from cloud.serve.site import Site
from protos import sync_pb2 as pb

ROLLOUT_MAX: Final = 1 << 53
DAY_S: Final = 86_400
_STATES: Final = ("fetching", "tried", "good", "failed", "refused")
_NAME: Final = Param(kinds.TEXT, "of this model")


def _read_share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        raise Expected("a number above 0 up to 1") from None
    if not 0 < share <= 1:
        raise Expected("a number above 0 up to 1", "1" if share > 1 else "")
    return share


_SHARE_KIND: Final = Kind(_read_share, {"type": "string", "pattern": r"^[0-9.e-]{1,20}$"})
_YES: Final = kinds.whole(0, 1)
_ROLLOUT: Final = Param(kinds.whole(1, ROLLOUT_MAX), "id of the rollout", required=True)

MODELS_PARAMS: Final = {"name": _NAME}
MODELS: Final = (
    Field("name", Type.TEXT, "of the model"),
    Field("version", Type.TEXT, "of the model"),
    Field("sha256", Type.TEXT, "of its package, 64 hex digits"),
    Field("bytes", Type.WHOLE, "size of its package"),
    Field("published", Type.TIME, "when it was published"),
    Field("published_by", Type.TEXT, "who published it"),
    Field("about", Type.TEXT, "what its manifest says of it"),
    Field("gateways", Type.WHOLE, "where it is in service for good"),
)
ROLLOUTS_PARAMS: Final = {
    "name": _NAME,
    "limit": endpoint.limit(100, 10_000),
    "cursor": endpoint.cursor(int),
}
ROLLOUTS: Final = (
    Field("id", Type.WHOLE, "its number"),
    Field("name", Type.TEXT, "of the model"),
    Field("version", Type.TEXT, "of the model"),
    Field("sha256", Type.TEXT, "of its package"),
    Field("stage", Type.TEXT, "shadow, canary, all, done, or back: taken back"),
    Field("since", Type.TIME, "since when it is in this stage"),
    Field("why", Type.TEXT, "why it came to this stage, where that was told"),
    Field("by", Type.TEXT, "who brought it to this stage; `tidegate`: it did by itself"),
    Field("share", Type.NUMBER, "of the gateways, in shadow and canary"),
    Field("auto", Type.FLAG, "whether it goes on by itself"),
    Field("hold_s", Type.WHOLE, "seconds in a stage before it goes on by itself"),
    Field("trial_s", Type.WHOLE, "seconds in service before it is a gateway's good one"),
    Field("downgrade", Type.FLAG, "whether a later version may give way to it"),
    Field("created", Type.TIME, "when it was begun"),
    Field("created_by", Type.TEXT, "who began it"),
    Field("note", Type.TEXT, "what there is to say"),
    Field("gateways", Type.WHOLE, "that are to have it in this stage"),
    *(Field(state, Type.WHOLE, f"gateways that say `{state}` of it") for state in _STATES),
)
RUNNING_PARAMS: Final = {
    "name": _NAME,
    "gateway": Param(kinds.TEXT, "on this gateway"),
    "rollout": Param(kinds.whole(0, ROLLOUT_MAX), "of this rollout"),
    "limit": endpoint.limit(1000, 10_000),
    "cursor": endpoint.cursor(str, str, int),
}
RUNNING: Final = (
    Field("gateway", Type.TEXT, "the gateway's name"),
    Field("name", Type.TEXT, "of the model"),
    Field("version", Type.TEXT, "of the model"),
    Field("rollout", Type.WHOLE, "id of its rollout; 0: it is the gateway's own"),
    Field("stage", Type.TEXT, "shadow, canary or all"),
    Field("state", Type.TEXT, "fetching, tried, good, failed or refused"),
    Field("reason", Type.TEXT, "why it failed or was refused"),
    Field("heard", Type.TIME, "when the gateway said so"),
    Field("bytes_held", Type.WHOLE, "of its package, while it is fetched"),
    Field("windows", Type.WHOLE, "that it was given since it began"),
    Field("scored", Type.WHOLE, "of them"),
    Field("alarms", Type.WHOLE, "that it raised"),
    Field("beside_alarms", Type.WHOLE, "of the model in service, over the same readings"),
    Field("errors", Type.WHOLE, "calls that failed"),
    Field("mean_us", Type.NUMBER, "µs a window"),
    Field("p99_us", Type.NUMBER, "µs a window, 99 of 100 calls"),
    Field("memory_bytes", Type.WHOLE, "of its process; 0 where it has none of its own"),
    Field("series_weeks", Type.NUMBER, "time of all its series together"),
    Field("promised_per_week", Type.NUMBER, "false alarms of one series"),
    Field("alarms_per_week", Type.NUMBER, "what it raised, of one series"),
)
BEGIN: Final = {
    "name": Param(kinds.TEXT, "of the model", required=True),
    "version": Param(kinds.TEXT, "without it the highest that was published", ""),
    "share": Param(_SHARE_KIND, "of the gateways, above 0 up to 1", SHARE),
    "stage": Param(kinds.one_of(Stage), "to begin with: shadow, canary or all", Stage.SHADOW),
    "auto": Param(_YES, "1: goes on by itself", 0),
    "hold_s": Param(kinds.whole(1, 366 * DAY_S), "in a stage, at least", HOLD_US // 1_000_000),
    "trial_s": Param(kinds.whole(1, 366 * DAY_S), "in service on trial", TRIAL_US // 1_000_000),
    "downgrade": Param(_YES, "1: a later version may give way", 0),
    "author": AUTHOR,
    "note": NOTE,
}
ADVANCE: Final = {"rollout": _ROLLOUT}
ADVANCE_BODY: Final = {"author": AUTHOR}
BACK_BODY: Final = {"author": AUTHOR, "note": NOTE}


def models(site: Site, values: Values) -> Answer:
    """Published models, by name, the last published first."""
    if site.rollouts is None:
        return endpoint.rows("models", [], MODELS)
    good: dict[str, int] = {}
    for one in site.rollouts.registry.behaviours():
        if one.told.state == pb.MODEL_GOOD:
            good[one.told.sha256.hex()] = good.get(one.told.sha256.hex(), 0) + 1
    told = [
        {
            "name": row.name, "version": row.version, "sha256": row.sha256, "bytes": row.size,
            "published": row.published_us, "published_by": row.published_by, "about": row.about,
            "gateways": good.get(row.sha256, 0),
        }
        for row in site.rollouts.registry.published()
        if values["name"] in (None, row.name)
    ]  # fmt: skip
    return endpoint.rows("models", told, MODELS)


def rollouts(site: Site, values: Values) -> Answer:
    """Rollouts, the last begun first."""
    if site.rollouts is None:
        return endpoint.paged("rollouts", [], ROLLOUTS, None, now=site.now_us())
    registry, after = site.rollouts.registry, values["cursor"]
    found = [
        one
        for one in reversed(registry.rollouts())
        if values["name"] in (None, one.name) and (after is None or one.id < after[0])
    ]
    page = found[: values["limit"]]
    next_ = kinds.key_text(page[-1].id) if len(found) > len(page) else None
    heard, fleet = _by_rollout(registry.behaviours()), registry.gateway_names()
    told = [_told(one, heard.get(one.id, []), fleet) for one in page]
    return endpoint.paged("rollouts", told, ROLLOUTS, next_, now=site.now_us())


def running(site: Site, values: Values) -> Answer:
    """What each gateway runs and how it behaves, by gateway and model."""
    heard = [] if site.rollouts is None else site.rollouts.registry.behaviours()
    after = values["cursor"]
    found = [
        one
        for one in heard
        if values["name"] in (None, one.told.name)
        and values["gateway"] in (None, one.gateway)
        and values["rollout"] in (None, one.told.rollout)
        and (after is None or _key(one) > after)
    ]
    page = found[: values["limit"]]
    next_ = kinds.key_text(*_key(page[-1])) if len(found) > len(page) else None
    told = [_behaving(one) for one in page]
    return endpoint.paged("running", told, RUNNING, next_, now=site.now_us())


def begin(site: Site, values: Values) -> Answer:
    """Begin a rollout. Refusal where it cannot."""
    if values["stage"] not in (Stage.SHADOW, Stage.CANARY, Stage.ALL):
        message, hint = "a rollout begins in shadow, canary or all", "name one of these"
        raise Refusal(400, "bad_parameter", message, hint, parameter="stage")
    wish = Wish(
        values["name"], values["version"], values["share"], values["stage"], bool(values["auto"]),
        values["hold_s"] * 1_000_000, values["trial_s"] * 1_000_000, bool(values["downgrade"]),
        values["note"],
    )  # fmt: skip
    return _decided(site, lambda desk: desk.begin(wish, values["author"]))


def advance(site: Site, values: Values) -> Answer:
    """Take a rollout to its next stage. Refusal where it cannot."""
    return _decided(site, lambda desk: desk.advance(str(values["rollout"]), values["author"]))


def back(site: Site, values: Values) -> Answer:
    """Take a rollout back. Refusal where it cannot."""
    which, why = str(values["rollout"]), values["note"]
    return _decided(site, lambda desk: desk.back(which, values["author"], why))


def _decided(site: Site, decide: Callable[[Rollouts], Rollout]) -> Answer:
    desk = site.rollouts
    try:
        if desk is None:
            raise UnknownRolloutError("decide on a rollout", "this site has none")
        one = decide(desk)
    except UnknownRolloutError as error:
        raise _refusal(404, "unknown_rollout", error) from error
    except RolloutConflictError as error:
        raise _refusal(409, "rollout_conflict", error) from error
    return Answer(_told(one, [], desk.registry.gateway_names()), status=201)


def _refusal(status: int, code: str, error: OperatorError) -> Refusal:
    return Refusal(status, code, f"could not {error.tried}: {error.cause}", error.hint)


def _told(one: Rollout, heard: list[Behaviour], fleet: list[str]) -> dict[str, Any]:
    states = [_state(each) for each in heard]
    in_share = one.stage in (Stage.SHADOW, Stage.CANARY)
    wanted = len(members(one, fleet)) if in_share else len(fleet)
    return {
        "id": one.id, "name": one.name, "version": one.version, "sha256": one.sha256,
        "stage": one.stage.value, "since": one.stage_us, "why": one.why, "by": one.changed_by,
        "share": one.share, "auto": one.is_auto, "hold_s": one.hold_us // 1_000_000,
        "trial_s": one.trial_us // 1_000_000, "downgrade": one.downgrade,
        "created": one.created_us, "created_by": one.created_by, "note": one.note,
        "gateways": 0 if one.stage is Stage.BACK else wanted,
        **{state: states.count(state) for state in _STATES},
    }  # fmt: skip


def _behaving(one: Behaviour) -> Mapping[str, Any]:
    told = one.told
    return {
        "gateway": one.gateway, "name": told.name, "version": told.version,
        "rollout": told.rollout, "stage": _word(pb.ModelStage, told.stage, "MODEL_"),
        "state": _state(one), "reason": told.reason, "heard": one.at_us,
        "bytes_held": told.bytes_held, "windows": told.windows, "scored": told.scored,
        "alarms": told.alarms, "beside_alarms": told.beside_alarms, "errors": told.errors,
        "mean_us": told.mean_us, "p99_us": told.p99_us, "memory_bytes": told.memory_bytes,
        "series_weeks": told.series_weeks, "promised_per_week": told.promised_per_week,
        "alarms_per_week": told.alarms / told.series_weeks if told.series_weeks > 0 else None,
    }  # fmt: skip


def _key(one: Behaviour) -> tuple[str, str, int]:
    return one.gateway, one.told.name, one.told.rollout


def _by_rollout(heard: list[Behaviour]) -> dict[int, list[Behaviour]]:
    found: dict[int, list[Behaviour]] = {}
    for one in heard:
        found.setdefault(one.told.rollout, []).append(one)
    return found


def _state(one: Behaviour) -> str:
    return _word(pb.ModelState, one.told.state, "MODEL_")


def _word(of: Any, number: int, prefix: str) -> str:
    """The name of an enum's value, for people; empty for one that this version does not know."""
    if number == 0 or number not in of.values():
        return ""
    return str(of.Name(number)).removeprefix(prefix).lower()
