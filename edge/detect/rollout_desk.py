"""Carries rollouts out on a gateway: fetched packages verified, candidates tried, good ones served.

The rules are in `edge.detect.rollout`; here are their disk, processes and models. All but `own` is
called on one thread at a time, which is not the one that scores. Whatever goes wrong with a model
ends that model and is told with its reason; nothing of it ends anything else.
"""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge.detect import rollout as rules
from edge.detect.openers import Openers
from edge.detect.rollout import Held, Offer, Slot, Stage
from edge.detect.rollout_folder import RolloutFolder
from edge.detect.rollout_report import report
from edge.detect.signers import Signers
from edge.detect.staged import Lane, Staged, Voice
from edge.detect.watched import Candidate
from edge.errors import StorageError, TidegateError
from edge.sync_models import Wanted
from protos import sync_pb2 as pb
from protos.model import PackageError, read_package, verify

log = logging.getLogger(__name__)

LASTED_US: Final = 60_000_000
"""An agent that runs for so long did not end because of the models that it began with."""
SPOILT_MAX: Final = 2
"""Times that a package may come with another hash before it is refused."""


class RolloutDesk:
    """The rollouts of one gateway.

    Args:
        folder: where packages and state are kept.
        staged: the models as they are scored with.
        signers: those whose models are taken.
        openers: make models of packages.
        now_us: a clock that only rises.
    """

    def __init__(
        self,
        folder: Path,
        staged: Staged,
        signers: Signers,
        openers: Openers,
        now_us: Callable[[], int],
    ) -> None:
        self._folder, self._staged, self._signers = RolloutFolder(folder), staged, signers
        self._openers, self._now_us = openers, now_us
        self._held = Held()
        self._candidates: dict[str, tuple[Offer, Candidate]] = {}
        self._tried_since: dict[str, int] = {}
        self._spoilt: Counter[str] = Counter()
        self._begun_us: int | None = now_us()

    @property
    def held(self) -> Held:
        """What stands now."""
        return self._held

    def begin(self) -> None:
        """Take up what served when the last agent ended, before anything is scored.

        Candidates are tried at the first `look`: that takes seconds, which readings have not.
        StorageError when the state cannot be kept.
        """
        self._held = self._folder.load()
        if not self._held.slots:
            return
        begun, set_aside = rules.started(self._held)
        for name in set_aside:
            log.error("the model %s is set aside: %s", name, begun.ended[-1].reason)
        self._become(begun)
        for name in list(self._held.slots):
            self._serve(name)

    def offered(self, told: pb.ModelOffers) -> None:
        """What the cloud wants, whole. StorageError when it cannot be kept."""
        self._signers.told(told.keys)
        own = {name: model.manifest.version for name, model in self._staged.own.items()}
        before = self._held
        now = rules.offered(before, rules.read_offers(told), frozenset(told.withdrawn), own)
        if now == before:
            return
        self._become(now)
        for name in before.slots.keys() | now.slots.keys():
            was, is_ = before.slots.get(name, Slot()), now.slots.get(name, Slot())
            if was.candidate is None or is_.candidate is None or was.candidate != is_.candidate:
                self._restage(name, was.candidate, is_.candidate)
            if was.good != is_.good:
                log.warning("the model %s goes back: its rollout was withdrawn", name)
                self._serve(name)
        self._try_all()

    def wanted(self) -> Wanted | None:
        """What is to be fetched now; the earliest rollout first."""
        offers = [
            slot.candidate for slot in self._held.slots.values() if slot.candidate is not None
        ]
        for one in sorted(offers, key=lambda one: one.rollout):
            here = self._folder.held_bytes(one.sha256, one.size)
            if here < one.size:
                return Wanted(bytes.fromhex(one.sha256), one.size, here)
        return None

    def piece(self, wanted: Wanted, data: bytes) -> None:
        """Bytes that follow what is here of a package. StorageError when they cannot be kept."""
        sha256 = wanted.sha256.hex()
        here = self._folder.append(sha256, wanted.held, data[: wanted.size - wanted.held])
        if here >= wanted.size:
            self._try_all()

    def look(self) -> bool:
        """See how models do, and take back or keep them; says whether something changed."""
        before, now_us = self._held, self._now_us()
        self._try_all()
        for name, lane in list(self._staged.lanes.items()):
            self._look_at(name, lane, now_us)
        if self._begun_us is not None and now_us - self._begun_us >= LASTED_US:
            self._last()
        return self._held.slots != before.slots or self._held.ended != before.ended

    def report(self) -> list[pb.ModelBehaviour]:
        """What the gateway runs and how it behaves, bounded."""
        fetched = {
            slot.candidate.sha256: self._folder.held_bytes(
                slot.candidate.sha256, slot.candidate.size
            )
            for slot in self._held.slots.values()
            if slot.candidate is not None
        }
        return report(self._held, self._staged.lanes, self._candidates, fetched)

    def close(self) -> None:
        """End in good order."""
        for _, candidate in self._candidates.values():
            candidate.close()
        if self._begun_us is not None:
            self._last()

    def _last(self) -> None:
        self._begun_us = None
        if self._held.starts:
            self._become(rules.lasted(self._held))

    def _look_at(self, name: str, lane: Lane, now_us: int) -> None:
        slot = self._held.slots.get(name, Slot())
        tried = self._candidates.get(name)
        if tried is not None and lane.candidate is not None:
            why = rules.trouble(lane.candidate.figures())
            is_over = now_us - self._tried_since[name] >= tried[0].trial_us
            if why:
                self._fail(name, why)
            elif is_over and tried[0].stage is Stage.ALL and lane.candidate.watched.scored:
                self._prove(name, lane.candidate)
        elif slot.good is not None and lane.service is not None and lane.service.failure:
            why = lane.service.failure
            log.error("the model %s failed in service and goes back: %s", name, why)
            self._become(rules.lost(self._held, name, why))
            self._serve(name)

    def _try_all(self) -> None:
        """Begin to try the candidates whose packages are here."""
        for name, slot in list(self._held.slots.items()):
            one = slot.candidate
            if one is None or name in self._candidates:
                continue
            if self._folder.is_full(one.sha256, one.size) and not self._completed(one.sha256):
                continue
            data = self._folder.read(one.sha256)
            if data is not None:
                self._try(name, one, data)

    def _completed(self, sha256: str) -> bool:
        """All bytes of a package are here: whether they are it; if not they are fetched again."""
        if self._folder.complete(sha256):
            return True
        self._spoilt[sha256] += 1
        log.warning("a package came with another SHA-256 than %s", sha256)
        if self._spoilt[sha256] >= SPOILT_MAX:
            for name, slot in list(self._held.slots.items()):
                if slot.candidate is not None and slot.candidate.sha256 == sha256:
                    self._refuse(name, "its bytes are not those of the SHA-256 that was offered")
        return False

    def _try(self, name: str, one: Offer, data: bytes) -> None:
        try:
            package = read_package(data)
            verify(package, self._signers.keys)
            manifest = package.manifest
            if (manifest.name, manifest.version) != (one.name, one.version):
                self._refuse(name, f"it is {manifest.label}, not what was offered")
                return
        except PackageError as error:
            self._refuse(name, f"{error.why}")
            return
        try:
            candidate = self._openers.apart(package)
        except (TidegateError, PackageError, OSError) as error:
            self._fail(name, getattr(error, "cause", "") or getattr(error, "why", "") or str(error))
            return
        self._candidates[name] = (one, candidate)
        self._tried_since[name] = self._now_us()
        voice = self._staged.voice(candidate, memory=candidate.memory_bytes)
        self._put(name, candidate=voice, is_heard=one.stage is not Stage.SHADOW)
        log.info("the model %s %s is tried: %s", one.name, one.version, one.stage)

    def _restage(self, name: str, was: Offer | None, now: Offer | None) -> None:
        """The candidate changed: its stage, or it is another, or none."""
        if (
            was is not None
            and now is not None
            and was.rollout == now.rollout
            and name in self._candidates
        ):
            self._candidates[name] = (now, self._candidates[name][1])
            lane = self._staged.lanes[name]
            if was.stage is not now.stage:
                self._tried_since[name] = self._now_us()
                log.info("the model %s %s is tried: %s", now.name, now.version, now.stage)
            self._put(name, candidate=lane.candidate, is_heard=now.stage is not Stage.SHADOW)
        elif was is not None:
            self._drop(name)

    def _prove(self, name: str, voice: Voice) -> None:
        """Have a candidate serve for good, in this process, with all that it has learned."""
        one, candidate = self._candidates[name]
        try:
            data = self._folder.read(one.sha256)
            if data is None:
                raise StorageError(f"take {name} into service", "its package is gone")
            here = self._openers.here(read_package(data))
        except (TidegateError, PackageError) as error:
            self._fail(name, getattr(error, "cause", "") or str(error))
            return
        self._become(rules.proven(self._held, name))
        voice.watched.swap(here)
        del self._candidates[name]
        self._staged.stage(name, Lane(own=self._staged.own.get(name), service=voice))
        candidate.close()
        log.info("the model %s %s has proved itself and is in service", one.name, one.version)

    def _serve(self, name: str) -> None:
        """Put the good model of a name in service, or the gateway's own where there is none."""
        while (good := self._held.slots.get(name, Slot()).good) is not None:
            try:
                data = self._folder.read(good.sha256)
                if data is None:
                    raise StorageError(f"serve {name}", "its package is gone or damaged")
                package = read_package(data)
                verify(package, self._signers.keys)
                voice = self._staged.voice(self._openers.here(package))
            except (TidegateError, PackageError) as error:
                why = getattr(error, "cause", "") or getattr(error, "why", "")
                log.error("the model %s %s cannot serve: %s", name, good.version, why)
                self._become(rules.lost(self._held, name, why))
                continue
            self._put(name, service=voice)
            return
        self._put(name, service=self._staged.own_voice(name))

    def _put(self, name: str, **changed: object) -> None:
        lane = self._staged.lanes.get(name, Lane(own=self._staged.own.get(name)))
        fields = {"own": lane.own, "service": lane.service, "candidate": lane.candidate,
                  "is_heard": lane.is_heard} | changed  # fmt: skip
        self._staged.stage(name, Lane(**fields))  # type: ignore[arg-type]

    def _fail(self, name: str, why: str) -> None:
        log.error("the model %s is taken back: %s", name, why)
        self._become(rules.failed(self._held, name, why))
        self._drop(name)

    def _refuse(self, name: str, why: str) -> None:
        log.error("the model %s is refused: %s", name, why)
        self._become(rules.failed(self._held, name, why, is_refused=True))
        self._drop(name)

    def _drop(self, name: str) -> None:
        """No candidate of this name is scored with any more."""
        if (lane := self._staged.lanes.get(name)) is not None:
            self._put(name, candidate=None, is_heard=False)
            if lane.candidate is not None:
                lane.candidate.watched.end()
        if (gone := self._candidates.pop(name, None)) is not None:
            gone[1].close()

    def _become(self, held: Held) -> None:
        """The state, on the disk before anything acts on it; files that it needs no more go."""
        self._folder.save(held)
        self._held = held
        self._folder.keep_only(held.packages)
