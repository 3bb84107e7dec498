"""A gateway that is killed at any step of its rollouts goes on from its disk."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.detect.rollout import Slot
from edge.detect.rollout_folder import RolloutFolder
from protos import sync_pb2 as pb
from tests.edge.detect.rollout_gateway import TRIAL_US, Gateway
from tests.rollout.models_made import package


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
        gateway.desk.look()  # after a restart the trial begins here
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
