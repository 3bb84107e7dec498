"""What a real cloud with its readers tells promtool is what its own API tells."""

from typing import TYPE_CHECKING

import pytest

from deploy.demo.stack import Stack
from tests import promtool

if TYPE_CHECKING:
    from tests.e2e.conftest import Oracle

pytestmark = pytest.mark.broker


async def test_promtool_counts_the_readings_that_were_published(
    stack: Stack, oracle: "Oracle"
) -> None:
    await oracle.publish(300)
    oracle.check()
    query = 'sum by (metric) (count_over_time({device=~"oracle/.*"}[1h]))'
    done = promtool.run("query", "instant", f"{stack.page}/api/prometheus", query)
    assert done.returncode == 0, done.stderr
    found = {line.split('"')[1]: line.split()[2] for line in done.stdout.splitlines()}
    numbers = [metric for _, metric, value in oracle.published if isinstance(value, float)]
    assert found == {metric: str(numbers.count(metric)) for metric in set(numbers)}
