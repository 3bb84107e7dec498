"""What holds for the whole suite: time is never asserted, so hypothesis has no deadlines."""

import os

import pytest
from hypothesis import settings

from deploy.demo.broker import mosquitto_path

settings.register_profile("tidegate", settings(), deadline=None)
settings.load_profile("tidegate")

CAMPAIGN_S = 3600
"""A test that is a campaign has this long, on a machine that does other things as well."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give campaigns more than the five minutes of an ordinary test."""
    for item in items:
        if item.get_closest_marker("campaign"):
            item.add_marker(pytest.mark.timeout(CAMPAIGN_S))


@pytest.fixture
def mosquitto() -> None:
    """A test that needs the real broker is left out where there is none, but not in CI."""
    if mosquitto_path() is None:
        reason = "mosquitto is missing; install it: apt-get install -y mosquitto"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
