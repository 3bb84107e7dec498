"""Rollouts on a gateway: tried, proven, taken back, refused, and taken up after a restart."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.detect.rollout_desk import LASTED_US
from protos import sync_pb2 as pb
from protos.records import Kind
from protos.stored_zip import read_stored, write_stored
from tests.edge.detect.rollout_gateway import TRIAL_US, Gateway, prove, sha256_of
from tests.rollout.models_made import package


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


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


def unsigned(data: bytes) -> bytes:
    entries = [(name, body) for name, body in read_stored(data) if name != "signature"]
    return write_stored(entries)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (package("9")[:-40], "cut off"),
        (unsigned(package("9")), "unsigned"),
        (package("9", key=Ed25519PrivateKey.from_private_bytes(bytes(32))), "not trusted here"),
        (package("8"), "it is spread@8, not what was offered"),
        (b"no package at all", "begin as a zip"),
    ],
    ids=["truncated", "unsigned", "signed by another key", "another version", "no package"],
)
def test_a_package_that_is_not_whole_and_trusted_is_refused_and_the_good_model_serves(
    gateway: Gateway, data: bytes, word: str
) -> None:
    prove(gateway, "1")
    gateway.openers.opened.clear()
    gateway.offer_data(data)
    told = gateway.told()["9"]
    assert told.state == pb.MODEL_REFUSED
    assert word in told.reason
    assert not gateway.openers.opened
    assert gateway.serving == "1"
    (found,) = gateway.read()
    assert found.count(Kind.NUMBERS) == 0
    assert gateway.told()["1"].scored > 0


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
    path = gateway.home / "rollout" / f"{sha256_of(package('2')).hex()}.tgm"
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
