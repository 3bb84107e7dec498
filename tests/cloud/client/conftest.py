"""A served cloud for the client's tests."""

from collections.abc import Iterator

import pytest

from tests.cloud.client.served_world import Served, filled


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = filled(tmp_path_factory.mktemp("served"))
    yield made
    made.close()
