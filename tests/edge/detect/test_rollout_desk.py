"""Rollouts on a gateway's disk: tried, proven, taken back, and whole wherever it is killed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detect import models
from edge.detect.apart_wire import Bounds
from edge.detect.openers import PackageOpeners
from edge.detect.rollout import Slot
from edge.detect.rollout_desk import LASTED_US, RolloutDesk
from edge.detect.rollout_folder import RolloutFolder
from edge.detect.signers import Signers
from edge.detect.staged import Staged
from protos import sync_pb2 as pb
from protos.limits import MODEL_PIECE_BYTES_MAX
from protos.model import Package
from protos.records import Batch, Kind, Quality, numbers
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

    def __init__(self, home: Path, folder: type[RolloutFolder] = RolloutFolder) -> None:
        self.home, self.now_us, self.at, self.is_ramp = home, 1, 0, False
        self.folder = folder
        self.signers = Signers(home / "identity", lambda: frozenset({PUBLIC}))
        self.restart()

    def restart(self) -> None:
        self.openers, self.staged = Openers(), Staged([], 1.0)
        made = RolloutDesk(
            self.home / "rollout", self.staged, self.signers, self.openers, lambda: self.now_us
        )
        made._folder = self.folder(self.home / "rollout")
        self.desk = made
        made.begin()

    def offer(self, *versions: str, stage: str = "all", **more: object) -> None:
        offers = []
        for version in versions:
            data = package(version, **{k: v for k, v in more.items() if k == "kind"})  # type: ignore[arg-type]
            offers.append(
                pb.ModelOffer(
                    rollout=int(version),
                    name="spread",
                    version=version,
                    sha256=_sha256(data),
                    size=len(data),
                    stage=STAGES[stage],
                    trial_us=TRIAL_US,
                )
            )
        self.desk.offered(pb.ModelOffers(offers=offers))

    def fetch(self, data: bytes) -> None:
        while (wanted := self.desk.wanted()) is not None:
            assert wanted.sha256 == _sha256(data)
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


def _sha256(data: bytes) -> bytes:
    from hashlib import sha256

    return sha256(data).digest()


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


def prove(gateway: Gateway, version: str) -> None:
    """Offer, fetch and try a version until it is the good one."""
    gateway.offer(version)
    gateway.fetch(package(version))
    gateway.read()
    gateway.now_us += TRIAL_US
    gateway.desk.look()
    assert gateway.serving == version


def test_a_candidate_in_shadow_scores_and_is_silent(gateway: Gateway) -> None:
    gateway.offer("1", stage="shadow")
    gateway.fetch(package("1"))
    found = [gateway.read() for _ in range(40)]
    found.append(gateway.read(value=500.0))
    assert not any(batch.count(Kind.SCORES) for each in found for batch in each)
    told = gateway.told()["1"]
    assert (told.state, told.stage) == (pb.MODEL_TRIED, pb.MODEL_SHADOW)
    assert told.scored == 41 * 64 - 7
    assert told.alarms >= 1
    assert gateway.serving == ""


def test_a_candidate_in_canary_is_heard_and_in_all_becomes_the_good_one(gateway: Gateway) -> None:
    gateway.offer("1", stage="canary")
    gateway.fetch(package("1"))
    for _ in range(40):
        gateway.read()
    (found,) = gateway.read(value=500.0)
    assert found.kind(Kind.SCORES)["model"].tolist() == ["spread@1"]
    gateway.now_us += 10 * TRIAL_US
    gateway.desk.look()
    assert gateway.told()["1"].state == pb.MODEL_TRIED, "a canary is not good before `all`"
    gateway.offer("1", stage="all")
    gateway.desk.look()
    assert gateway.told()["1"].state == pb.MODEL_TRIED, "its time begins with the stage"
    gateway.now_us += TRIAL_US
    gateway.desk.look()
    assert gateway.told()["1"].state == pb.MODEL_GOOD
    assert gateway.openers.opened[0].is_closed


def test_what_a_proven_model_learned_is_not_learned_anew(gateway: Gateway) -> None:
    gateway.offer("1")
    gateway.fetch(package("1"))
    for _ in range(40):
        gateway.read()
    gateway.now_us += TRIAL_US
    gateway.desk.look()
    (found,) = gateway.read(value=500.0)
    assert found.count(Kind.SCORES) == 1


@pytest.mark.parametrize(
    ("kind", "word"), [("nan", "no numbers"), ("shape", "shape"), ("loud", "alarms in")]
)
def test_a_candidate_that_misbehaves_in_service_is_taken_back_and_the_good_one_is_heard(
    gateway: Gateway, kind: str, word: str
) -> None:
    prove(gateway, "1")
    gateway.offer("2", stage="canary", kind=kind)
    gateway.fetch(package("2", kind))
    gateway.is_ramp = kind == "loud"
    for _ in range(30):
        gateway.read()
    for _ in range(60):
        found = gateway.read(value=2e6)
        gateway.desk.look()
        if "2" in gateway.told() and gateway.told()["2"].state == pb.MODEL_FAILED:
            break
    told = gateway.told()["2"]
    assert told.state == pb.MODEL_FAILED
    assert word in told.reason
    assert gateway.serving == "1"
    assert gateway.openers.opened[-1].is_closed
    if kind != "loud":  # in the very batch in which it failed
        assert found[0].kind(Kind.SCORES)["model"].tolist() == ["spread@1"]


def test_a_candidate_whose_process_dies_is_taken_back_with_its_reason(gateway: Gateway) -> None:
    prove(gateway, "1")
    gateway.offer("2", stage="canary")
    gateway.fetch(package("2"))
    gateway.openers.opened[-1].fault = "its process ended: killed by signal 9"
    gateway.read()
    gateway.desk.look()
    assert gateway.told()["2"].reason == "its process ended: killed by signal 9"
    assert gateway.serving == "1"


def test_a_candidate_that_grows_too_much_is_taken_back(gateway: Gateway) -> None:
    prove(gateway, "1")
    gateway.openers.opened.clear()
    gateway.offer("2", stage="shadow")
    gateway.fetch(package("2"))
    beside = gateway.openers.opened[-1]
    lane = gateway.staged.lanes["spread"]
    assert lane.candidate is not None
    lane.candidate.watched._memory_at_first = 50 << 20
    beside.held_bytes = 120 << 20
    gateway.desk.look()
    assert "grew by 70 MiB" in gateway.told()["2"].reason


def test_a_package_of_a_stranger_or_with_another_name_is_refused_and_never_run(
    tmp_path: Path,
) -> None:
    gateway = Gateway(tmp_path)
    gateway.signers.keys = frozenset({bytes(32)})
    gateway.offer("1")
    gateway.fetch(package("1"))
    told = gateway.told()["1"]
    assert told.state == pb.MODEL_REFUSED
    assert "not trusted here" in told.reason
    assert not gateway.openers.opened
    assert not list((tmp_path / "rollout").glob("*.tgm"))


def test_bytes_that_are_not_what_was_offered_are_fetched_once_more_and_then_refused(
    gateway: Gateway,
) -> None:
    gateway.offer("1")
    data = package("1")
    for _ in range(2):
        wanted = gateway.desk.wanted()
        assert wanted is not None
        gateway.desk.piece(wanted, bytes(wanted.size))
    assert gateway.desk.wanted() is None
    assert gateway.told()["1"].state == pb.MODEL_REFUSED
    gateway.fetch(data)


def test_a_withdrawn_rollout_brings_back_the_good_one_before_it(gateway: Gateway) -> None:
    prove(gateway, "1")
    prove(gateway, "2")
    gateway.desk.offered(pb.ModelOffers(withdrawn=[2]))
    assert gateway.serving == "1"
    gateway.desk.offered(pb.ModelOffers(withdrawn=[1, 2]))
    assert gateway.serving == ""


def test_a_restart_in_a_trial_begins_the_trial_anew_and_fetches_nothing_again(
    gateway: Gateway,
) -> None:
    prove(gateway, "1")
    gateway.offer("2", stage="canary")
    gateway.fetch(package("2"))
    gateway.restart()
    assert gateway.desk.wanted() is None
    assert gateway.serving == "1"
    assert not gateway.openers.opened, "a trial takes seconds, which readings have not"
    gateway.desk.look()
    assert gateway.told()["2"].state == pb.MODEL_TRIED


def test_a_good_model_whose_file_is_damaged_gives_way_to_the_one_before(gateway: Gateway) -> None:
    prove(gateway, "1")
    prove(gateway, "2")
    path = gateway.home / "rollout" / f"{_sha256(package('2')).hex()}.tgm"
    path.write_bytes(path.read_bytes()[:-9])
    gateway.restart()
    assert gateway.serving == "1"
    assert "damaged" in gateway.told()["2"].reason


def test_a_state_that_cannot_be_read_leaves_the_gateway_its_own_models(gateway: Gateway) -> None:
    prove(gateway, "1")
    (gateway.home / "rollout" / "state.json").write_bytes(b"{\xff")
    gateway.restart()
    assert gateway.serving == ""
    prove(gateway, "1")


def test_agents_that_end_again_and_again_soon_after_their_start_set_the_model_aside(
    gateway: Gateway,
) -> None:
    prove(gateway, "1")
    gateway.desk.close()
    for _ in range(3):
        gateway.restart()
        assert gateway.serving == "1"
    gateway.restart()
    assert gateway.serving == ""
    assert "ended soon after its start 3 times" in gateway.told()["1"].reason


def test_an_agent_that_lasts_forgives_the_starts_before(gateway: Gateway) -> None:
    prove(gateway, "1")
    for _ in range(10):
        gateway.restart()
        gateway.now_us += LASTED_US
        gateway.desk.look()
    assert gateway.serving == "1"


class Killed(BaseException):
    """The agent's end, at a point of the test's choosing."""


def killing(at: int, *, is_after: bool) -> tuple[type[RolloutFolder], Callable[[], int]]:
    """A folder that ends the agent before or after its ``at``-th step, and the count of steps."""
    steps = 0

    class Deadly(RolloutFolder):
        def __getattribute__(self, name: str) -> object:
            found = super().__getattribute__(name)
            if name not in ("save", "append", "complete", "keep_only"):
                return found

            def step(*given: object) -> object:
                nonlocal steps
                steps += 1
                if steps == at and not is_after:
                    raise Killed
                answer = found(*given)  # type: ignore[operator]
                if steps == at:
                    raise Killed
                return answer

            return step

    return Deadly, lambda: steps


def live(gateway: Gateway) -> Iterator[None]:
    """A rollout of a good model, then a bad one, then a third that is withdrawn."""
    for version, kind in (("1", "spread"), ("2", "nan"), ("3", "spread")):
        data = package(version, kind)
        gateway.offer(version, kind=kind)
        yield
        gateway.fetch(data)
        gateway.read(value=2e6)
        gateway.now_us += TRIAL_US
        gateway.desk.look()
        yield
    gateway.desk.offered(pb.ModelOffers(withdrawn=[3]))
    yield


def run(gateway: Gateway) -> None:
    """Live, and go on from the disk wherever the agent is killed."""
    done = 0
    while True:
        life = live(gateway)
        try:
            for number, _ in enumerate(life):
                done = max(done, number)
                good = gateway.desk.held.slots.get("spread", Slot()).good
                assert gateway.serving == ("" if good is None else good.version)
            return
        except Killed:
            gateway.folder = RolloutFolder
            gateway.restart()
            good = gateway.desk.held.slots.get("spread", Slot()).good
            assert gateway.serving == ("" if good is None else good.version)


@pytest.mark.parametrize("is_after", [False, True])
def test_wherever_the_agent_is_killed_it_goes_on_and_ends_where_it_would_have(
    tmp_path: Path, is_after: bool
) -> None:
    count = 1
    while True:
        home = tmp_path / str(count)
        home.mkdir()
        folder, steps = killing(count, is_after=is_after)
        gateway = Gateway(home, folder)
        run(gateway)
        assert gateway.serving == "1"
        assert gateway.told()["2"].state == pb.MODEL_FAILED
        assert "no numbers" in gateway.told()["2"].reason
        kept = {path.stem for path in (home / "rollout").glob("*.tgm")}
        assert kept == gateway.desk.held.packages
        if steps() < count:
            break
        count += 1
    assert count > 12
