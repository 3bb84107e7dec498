"""A fleet that is set by hand, and notifiers over it whose looks are made by hand."""

import pytest

from tests.cloud.notify.fleet_world import OPS, Fleet, Told
from tests.cloud.notify.told_world import Clock


@pytest.fixture
def fleet():
    return Fleet(Clock())


@pytest.fixture
def told(tmp_path, fleet):
    made = []

    def make(text: str = "", channel: str = OPS) -> Told:
        made.append(Told(tmp_path, fleet, channel + text))
        return made[-1]

    yield make
    for one in made:
        one.notifier.file.close()
