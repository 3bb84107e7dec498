"""Pure: what a gateway does with the models it is offered: the state, and each step of it.

A model's name has a good one, a good one before it, and a candidate at most. A candidate that
proves itself becomes the good one; one that fails is gone, and the good one has served all along,
or serves again. A good one is none of the cloud's where there is nothing: then the gateway's own
model of that name serves. Every step gives a new state, which is on the disk before it is acted on,
so a gateway may end at any moment and goes on from one of them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from protos import sync_pb2 as pb
from protos.limits import MODEL_PACKAGE_BYTES_MAX, MODEL_REASON_BYTES_MAX
from protos.model import version_order
from protos.promise import is_off

ENDED_MAX: Final = 64
"""Rollouts that ended here and are not begun again; of older ones the cloud offers none."""
NAMES_MAX: Final = 32
STARTS_MAX: Final = 3
"""Agents that may end soon after they began with one state of good models."""
CALLS_MIN: Final = 64
"""Calls of a model before its times are judged."""
GROWTH_BYTES_MAX: Final = 64 << 20
"""What a candidate's process may come to need over what it had when it was ready."""


class Stage(StrEnum):
    """What a candidate is for."""

    SHADOW = "shadow"
    CANARY = "canary"
    ALL = "all"


_STAGES: Final[Mapping[pb.ModelStage, Stage]] = {
    pb.MODEL_SHADOW: Stage.SHADOW,
    pb.MODEL_CANARY: Stage.CANARY,
    pb.MODEL_ALL: Stage.ALL,
}
ON_WIRE: Final = {stage: number for number, stage in _STAGES.items()}


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A model that the cloud wants here; ``sha256`` is of its package, hexadecimal."""

    rollout: int
    name: str
    version: str
    sha256: str
    size: int
    stage: Stage
    downgrade: bool = False
    trial_us: int = 0


class Good(msgspec.Struct, frozen=True, kw_only=True):
    """A model that has proved itself here."""

    rollout: int
    name: str
    version: str
    sha256: str


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """The models of one name."""

    good: Good | None = None
    before: Good | None = None
    candidate: Offer | None = None

    @property
    def packages(self) -> set[str]:
        """Hashes of the packages that it needs."""
        return {one.sha256 for one in (self.good, self.before, self.candidate) if one is not None}


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout that ended here, and why; ``is_refused``: it never ran."""

    rollout: int
    name: str
    version: str
    sha256: str
    stage: Stage
    reason: str
    is_refused: bool = False


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """All that a gateway keeps of rollouts.

    ``starts``: agents that began with its good models and have not lasted.
    """

    slots: dict[str, Slot] = msgspec.field(default_factory=dict)
    ended: tuple[Ended, ...] = ()
    starts: int = 0

    @property
    def packages(self) -> set[str]:
        """Hashes of the packages that are needed."""
        return {one for slot in self.slots.values() for one in slot.packages}


@dataclass(frozen=True, slots=True)
class Figures:
    """How a model behaves: counts since it began; µs a window; bytes of its process.

    ``late``: calls of the last that took longer than they may, of ``calls``. ``grown_bytes``: over
    what its process had when it was ready.
    """

    windows: int = 0
    scored: int = 0
    alarms: int = 0
    errors: int = 0
    mean_us: float = 0.0
    p99_us: float = 0.0
    calls: int = 0
    late: int = 0
    memory_bytes: int = 0
    grown_bytes: int = 0
    promised_per_week: float = 0.0
    series_weeks: float = 0.0
    beside_alarms: int = 0
    failure: str = ""


LATE_SHARE_MAX: Final = 0.01


def trouble(told: Figures) -> str:
    """Why a candidate is taken back; empty while there is nothing against it."""
    if told.failure:
        return told.failure
    if told.calls >= CALLS_MIN and told.late > LATE_SHARE_MAX * told.calls + 1:
        return f"too slow: {told.late} of its last {told.calls} calls took longer than they may"
    if told.grown_bytes > GROWTH_BYTES_MAX:
        return f"its process grew by {told.grown_bytes >> 20} MiB, {GROWTH_BYTES_MAX >> 20} may be"
    if is_off(told.alarms, told.series_weeks, told.promised_per_week, told.beside_alarms):
        promised = told.promised_per_week * told.series_weeks
        return (
            f"{told.alarms} alarms in {told.series_weeks:.3g} series-weeks, promised"
            f" {promised:.3g}; the model in service raised {told.beside_alarms}"
        )
    return ""


def read_offers(told: pb.ModelOffers) -> list[Offer]:
    """The offers of a message that can be acted on; those that make no sense are left out."""
    found = []
    for one in told.offers:
        stage = _STAGES.get(one.stage)
        fits = 0 < one.size <= MODEL_PACKAGE_BYTES_MAX and len(one.sha256) == 32
        if stage is not None and fits and 0 < len(one.name) <= 64 and 0 < len(one.version) <= 64:
            found.append(
                Offer(
                    rollout=one.rollout,
                    name=one.name,
                    version=one.version,
                    sha256=one.sha256.hex(),
                    size=one.size,
                    stage=stage,
                    downgrade=one.downgrade,
                    trial_us=one.trial_us,
                )
            )
    return found


