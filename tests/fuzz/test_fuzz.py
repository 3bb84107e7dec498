"""The fuzzers' laws without atheris: seeds and small changes keep them, findings are told."""

import importlib
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

from edge import sync
from protos.codec import body
from protos.codec.wire import FormatError
from tests.fuzz import block, configuration, sync_edge
from tests.fuzz.campaign import TARGETS, Result, Run

# An honest beginning, then a grant of epoch 2**64 - 1, and work.
FOUND_EPOCH = b"\0\1\0" + b"\2\3" * 4 + b"\4\3\1\1\2" + b"\xff" * 8 + b"\1\0" + b"\2\3" * 9
CHANGES = {
    "block": 1500,
    "sync_cloud": 150,
    "sync_edge": 400,
    "configuration": 500,
    "mqtt_wire": 2000,
}


def changed(data: bytes, size_max: int, chance: Random) -> bytes:
    """A plain mutation: bytes replaced, put in, taken out."""
    made = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(made))
        match chance.randrange(3):
            case 0:
                made[at : at + 1] = chance.randbytes(1)
            case 1:
                made[at:at] = chance.randbytes(chance.randint(1, 8))
            case _:
                del made[at : at + chance.randint(1, 8)]
    return bytes(made[:size_max])


def variations(target: ModuleType, count: int, seed: int) -> Iterator[bytes]:
    """Inputs as the fuzzer would make them, without its sense of what is new."""
    chance = Random(seed)
    known = target.seeds()
    for number in range(count):
        data = chance.choice(known)
        if hasattr(target, "mutate"):
            made = target.mutate(
                data, target.INPUT_BYTES_MAX, number, lambda d, size: changed(d, size, chance)
            )
        else:
            made = changed(data, target.INPUT_BYTES_MAX, chance)
        if chance.random() < 0.5:
            known.append(made)
        yield made


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_what_is_made_of_them_keep_the_law(name: str) -> None:
    target = importlib.import_module(f"tests.fuzz.{name}")
    for data in target.seeds():
        target.check(data)
    for data in variations(target, CHANGES[name], 7):
        target.check(data)


@pytest.mark.parametrize(
    ("target", "data"),
    [
        (configuration, b'\0[gateway]\nname = "a"\n[metrics]\nlisten = "rect"\n'),
        (configuration, b'\0[gateway]\nname = "a"\n[cloud]\nproxy = "http://["\n'),
        (configuration, b'\0[gateway]\nname = "a"\n[cloud]\nproxy = "http://p:x"\n'),
        (configuration, b'\0[gateway]\nname = "a"\n[broker]\npassword_file = "~nobody-here/x"\n'),
        (configuration, b'\0[gateway]\nname = "a"\n[broker]\npassword_file = "\\u0000"\n'),
        (configuration, b"\1[lake]\ninterval_s = " + b"9" * 5000),
        (configuration, b'\1["enrolm\\nt"]\n"failures_per_minute_max" = 1\n'),
        (sync_edge, FOUND_EPOCH),
        (sync_edge, b"\0\4\4\2\0\1\1\0"),
    ],
)
def test_what_was_found_once_is_not_found_again(target: ModuleType, data: bytes) -> None:
    target.check(data)


class _OtherError(FormatError):
    """No malformed block, as far as a caller can tell."""


def test_a_decoder_that_fails_in_another_way_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    strange = partial(body.decode_body, error=_OtherError)
    monkeypatch.setattr(block, "decode_body", strange)
    with pytest.raises(_OtherError):
        deque(map(block.check, variations(block, 1500, 7)), maxlen=0)


def test_a_session_that_believes_any_number_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "refusal", lambda _: None)
    with pytest.raises(ValueError, match="epoch or seq outside"):
        sync_edge.check(FOUND_EPOCH)


def test_a_finding_is_counted_by_its_kind_and_named(tmp_path: Path) -> None:
    run = Run("block", tmp_path, 1, 1)
    script = "print('#9 DONE cov: 12 ft: 30'); print('stat::number_of_executed_units: 9')"
    run.process = subprocess.Popen(
        [sys.executable, "-c", f"{script}; raise SystemExit(77)"],
        stdout=(tmp_path / "log").open("wb"),
    )
    run.began_s = 0.0
    (tmp_path / "crash-ab").write_bytes(b"x")
    (tmp_path / "timeout-cd").write_bytes(b"y")
    result = run.finish()
    assert (result.executions, result.coverage) == (9, 12)
    assert (result.crashes, result.hangs, result.out_of_memory) == (1, 1, 0)
    assert not result.is_clean
    assert [Path(path).name for path in result.inputs] == ["crash-ab", "timeout-cd"]


def test_a_fuzzer_that_ends_badly_without_a_finding_is_no_success(tmp_path: Path) -> None:
    run = Run("block", tmp_path, 1, 1)
    with (tmp_path / "log").open("wb") as log:
        run.process = subprocess.Popen(
            [sys.executable, "-c", "raise SystemExit('no such module')"], stderr=log
        )
    run.began_s = 0.0
    result = run.finish()
    assert not result.is_clean
    assert re.search("no such module", result.failed)
    assert Result("block").is_clean


def test_a_machine_without_the_fuzzers_engine_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = importlib.import_module("tests.fuzz.__main__")
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["fuzz", "--seconds", "1"])
    assert command.main() == 3
    assert "wheels for CPython 3.11 to 3.13 on x86-64 Linux" in capsys.readouterr().err
