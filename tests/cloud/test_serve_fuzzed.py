"""Whatever a machine makes of our own OpenAPI document is answered as the document says.

The long form is `make fuzz-api`.
"""

import pytest
from schemathesis import GenerationMode

from tests.cloud.serve_fuzz import fuzz, operations, world_at

EXAMPLES = 25


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    world = world_at(tmp_path_factory.mktemp("api"))
    yield world
    world.close()


@pytest.mark.parametrize(("path", "method", "mode"), operations(), ids=str)
def test_nothing_that_is_asked_is_a_fault_of_ours(world, path, method, mode):
    statuses = fuzz(world, path, method, mode, EXAMPLES, 1)
    assert statuses.total() > 0
    if mode is GenerationMode.POSITIVE:
        assert statuses[200] + statuses[201] > 0, statuses
