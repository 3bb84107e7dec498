"""A gateway's desk of rollouts on a folder, with readings for its models."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.detect import models
from edge.detect.apart_wire import Bounds
from edge.detect.openers import PackageOpeners
from edge.detect.rollout_desk import RolloutDesk
from edge.detect.rollout_folder import RolloutFolder
from edge.detect.signers import Signers
from edge.detect.staged import Staged
from protos import sync_pb2 as pb
from protos.limits import MODEL_PIECE_BYTES_MAX
from protos.model import Package
from protos.records import Batch, Quality, numbers
from protos.series import SeriesKind
from tests.rollout.models_made import PUBLIC, package

US = 1_700_000_000_000_000
TRIAL_US = 1_000_000
STAGES = {"shadow": pb.MODEL_SHADOW, "canary": pb.MODEL_CANARY, "all": pb.MODEL_ALL}


@dataclass(frozen=True)
class Kinds:
    kind_of: NDArray[np.uint8] = field(
        default_factory=lambda: np.array([0, SeriesKind.GAUGE], np.uint8)
    )


class Beside:
    """A model as a process apart would run it; this one can be told to die."""

    def __init__(self, model: models.Model) -> None:
        self.model, self.manifest = model, model.manifest
        self.held_bytes, self.is_closed, self.fault = 0, False, ""

    def memory_bytes(self) -> int:
        return self.held_bytes

    def score_frames(self, frames: models.F8) -> models.F8:
        return self.model.score_frames(frames)

    @property
    def tells(self) -> bool:
        return self.model.tells

    def contributions(self, frames: models.F8) -> models.F8:
        return self.model.contributions(frames)

    def score(self, line: models.F8, at: models.I8) -> models.F8:
        if self.fault:
            raise OSError(self.fault)
        return self.model.score(line, at)

    def close(self) -> None:
        self.is_closed = True


class Openers(PackageOpeners):
    """Those of the agent, but for the process."""

    def __init__(self) -> None:
        super().__init__(Bounds())
        self.opened: list[Beside] = []

    def apart(self, package: Package) -> Beside:  # type: ignore[override]
        self.opened.append(Beside(self.here(package)))
        return self.opened[-1]


class Gateway:
    """A desk on a folder; `restart` begins another agent on what the disk has."""

    def __init__(
        self,
        home: Path,
        folder: type[RolloutFolder] = RolloutFolder,
        made: Callable[[], PackageOpeners] = Openers,
    ) -> None:
        self.home, self.now_us, self.at, self.is_ramp = home, 1, 0, False
        self.folder, self.made = folder, made
        self.signers = Signers(home / "identity", lambda: frozenset({PUBLIC}))
        self.restart()

    def restart(self) -> None:
        self.openers, self.staged = self.made(), Staged([], 1.0)
        made = RolloutDesk(
            self.home / "rollout", self.staged, self.signers, self.openers, lambda: self.now_us
        )
        made._folder = self.folder(self.home / "rollout")
        self.desk = made
        made.begin()

    def offer_data(self, data: bytes) -> None:
        """Offer any bytes as version 9, and have them fetched."""
        offer = pb.ModelOffer(
            rollout=9, name="spread", version="9", sha256=sha256_of(data), size=len(data),
            stage=pb.MODEL_CANARY,
        )  # fmt: skip
        self.desk.offered(pb.ModelOffers(offers=[offer]))
        self.fetch(data)

    def offer(self, *versions: str, stage: str = "all", **more: object) -> None:
        offers = []
        for version in versions:
            data = package(version, **{k: v for k, v in more.items() if k == "kind"})  # type: ignore[arg-type]
            offers.append(
                pb.ModelOffer(
                    rollout=int(version),
                    name="spread",
                    version=version,
                    sha256=sha256_of(data),
                    size=len(data),
                    stage=STAGES[stage],
                    trial_us=TRIAL_US,
                )
            )
        self.desk.offered(pb.ModelOffers(offers=offers))

    def fetch(self, data: bytes) -> None:
        while (wanted := self.desk.wanted()) is not None:
            assert wanted.sha256 == sha256_of(data)
            self.desk.piece(wanted, data[wanted.held :][:MODEL_PIECE_BYTES_MAX])

    def read(self, value: float = 20.0, count: int = 64) -> list[Batch]:
        """Readings come, the last of this value."""
        values = 20 + 0.1 * np.sin(np.arange(self.at, self.at + count) * 0.7)
        values = np.where(self.is_ramp, 20 + 0.01 * np.arange(self.at, self.at + count), values)
        values[-1] = values[-1] if self.is_ramp else value
        ts = US + (self.at + np.arange(count, dtype=np.int64)) * 1_000_000
        self.at += count
        series = np.ones(count, np.uint32)
        batch = numbers(series, ts, values, np.full(count, Quality.SENSOR, np.uint8), ts)
        return self.staged.score_each([batch], Kinds())

    def told(self) -> dict[str, pb.ModelBehaviour]:
        return {one.version: one for one in self.desk.report()}

    @property
    def serving(self) -> str:
        lane = self.staged.lanes.get("spread")
        return "" if lane is None or lane.service is None else lane.service.watched.manifest.version


def sha256_of(data: bytes) -> bytes:
    from hashlib import sha256

    return sha256(data).digest()


def prove(gateway: Gateway, version: str) -> None:
    """Offer, fetch and try a version until it is the good one."""
    gateway.offer(version)
    gateway.fetch(package(version))
    gateway.read()
    gateway.now_us += TRIAL_US
    gateway.desk.look()
    assert gateway.serving == version
