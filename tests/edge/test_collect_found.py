"""What detection finds while nothing comes is collected like what it finds in readings."""

import numpy as np

from edge.detect.detection import Detection
from edge.detect.episode import Course
from edge.detect.episodes import Episodes
from edge.detect.found import Occurrence
from edge.detect.judged import Judged
from edge.detect.looked import Looked
from protos.series import SeriesKey
from tests.edge.collect_rig import NOW_US, Above, Rig, until


def test_what_is_found_with_no_message_is_told_and_kept_once_somebody_asks() -> None:
    judged = Judged(
        "rule:quiet", *(np.array([one], dtype) for one, dtype in (
            (1, np.uint32), (NOW_US, np.int64), (7.0, float), (1.5, float), (1.0, float),
        ))
    )  # fmt: skip
    rounds = iter([[Looked(np.zeros(1, np.int64), judged, np.ones(1, np.bool_))]])
    told: list[Occurrence] = []
    detection = Detection(
        [Above()], Episodes("gw", Course()), look_round=lambda: next(rounds, [])
    )  # fmt: skip
    rig = Rig(detector=detection, on_episodes=told.extend)
    rig.collect.start()
    rig.send(b"7", topic="d/x")
    until(lambda: rig.ingest.acked == [1], "not acknowledged")
    rig.collect.look_again()
    until(lambda: rig.done.totals.get("anomalies") == 1, "it is not kept")
    (one,) = told
    assert (one.series, one.change.detector) == (SeriesKey("d", "x"), "rule:quiet")
    assert rig.done.totals["episodes_opened"] == rig.done.totals["messages"] == 1
    assert rig.collect.stop(5)
