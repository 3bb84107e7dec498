"""What a gateway tells the cloud of its models: those in service, candidates, and what ended."""

from collections.abc import Collection, Mapping

from edge.detect.rollout import ON_WIRE, Ended, Held, Offer
from edge.detect.staged import Lane, Voice
from protos import sync_pb2 as pb
from protos.limits import MODEL_REPORTS_MAX


def report(
    held: Held, lanes: Mapping[str, Lane], tried: Collection[str], fetched: Mapping[str, int]
) -> list[pb.ModelBehaviour]:
    """Each model once, bounded: those in service first, what ended last, the newest first.

    ``tried`` are names whose candidate runs, ``fetched`` bytes that are here, by hash.
    """
    told = [_served(held, name, lane) for name, lane in lanes.items() if lane.service is not None]
    for name, slot in held.slots.items():
        if slot.candidate is not None:
            voice = lanes[name].candidate if name in tried and name in lanes else None
            told.append(_candidate(slot.candidate, voice, fetched.get(slot.candidate.sha256, 0)))
    told += [_ended(one) for one in reversed(held.ended)]
    return told[:MODEL_REPORTS_MAX]


def _served(held: Held, name: str, lane: Lane) -> pb.ModelBehaviour:
    assert lane.service is not None
    told = _of_voice(lane.service)
    told.state, told.stage = pb.MODEL_GOOD, pb.MODEL_ALL
    if name in held.slots and (good := held.slots[name].good) is not None:
        told.rollout, told.sha256 = good.rollout, bytes.fromhex(good.sha256)
    return told


def _candidate(one: Offer, voice: Voice | None, fetched: int) -> pb.ModelBehaviour:
    told = pb.ModelBehaviour() if voice is None else _of_voice(voice)
    told.name, told.version, told.rollout = one.name, one.version, one.rollout
    told.sha256, told.stage = bytes.fromhex(one.sha256), ON_WIRE[one.stage]
    told.state = pb.MODEL_FETCHING if voice is None else pb.MODEL_TRIED
    told.bytes_held = fetched
    return told


def _of_voice(voice: Voice) -> pb.ModelBehaviour:
    told = voice.figures()
    return pb.ModelBehaviour(
        name=voice.watched.manifest.name, version=voice.watched.manifest.version,
        windows=told.windows, scored=told.scored, alarms=told.alarms, errors=told.errors,
        mean_us=told.mean_us, p99_us=told.p99_us, memory_bytes=told.memory_bytes,
        reason=told.failure, promised_per_week=told.promised_per_week,
        series_weeks=told.series_weeks, beside_alarms=told.beside_alarms,
    )  # fmt: skip


def _ended(one: Ended) -> pb.ModelBehaviour:
    state = pb.MODEL_REFUSED if one.is_refused else pb.MODEL_FAILED
    return pb.ModelBehaviour(
        rollout=one.rollout, name=one.name, version=one.version, state=state, reason=one.reason,
        sha256=bytes.fromhex(one.sha256), stage=ON_WIRE[one.stage],
    )  # fmt: skip
