"""What a gateway takes into service, and that whatever it refuses stops no reading."""

import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge import agent_detect
from edge.config import EdgeConfig
from edge.detect.admission import admit, admit_folder
from edge.detect.apart_wire import Bounds, Reason
from edge.detect.candidate import Candidate
from edge.detect.models import ModelRefusedError, load
from edge.detect.score import Scorer
from edge.detect.shipped.build import build
from edge.detect.trust import Trust, cloud_keys, keep_cloud_keys, trust_of
from edge.errors import OperatorError
from edge.settings import EdgeSettings
from protos.model import Manifest, write_package
from protos.model_key import public_line, public_of
from protos.settings import SettingsError, read_settings
from protos.stored_zip import read_stored, write_stored
from tests.edge.collect_rig import Rig, detecting, until
from tests.edge.detect.graphs import (
    MANIFEST,
    WINDOW,
    costly,
    endless,
    framed,
    hungry,
    not_a_number,
    spread,
)  # fmt: skip

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
TRUST = Trust(frozenset([public_of(KEY)]))
BOUNDS = Bounds(window_us=50_000, trial_s=2.0)


def packed(proto: onnx.ModelProto, key: Ed25519PrivateKey = KEY) -> bytes:
    return write_package(MANIFEST, proto.SerializeToString(), key)


def truncated() -> bytes:
    return packed(spread())[:-50]


def unsigned() -> bytes:
    return write_stored(read_stored(packed(spread()))[:2])


def signed_by_another() -> bytes:
    return packed(spread(), OTHER)


def too_slow() -> bytes:
    return packed(costly())


def wrong_shaped() -> bytes:
    return packed(framed())


def no_number() -> bytes:
    return packed(not_a_number())


def out_of_memory() -> bytes:
    return packed(hungry())


def never_ending() -> bytes:
    return packed(endless())


WRONG: list[tuple[Callable[[], bytes], str]] = [
    (truncated, "cut off"),
    (unsigned, "unsigned"),
    (signed_by_another, "not trusted"),
    (too_slow, "a window takes"),
    (wrong_shaped, "has the shape"),
    (no_number, "no numbers"),
    (out_of_memory, "bad_alloc"),
    (never_ending, "for its time"),
]


def test_a_good_package_scores_as_its_graph_says(tmp_path: Path) -> None:
    path = tmp_path / MANIFEST.package_file
    path.write_bytes(packed(spread()))
    model = admit(path, TRUST, BOUNDS)
    assert model.manifest.label == "tried@1"
    line = np.arange(20.0)
    assert model.score(line, np.arange(3)).tolist() == [WINDOW - 1.0] * 3


def collected(home: Path, put: Callable[[Path], None], **keys: object) -> tuple[Rig, Scorer]:
    """A collector with the models of a gateway's folder, as the agent makes them; 60 messages."""
    config = gateway(home, **keys)
    put(config.models_folder)
    scorer = Scorer(agent_detect.models(config), 1.0)
    rig = Rig(detector=detecting(scorer))
    rig.collect.start()
    send(rig, 60)
    return rig, scorer


def gateway(home: Path, **keys: object) -> EdgeConfig:
    lines = "".join(f"{name} = {value}\n" for name, value in keys.items())
    trusted = f'keys = ["{public_line(public_of(KEY))}"]\n'
    text = f'[gateway]\nname = "g"\n[models]\n{trusted}{lines}'
    config = EdgeConfig(home, read_settings(text, EdgeSettings))
    config.models_folder.mkdir(parents=True)
    return config


