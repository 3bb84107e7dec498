"""Pure: which gateway is offered which model, and when a rollout goes on or is taken back.

A model's name has at most one rollout under way, and beside it the last one that was done. Gateways
in the share of a rollout get it in shadow and canary, all get it in the stage `all`; the others
keep what was done before.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from protos import sync_pb2 as pb
from protos.limits import MODEL_OFFERS_MAX, MODEL_WITHDRAWN_MAX
from protos.promise import is_off

FAILED_SHARE_MAX: Final = 0.05
"""Of the gateways that answered, those that may fail: one of one to nineteen is one too many."""
SETTLED: Final = frozenset({pb.MODEL_GOOD, pb.MODEL_TRIED})
ANSWERED: Final = SETTLED | {pb.MODEL_FAILED, pb.MODEL_REFUSED}


class Stage(StrEnum):
    """Where a rollout is; the value is its name in registry and API."""

    SHADOW = "shadow"
    CANARY = "canary"
    ALL = "all"
    DONE = "done"
    BACK = "back"
    """Taken back, by a person or by itself."""


NEXT: Final[Mapping[Stage, Stage]] = {
    Stage.SHADOW: Stage.CANARY,
    Stage.CANARY: Stage.ALL,
    Stage.ALL: Stage.DONE,
}
ON_WIRE: Final[Mapping[Stage, pb.ModelStage]] = {
    Stage.SHADOW: pb.MODEL_SHADOW,
    Stage.CANARY: pb.MODEL_CANARY,
    Stage.ALL: pb.MODEL_ALL,
    Stage.DONE: pb.MODEL_ALL,
}


@dataclass(frozen=True, slots=True)
class Rollout:
    """One rollout; times in µs UTC.

    ``share`` of the gateways, above 0 to 1; ``is_auto``: goes on by itself after ``hold_us`` in a
    stage without trouble. ``trial_us``: how long a gateway has it in service before it is its good
    one. ``why``: why it was taken back.
    """

    id: int
    name: str
    version: str
    sha256: str
    size: int
    stage: Stage
    share: float
    is_auto: bool
    hold_us: int
    trial_us: int
    downgrade: bool
    created_us: int
    created_by: str
    note: str = ""
    stage_us: int = 0
    changed_by: str = ""
    why: str = ""

    @property
    def is_under_way(self) -> bool:
        """Whether it can go on."""
        return self.stage in NEXT


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one gateway last said of one model; ``told`` is a `ModelBehaviour`."""

    gateway: str
    at_us: int
    told: pb.ModelBehaviour


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a rollout: the stage it goes to, and why."""

    stage: Stage
    why: str


def place(model: str, gateway: str) -> float:
    """Where a gateway stands in the order of a model's rollouts: 0 up to 1, evenly, for ever."""
    digest = hashlib.sha256(f"{model}\0{gateway}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64


def members(rollout: Rollout, gateways: Iterable[str]) -> frozenset[str]:
    """The gateways in its share: all whose place is below it, and the first where none is."""
    places = sorted((place(rollout.name, name), name) for name in gateways)
    found = [name for where, name in places if where < rollout.share]
    return frozenset(found or [name for _, name in places[:1]])


def offers_for(
    gateway: str, rollouts: Sequence[Rollout], shares: Mapping[int, Collection[str]]
) -> pb.ModelOffers:
    """What a gateway is offered; ``shares`` are the members of the rollouts under way, by id."""
    done: dict[str, Rollout] = {}
    under_way = []
    for one in sorted(rollouts, key=lambda one: one.id):
        if one.stage is Stage.DONE:
            done[one.name] = one
        elif one.stage is Stage.ALL or (one.is_under_way and gateway in shares.get(one.id, ())):
            under_way.append(one)
    chosen = sorted([*done.values(), *under_way], key=lambda one: one.id)[-MODEL_OFFERS_MAX:]
    gone = sorted(one.id for one in rollouts if one.stage is Stage.BACK)[-MODEL_WITHDRAWN_MAX:]
    return pb.ModelOffers(offers=[_offer(one) for one in chosen], withdrawn=gone)


def judged(rollout: Rollout, heard: Iterable[Behaviour], now_us: int) -> Verdict | None:
    """What becomes of a rollout under way by what its gateways say; None: it stays as it is.

    It is taken back when more than `FAILED_SHARE_MAX` of those that answered failed or refused it,
    or when all together raise alarms off the promise. It goes on by itself after its time, once a
    gateway has scored with it in this stage; the last step needs a gateway whose good one it is.
    """
    if not rollout.is_under_way:
        return None
    told = [one for one in heard if one.told.rollout == rollout.id]
    answered = [one for one in told if one.told.state in ANSWERED]
    failed = [one for one in answered if one.told.state not in SETTLED]
    if len(failed) > FAILED_SHARE_MAX * len(answered):
        first = min(failed, key=lambda one: one.gateway)
        return Verdict(Stage.BACK, f"{_failed(failed, answered)}: {first.told.reason}"[:500])
    if off := _off(told):
        return Verdict(Stage.BACK, off)
    due = now_us - rollout.stage_us >= rollout.hold_us
    if due and rollout.stage is Stage.ALL:
        is_good = any(one.told.state == pb.MODEL_GOOD for one in told)
        return Verdict(Stage.DONE, "in service without trouble") if is_good else None
    stage = ON_WIRE[rollout.stage]
    has_scored = any(one.told.scored and one.told.stage == stage for one in told)
    if due and rollout.is_auto and has_scored:
        return Verdict(NEXT[rollout.stage], f"{rollout.stage} for its time without trouble")
    return None


def _failed(failed: Sequence[Behaviour], answered: Sequence[Behaviour]) -> str:
    names = sorted(one.gateway for one in failed)
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"it failed on {names[0]}{more} of {len(answered)} that answered"


def _off(told: Sequence[Behaviour]) -> str:
    """Why all together are off the promise; empty while they are not."""
    weeks = sum(one.told.series_weeks for one in told)
    alarms = sum(one.told.alarms for one in told)
    promised = sum(one.told.series_weeks * one.told.promised_per_week for one in told)
    beside = sum(one.told.beside_alarms for one in told)
    if not weeks > 0 or not is_off(alarms, weeks, promised / weeks, beside):
        return ""
    return (
        f"{alarms} alarms in {weeks:.3g} series-weeks, promised {promised:.3g};"
        f" the model in service raised {beside}"
    )


def _offer(rollout: Rollout) -> pb.ModelOffer:
    return pb.ModelOffer(
        rollout=rollout.id, name=rollout.name, version=rollout.version,
        sha256=bytes.fromhex(rollout.sha256), size=rollout.size, stage=ON_WIRE[rollout.stage],
        downgrade=rollout.downgrade, trial_us=rollout.trial_us,
    )  # fmt: skip
