"""A model in a process of its own: whatever it does there, who asked is told and goes on."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge.detect.apart import Apart, SetAsideError
from edge.detect.apart_wire import Bounds, Reason, Report
from edge.detect.candidate import COOLING_S, Candidate
from protos.model_manifest import Manifest
from tests.edge.detect.graphs import (
    MANIFEST,
    WINDOW,
    costly,
    endless,
    frame_manifest,
    framed,
    hungry,
    not_a_number,
    spread,
)  # fmt: skip

ABOVE = 1e6
"""Past every value of the probe: what happens above it happens in service."""
LINE = np.arange(40.0) % 13
AT = np.arange(40 - WINDOW + 1)
WILD = np.full(WINDOW, 2 * ABOVE)
ONE = np.zeros(1, np.int64)


@contextmanager
def apart(
    proto: onnx.ModelProto, manifest: Manifest = MANIFEST, bounds: Bounds | None = None
) -> Iterator[Apart]:
    # Time enough on a machine that does other work; what is to be too slow says so itself.
    bounds = bounds or Bounds(window_us=50_000)
    one = Apart.start(manifest, proto.SerializeToString(), bounds)
    try:
        yield one
    finally:
        one.close()


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_a_model_apart_scores_as_its_windows_are() -> None:
    with apart(spread()) as one:
        report = one.report()
        assert isinstance(report, Report)
        assert report.window_us > 0
        windows = np.lib.stride_tricks.sliding_window_view(LINE, WINDOW)
        assert one.score(LINE, AT).tolist() == np.ptp(windows, axis=1).tolist()
        assert one.score(LINE, AT[::-1]).tolist() == np.ptp(windows, axis=1)[::-1].tolist()
        assert one.score(LINE, AT[:0]).tolist() == []


def test_more_windows_than_one_question_holds_are_scored_in_several() -> None:
    line = np.random.default_rng(3).normal(size=3000)
    at = np.arange(len(line) - WINDOW + 1)
    with apart(spread()) as one:
        windows = np.lib.stride_tricks.sliding_window_view(line, WINDOW)
        assert np.array_equal(one.score(line, at), np.ptp(windows, axis=1))


def test_a_model_of_frames_scores_apart() -> None:
    frames = np.random.default_rng(4).normal(size=(5, 4, 3))
    with apart(framed(), frame_manifest()) as one:
        assert np.allclose(one.score_frames(frames), np.abs(frames).sum(axis=(1, 2)))


@pytest.mark.parametrize(
    ("made", "reason", "said"),
    [
        (not_a_number, Reason.REFUSED, "are no numbers"),
        (hungry, Reason.GREW, "bad_alloc"),
        (framed, Reason.REFUSED, "wanted is [-1, 8]"),
    ],
)
def test_a_model_that_fails_its_trial_is_refused_by_name(
    made: Callable[[], onnx.ModelProto], reason: Reason, said: str
) -> None:
    with apart(made()) as one:
        with pytest.raises(SetAsideError) as raised:
            one.report()
        assert raised.value.reason is reason
        assert said in raised.value.why
        assert is_gone(one.pid)


def test_a_model_that_is_no_onnx_file_is_refused() -> None:
    one = Apart.start(MANIFEST, b"\x00" * 500, Bounds())
    with pytest.raises(SetAsideError, match="its graph is refused"):
        one.report()


def test_a_model_that_never_ends_its_trial_is_ended() -> None:
    with apart(endless(), bounds=Bounds(trial_s=1.0)) as one:
        with pytest.raises(SetAsideError) as raised:
            one.report()
        assert raised.value.reason is Reason.SLOW
        assert is_gone(one.pid)


def test_a_model_that_is_too_slow_is_refused_with_its_time_and_the_bound() -> None:
    with apart(costly(), bounds=Bounds(window_us=1.0)) as one:
        with pytest.raises(SetAsideError, match=r"a window takes .* µs in a batch of 256") as told:
            one.report()
        assert told.value.reason is Reason.SLOW
        assert "window_us_max" in told.value.hint


def test_a_model_that_hangs_in_service_is_ended() -> None:
    with apart(endless(ABOVE), bounds=Bounds(call_s=0.3, window_us=50_000)) as one:
        assert one.score(LINE, AT).tolist() == [0.0] * len(AT)
        with pytest.raises(SetAsideError) as raised:
            one.score(WILD, ONE)
        assert raised.value.reason is Reason.HUNG
        assert is_gone(one.pid)


def test_a_model_that_exhausts_its_memory_in_service_is_ended() -> None:
    with apart(hungry(ABOVE)) as one:
        one.score(LINE, AT)
        with pytest.raises(SetAsideError) as raised:
            one.score(WILD, ONE)
        assert raised.value.reason is Reason.GREW
        assert is_gone(one.pid)


def test_a_model_that_gives_no_number_in_service_is_ended() -> None:
    with apart(not_a_number(ABOVE)) as one:
        one.score(LINE, AT)
        with pytest.raises(SetAsideError, match="1 of 1 scores") as raised:
            one.score(WILD, ONE)
        assert raised.value.reason is Reason.NO_NUMBER


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_process_that_dies_is_told_with_its_signal(how: signal.Signals) -> None:
    with apart(spread()) as one:
        one.report()
        os.kill(one.pid, how)
        with pytest.raises(SetAsideError, match=how.name) as raised:
            one.score(LINE, AT)
        assert raised.value.reason is Reason.DIED


@pytest.mark.parametrize("word", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_process_goes_on_when_all_of_a_unit_are_told_to_end(word: signal.Signals) -> None:
    with apart(spread()) as one:
        one.report()
        os.kill(one.pid, word)
        assert np.isfinite(one.score(LINE, AT)).all()
    assert is_gone(one.pid), "the agent ends it itself"


def test_a_process_that_is_stopped_is_waited_for_no_longer_than_agreed() -> None:
    with apart(spread(), bounds=Bounds(call_s=0.2, window_us=50_000)) as one:
        one.report()
        os.kill(one.pid, signal.SIGSTOP)
        with pytest.raises(SetAsideError) as raised:
            one.score(LINE, ONE)
        assert raised.value.reason is Reason.HUNG
        assert is_gone(one.pid)


def test_a_process_ends_when_nobody_asks_any_more() -> None:
    one = Apart.start(MANIFEST, spread().SerializeToString(), Bounds(window_us=50_000))
    one.report()
    process = one._process
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 0


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def candidate(proto: onnx.ModelProto, clock: Clock) -> Candidate:
    bounds = Bounds(window_us=50_000, call_s=0.5)
    return Candidate(MANIFEST, proto.SerializeToString(), bounds, clock)


def test_a_candidate_gives_no_scores_while_its_process_loads_and_then_does() -> None:
    one = candidate(spread(), Clock())
    try:
        assert np.isnan(one.score(LINE, AT)).all()
        assert one.skipped == len(AT)
        assert one.ready(wait=True) is not None
        assert np.isfinite(one.score(LINE, AT)).all()
        assert (one.scored, one.trouble) == (len(AT), "")
        assert one.memory_bytes() > 1 << 20
    finally:
        one.close()


def test_a_candidate_that_dies_is_set_aside_counted_and_tried_again_after_cooling() -> None:
    clock = Clock()
    one = candidate(spread(), clock)
    try:
        for life, pause_s in enumerate(COOLING_S, 1):
            one.ready(wait=True)
            assert one._apart is not None
            os.kill(one._apart.pid, signal.SIGKILL)
            assert np.isnan(one.score(LINE, AT)).all()
            assert one.aside == {Reason.DIED: life}
            assert "SIGKILL" in one.trouble
            clock.at += pause_s - 1
            assert np.isnan(one.score(LINE, AT)).all()
            assert one._apart is None
            clock.at += 1
        one.ready(wait=True)
        assert np.isfinite(one.score(LINE, AT)).all()
        assert one.trouble == ""
        os.kill(one._apart.pid, signal.SIGKILL)
        one.score(LINE, AT)
        assert one.is_out
        clock.at += 1e9
        with pytest.raises(SetAsideError, match="SIGKILL"):
            one.score(LINE, AT)
    finally:
        one.close()


def test_a_candidate_whose_graph_is_refused_is_not_tried_again() -> None:
    one = candidate(not_a_number(), Clock())
    with pytest.raises(SetAsideError):
        one.ready(wait=True)
    assert one.is_out
    assert one.aside == {Reason.REFUSED: 1}
    assert "no numbers" in one.trouble
