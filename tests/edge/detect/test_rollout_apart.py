"""Rollouts on a gateway whose candidates run in processes of their own, which others end."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.detect.apart import Apart
from edge.detect.apart_wire import Bounds
from edge.detect.openers import PackageOpeners
from protos import sync_pb2 as pb
from protos.records import Kind
from tests.edge.detect.rollout_gateway import Gateway, prove
from tests.rollout.models_made import package

BOUNDS = Bounds(window_us=50_000.0)


def calm(gateway: Gateway) -> None:
    for _ in range(40):
        gateway.read()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A good model in service, and another in canary that was scored with."""
    made = Gateway(tmp_path, made=lambda: PackageOpeners(BOUNDS))
    prove(made, "1")
    calm(made)
    made.offer("2", stage="canary")
    made.fetch(package("2"))
    calm(made)
    assert made.told()["2"].state == pb.MODEL_TRIED
    yield made
    made.desk.close()


def pid_of(gateway: Gateway) -> int:
    one = gateway.desk._candidates["spread"][1]
    assert isinstance(one, Apart)
    return one.pid


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_canary_whose_process_dies_once_is_taken_back_and_the_good_model_is_heard_in_that_batch(
    gateway: Gateway, how: signal.Signals
) -> None:
    os.kill(pid_of(gateway), how)
    (found,) = gateway.read(value=500.0)
    assert found.kind(Kind.SCORES)["model"].tolist() == ["spread@1"]
    gateway.desk.look()
    told = gateway.told()["2"]
    assert told.state == pb.MODEL_FAILED
    assert how.name in told.reason
    assert gateway.serving == "1"
    gateway.restart()
    gateway.desk.look()
    assert gateway.told()["2"].state == pb.MODEL_FAILED, "it is not tried again by itself"


def unit_told_to_end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)


def interrupted(pid: int) -> None:
    os.kill(pid, signal.SIGINT)


@pytest.mark.parametrize("ended", [unit_told_to_end, interrupted])
def test_a_gateway_that_is_stopped_amid_a_canary_does_not_take_it_back(
    gateway: Gateway, ended: Callable[[int], None]
) -> None:
    ended(pid_of(gateway))
    for _ in range(3):  # an agent that ends reads what it has, and still looks
        gateway.read()
        gateway.desk.look()
    gateway.desk.close()
    gateway.restart()
    gateway.desk.look()
    assert gateway.told()["2"].state == pb.MODEL_TRIED
    gateway.read()
    assert gateway.told()["2"].scored > 0
