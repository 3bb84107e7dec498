"""Whatever a machine makes of our own OpenAPI document is answered as the document says.

The long form is `make fuzz-api`.
"""

from collections import Counter

import pytest
from schemathesis import GenerationMode

from tests.cloud.serve.serve_fuzz import fuzz, operations, world_at

EXAMPLES = 25
ROUNDS_MAX = 12
"""What is made depends on what else was imported: rounds until one request is answered."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    world = world_at(tmp_path_factory.mktemp("api"))
    yield world
    world.close()


@pytest.mark.parametrize(("path", "method", "mode"), operations(), ids=str)
def test_nothing_that_is_asked_is_a_fault_of_ours(world, path, method, mode):
    statuses: Counter[int] = Counter()
    for seeded in range(1, ROUNDS_MAX + 1):
        statuses += fuzz(world, path, method, mode, EXAMPLES, seeded)
        if mode is not GenerationMode.POSITIVE or statuses[200] + statuses[201]:
            break
    assert statuses.total() > 0
    if mode is GenerationMode.POSITIVE:
        assert statuses[200] + statuses[201] > 0, statuses