def offered(
    held: Held, offers: Sequence[Offer], withdrawn: Collection[int], own: Mapping[str, str]
) -> Held:
    """Take up what the cloud wants; ``own`` are the versions of the gateway's own models."""
    slots = {name: _without(slot, withdrawn) for name, slot in held.slots.items()}
    held = msgspec.structs.replace(held, slots=slots)
    for name in dict.fromkeys(one.name for one in offers):
        if name in held.slots or len(held.slots) < NAMES_MAX:
            held = _chosen(held, name, [one for one in offers if one.name == name], own)
    return _tidy(held)


def failed(held: Held, name: str, reason: str, *, is_refused: bool = False) -> Held:
    """The candidate of a name is no more; what served before serves."""
    slot = held.slots[name]
    assert slot.candidate is not None
    kept = _with(held, name, msgspec.structs.replace(slot, candidate=None))
    return _ended(kept, slot.candidate, slot.candidate.stage, reason, is_refused=is_refused)


def proven(held: Held, name: str) -> Held:
    """The candidate of a name is the good one from now on; the good one before it is kept."""
    slot = held.slots[name]
    one = slot.candidate
    assert one is not None
    good = Good(rollout=one.rollout, name=one.name, version=one.version, sha256=one.sha256)
    return _with(held, name, Slot(good=good, before=slot.good))


def lost(held: Held, name: str, reason: str) -> Held:
    """The good one of a name failed in service: the one before it is the good one again."""
    slot = held.slots[name]
    assert slot.good is not None
    kept = _with(held, name, Slot(good=slot.before, candidate=slot.candidate))
    return _ended(kept, slot.good, Stage.ALL, reason)


def started(held: Held) -> tuple[Held, list[str]]:
    """An agent begins; names whose good one is taken back since agents with it did not last."""
    good = [slot.good for slot in held.slots.values() if slot.good is not None]
    if not good:
        return msgspec.structs.replace(held, starts=0), []
    if held.starts < STARTS_MAX:
        return msgspec.structs.replace(held, starts=held.starts + 1), []
    newest = max(good, key=lambda one: one.rollout)
    why = f"the agent ended soon after its start {held.starts} times with it in service"
    return msgspec.structs.replace(lost(held, newest.name, why), starts=1), [newest.name]


def lasted(held: Held) -> Held:
    """The agent has run for long enough, or ends in good order."""
    return msgspec.structs.replace(held, starts=0)


def _chosen(held: Held, name: str, offers: Sequence[Offer], own: Mapping[str, str]) -> Held:
    slot = held.slots.get(name, Slot())
    if slot.candidate is not None:
        same = [one for one in offers if one.rollout == slot.candidate.rollout]
        if same and same[-1].sha256 == slot.candidate.sha256:
            return _with(held, name, msgspec.structs.replace(slot, candidate=same[-1]))
        slot = msgspec.structs.replace(slot, candidate=None)
    served = slot.good.version if slot.good is not None else own.get(name, "")
    for one in _later(offers, slot.good):
        if any((one.rollout, one.sha256) == (gone.rollout, gone.sha256) for gone in held.ended):
            continue
        if slot.good is not None and slot.good.sha256 == one.sha256:
            good = msgspec.structs.replace(slot.good, rollout=one.rollout)
            slot = msgspec.structs.replace(slot, good=good)
            continue
        if _is_older(one.version, served) and not one.downgrade:
            why = f"{served} is in service, which is later, and no downgrade was asked for"
            held = _ended(held, one, one.stage, why, is_refused=True)
            continue
        slot = msgspec.structs.replace(slot, candidate=one)
        break
    return _with(held, name, slot)


def _later(offers: Sequence[Offer], good: Good | None) -> Sequence[Offer]:
    """The offers behind the good one; all where it is not among them."""
    places = [at for at, one in enumerate(offers) if good and one.rollout == good.rollout]
    return offers[places[-1] + 1 :] if places else offers


def _is_older(version: str, than: str) -> bool:
    try:
        return version_order(version) < version_order(than)
    except ValueError:  # a gateway's own model may be called anything, or there is none
        return False


def _without(slot: Slot, withdrawn: Collection[int]) -> Slot:
    def kept(one: Good | None) -> Good | None:
        return None if one is None or one.rollout in withdrawn else one

    good, before = kept(slot.good), kept(slot.before)
    is_gone = slot.candidate is not None and slot.candidate.rollout in withdrawn
    candidate = None if is_gone else slot.candidate
    return Slot(good=good or before, before=before if good else None, candidate=candidate)


def _with(held: Held, name: str, slot: Slot) -> Held:
    return _tidy(msgspec.structs.replace(held, slots=held.slots | {name: slot}))


def _tidy(held: Held) -> Held:
    slots = {name: slot for name, slot in held.slots.items() if slot != Slot()}
    return msgspec.structs.replace(held, slots=slots)


def _ended(
    held: Held, one: Offer | Good, stage: Stage, reason: str, *, is_refused: bool = False
) -> Held:
    told = reason.encode()[:MODEL_REASON_BYTES_MAX].decode(errors="ignore")
    ended = Ended(
        rollout=one.rollout, name=one.name, version=one.version, sha256=one.sha256, stage=stage,
        reason=told, is_refused=is_refused,
    )  # fmt: skip
    others = tuple(each for each in held.ended if each.rollout != one.rollout)
    return msgspec.structs.replace(held, ended=(*others, ended)[-ENDED_MAX:])
