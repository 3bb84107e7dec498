"""An order to erase, given to a lake whose cloud is stopped, and dead at any step of it."""

from contextlib import suppress
from pathlib import Path

from cloud.lake.alone import alone
from cloud.lake.table.parquet import Step
from cloud.lake.table.schema import ANOMALIES, EPISODES, READINGS
from cloud.lake.table.sweep import Sweeper
from cloud.retention.erase import carry_out, give
from cloud.retention.order import Order
from cloud.retention.retired import retired_now, take_up
from tests.cloud.lake_runs import Crash


def order(lake: Path, gateway: str, device: str, span: tuple[int, int], step: Step) -> bool:
    """Whether it was told; then whoever opens the lake next carries out what is left of it."""
    before = len(retired_now(lake).orders)
    with suppress(Crash), alone(lake, "erase", (ANOMALIES, EPISODES), step) as tables:
        readings = tables[READINGS.name]
        told = take_up(lake, readings.state.retired)
        number, upto = len(told.orders) + 1, readings.state.offset
        told = give(readings, told, Order(number, 1, "ann", "", gateway, device, "", *span, upto))
        carry_out(tables, Sweeper(grace_s=0.0), told)
    return len(retired_now(lake).orders) > before
