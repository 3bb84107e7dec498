"""The guide's page of metrics is the two halves' own tables: run this file to write it anew."""

import re
from pathlib import Path

from cloud.metrics import TABLE as CLOUD
from edge.metrics import TABLE as EDGE
from protos.exposition import guide

PAGE = Path(__file__).parent.parent / "docs" / "guide" / "metrics.md"
HEAD = """# Metrics

Each half tells its figures where it is asked to, and nowhere else: with

```toml
[metrics]
listen = "127.0.0.1:9464"
```

in `edge.toml` or `cloud.toml` it answers `/metrics` in the Prometheus text format, and `/healthz`
with 200 while all is well and 503 with the fault otherwise. Plain HTTP, no password: keep it on
loopback, or on a network where everyone may read it. On loopback only loopback names are answered.

`/healthz` of a gateway says whether readings are collected: the broker is connected and the buffer
takes them. The cloud being away is no fault of a gateway; `tidegate_edge_uplink_state` and the lags
tell it. `/healthz` of the cloud says whether blocks can be stored and consolidated: also 503 when
blocks wait and nothing was heard of consolidation for ten minutes beside `lake.interval_s`, as of
a process that hangs. That is told once in the log; nothing is killed for it, and it is 200 again
with the next sign of life.

A figure that is not known is absent, not zero. Counters of messages, readings and gaps are kept in
the buffer and go on after a restart; those that say "since the start" begin anew with the process.
What to be woken by:

| alarm | expression |
|---|---|
| readings are not taken in | `tidegate_edge_buffer_full == 1` |
| nothing is heard | `tidegate_edge_broker_connected == 0` |
| the buffer is full within a day | `tidegate_edge_buffer_left_seconds < 86400` |
| readings were given up | `increase(tidegate_edge_evicted_rows_total[1h]) > 0` |
| a gateway is silent | `time() - tidegate_cloud_gateway_last_seen_seconds > 300` |
| history falls behind | `tidegate_cloud_lake_lag_seconds > 120` |
| consolidation dies again and again | `increase(tidegate_cloud_lake_restarts_total[1h]) > 3` |
| readers die again and again | `increase(tidegate_cloud_reader_restarts_total[1h]) > 10` |
| the decoder dies again and again | `increase(tidegate_cloud_decoder_restarts_total[1h]) > 3` |
| a channel is down | `min_over_time(tidegate_cloud_notices_waiting[1h]) > 0` |
| nobody can be told | `tidegate_cloud_notify_faulty == 1` |
| a block is set apart | `tidegate_cloud_journal_quarantined_blocks > 0` |

"""


def page() -> str:
    edge = guide(EDGE, "The gateway")
    return HEAD + edge + "\n" + guide(CLOUD, "The cloud")


def test_the_page_of_metrics_is_current() -> None:
    assert PAGE.read_text() == page(), f"run `python {Path(__file__).name}` in tests/"


def test_every_alarm_of_the_page_names_a_metric_that_there_is() -> None:
    known = {metric.name for metric in (*EDGE, *CLOUD)}
    found = set(re.findall(r"tidegate_(?:edge|cloud)_[a-z_]+", HEAD))
    assert len(found) >= 7
    assert found <= known


if __name__ == "__main__":
    PAGE.write_text(page())