def send(rig: Rig, count: int, value: float = 1.0) -> None:
    """Readings of one sensor, each acknowledged once it is kept."""
    before = len(rig.ingest.acked)
    for number in range(count):
        rig.send(b'{"temperature": %f}' % (value + number % 7))
    until(lambda: len(rig.ingest.acked) == before + count, "readings were not taken in")


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong[0].__name__)
def test_a_model_that_is_wrong_never_stops_ingest(
    tmp_path: Path,
    wrong: tuple[Callable[[], bytes], str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    made, said = wrong
    most = 60.0 if made is too_slow else 50_000.0
    rig, scorer = collected(tmp_path, lambda folder: put_both(folder, made()), window_us_max=most)
    assert rig.done.totals["numbers"] == 60
    assert not rig.fatal
    assert rig.collect.stop()
    assert any(said in message for message in caplog.messages), caplog.messages
    assert [f"{one.name}@{one.version}" for one in scorer.standings()] == ["good@1"]
    assert all(one.scored > 0 and not one.failure for one in scorer.standings())


def put_both(folder: Path, wrong: bytes) -> None:
    """A wrong model and, beside it, a good one."""
    (folder / "bad-1.tgm").write_bytes(wrong)
    good = Manifest(name="good", version="1", window=WINDOW)
    data = write_package(good, spread().SerializeToString(), KEY)
    (folder / good.package_file).write_bytes(data)


def killed(one: Candidate) -> None:
    assert one._apart is not None
    os.kill(one._apart.pid, signal.SIGKILL)


def nothing(one: Candidate) -> None:
    """The wild reading that follows is enough."""


@pytest.mark.parametrize(
    ("proto", "harm", "reason"),
    [
        (spread(), killed, Reason.DIED),
        (not_a_number(1e6), nothing, Reason.NO_NUMBER),
        (hungry(1e6), nothing, Reason.GREW),
        (endless(1e6), nothing, Reason.HUNG),
    ],
    ids=["that kills its process", "NaN-producing", "that exhausts memory", "that hangs"],
)
def test_a_canary_never_stops_ingest(
    proto: onnx.ModelProto, harm: Callable[[Candidate], None], reason: Reason
) -> None:
    bounds = Bounds(window_us=50_000, call_s=0.3)
    one = Candidate(MANIFEST, proto.SerializeToString(), bounds)
    scorer = Scorer([one], 1.0)
    rig = Rig(detector=detecting(scorer))
    try:
        one.ready(wait=True)
        rig.collect.start()
        send(rig, 40)
        assert one.scored > 0
        harm(one)
        send(rig, 40, value=1e7)
        assert one.aside == {reason: 1}
        send(rig, 40)
        assert rig.done.totals["numbers"] == 120
        assert not rig.fatal
        (standing,) = scorer.standings()
        assert standing.failure.startswith(reason)
    finally:
        assert rig.collect.stop()
        one.close()


def test_a_shipped_model_is_taken_by_its_hash_and_another_without_signature_is_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "shipped").mkdir()
    path, *_ = build(tmp_path / "shipped")
    trust = trust_of(None, [], tmp_path / "shipped")
    assert admit(path, trust, BOUNDS).manifest == load(path).manifest
    with pytest.raises(ModelRefusedError, match="unsigned, and none of the shipped"):
        admit(path, Trust(), BOUNDS)


def test_of_two_files_with_one_name_and_version_the_first_is_taken(tmp_path: Path) -> None:
    for name in ("a.tgm", "b.tgm"):
        (tmp_path / name).write_bytes(packed(spread()))
    models, (refusal,) = admit_folder(tmp_path, TRUST, BOUNDS)
    assert [one.manifest.label for one in models] == ["tried@1"]
    assert "b.tgm" in refusal.tried
    assert "there is another tried@1" in refusal.cause


def test_the_keys_of_cloud_and_settings_are_trusted(tmp_path: Path) -> None:
    assert trust_of(tmp_path, []).keys == frozenset()
    assert keep_cloud_keys(tmp_path, [public_of(KEY)])
    assert not keep_cloud_keys(tmp_path, [public_of(KEY)])
    trust = trust_of(tmp_path, [public_line(public_of(OTHER))])
    assert trust.keys == {public_of(KEY), public_of(OTHER)}
    assert keep_cloud_keys(tmp_path, [public_of(OTHER)])
    assert cloud_keys(tmp_path) == {public_of(OTHER)}


def test_a_damaged_file_of_the_clouds_keys_is_told_and_counts_as_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = gateway(tmp_path)
    config.identity_folder.mkdir()
    (config.identity_folder / "model-keys").write_bytes(b"\xff\x00")
    with pytest.raises(OperatorError, match="model-keys"):
        cloud_keys(config.identity_folder)
    assert agent_detect.trust(config).keys == {public_of(KEY)}
    assert "the cloud tells its keys again" in caplog.messages[-1]


def test_a_line_that_is_no_key_is_refused_in_the_settings() -> None:
    text = '[gateway]\nname = "g"\n[models]\nkeys = ["hello"]\n'
    with pytest.raises(SettingsError, match=r"models\.keys") as raised:
        read_settings(text, EdgeSettings)
    assert "model keygen" in raised.value.hint


def test_a_candidate_stands_where_a_model_does() -> None:
    line = np.arange(30.0) % 9
    one = Candidate(MANIFEST, spread().SerializeToString(), BOUNDS, itertools.count().__next__)
    try:
        one.ready(wait=True)
        at = np.arange(10)
        assert one.score(line, at).tolist() == [
            float(np.ptp(line[first : first + WINDOW])) for first in at
        ]
    finally:
        one.close()


def test_a_packages_model_may_stay_apart_and_its_death_is_told_with_its_count(
    tmp_path: Path,
) -> None:
    config = gateway(tmp_path, window_us_max=50_000.0, apart="true")
    (config.models_folder / MANIFEST.package_file).write_bytes(packed(spread()))
    (one,) = agent_detect.models(config)
    assert isinstance(one, Candidate)
    rig = Rig(detector=detecting(scorer := Scorer([one], 1.0)))
    try:
        rig.collect.start()
        send(rig, 40)
        assert scorer.standings()[0].scored > 0
        killed(one)
        send(rig, 40)
        (standing,) = scorer.standings()
        assert standing.aside == {"died": 1}
        assert "SIGKILL" in standing.failure
        assert not rig.fatal
    finally:
        assert rig.collect.stop()
        one.close()


def test_a_wrong_model_is_refused_apart_too(tmp_path: Path) -> None:
    (tmp_path / "bad-1.tgm").write_bytes(packed(not_a_number()))
    models, (refusal,) = admit_folder(tmp_path, TRUST, BOUNDS, apart=True)
    assert not models
    assert "no numbers" in refusal.cause
