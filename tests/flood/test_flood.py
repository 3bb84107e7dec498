from pathlib import Path

import pytest

from tests.flood.campaign import Flood


@pytest.mark.broker
@pytest.mark.parametrize("qos", [0, 1])
def test_a_flood_of_garbage_loses_nothing_of_another_topic_and_no_message_unaccounted(
    tmp_path: Path, qos: int
) -> None:
    told = Flood(tmp_path, "bytes", qos, 2.0).run()
    assert told.faults() == []
    assert told.published > 10
    assert len(told.delays_s) == len(told.kept) > 0
