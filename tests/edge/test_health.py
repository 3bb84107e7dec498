"""The status text: what matters is there, and nothing the agent could not know."""

import msgspec

from edge.health import (
    BrokerHealth,
    BufferHealth,
    ClockHealth,
    CloudHealth,
    CommandHealth,
    Health,
    IngestHealth,
    ModelHealth,
    WatchHealth,
)
from edge.health_budget import BudgetHealth
from edge.health_text import DAY_US, size, told


def running() -> Health:
    return Health(
        gateway="pump-1",
        version="1.2",
        running=True,
        pid=77,
        clock=ClockHealth(now_us=DAY_US, synced=True),
        broker=BrokerHealth(url="mqtt://x:1883", connected=True),
        ingest=IngestHealth(accepted=5, readings=12_345, anomalies=2),
        buffer=BufferHealth(rows=9, used_bytes=1 << 20, bytes_max=4 << 20, key_tier="file"),
        cloud=CloudHealth(
            enrolled=True, address="c:1", line="live", certificate_not_after_us=11 * DAY_US
        ),
        models=[ModelHealth(name="residual", version="1", scored=10, aside={"died": 2})],
    )


def test_a_healthy_gateway_tells_counts_sizes_and_days() -> None:
    text = told(running())
    for part in (
        "pump-1, tidegate 1.2, running (process 77)",
        "synchronised",
        "mqtt://x:1883, connected",
        "12,345 readings, 2 anomalies",
        "1.0 MiB of 4.0 MiB (25%)",
        "c:1, live",
        "10 days left",
        "residual 1: 10 scored",
    ):
        assert part in text
    assert "NOT" not in text
    assert "evicted" not in text


def test_messages_that_are_no_readings_are_told_apart() -> None:
    health = running()
    health.ingest.ignored, health.ingest.alerts = 9, 7
    assert "2 ignored, 7 alerts of our own" in told(health)
    assert "copies" not in told(health)
    assert "tidegate-edge rejects" not in told(health)
    health.ingest.collapsed, health.ingest.rejected = 3, 1
    assert "3 copies: sent again by the broker, kept once" in told(health)
    assert "`tidegate-edge rejects` shows" in told(health)


def test_a_backlog_has_an_end_that_is_told_only_while_it_is_known() -> None:
    health = running()
    assert "backlog is through" not in told(health)
    health.cloud.eta_s = 61.0
    assert "the backlog is through in about 2 min" in told(health)
    health.cloud.eta_s = 7200.0
    assert "in about 2 h" in told(health)
    health.cloud.eta_s = 0.0
    assert "backlog is through" not in told(health)


def test_what_is_wrong_is_said_loudly() -> None:
    health = running()
    health.clock.synced = False
    health.clock.now_us = 12 * DAY_US
    health.broker.connected, health.broker.error = False, "connection refused"
    health.buffer.evicted = 3
    health.models[0].failure = "too slow"
    health.cloud.error, health.cloud.hint = "revoked", "enrol anew"
    text = told(health)
    for part in (
        "NOT synchronised",
        "NOT connected",
        "connection refused",
        "3 rows evicted",
        "FAILED: too slow",
        "revoked (enrol anew)",
        "EXPIRED",
    ):
        assert part in text


def test_without_the_agent_nothing_live_is_claimed() -> None:
    text = told(Health(gateway="pump-1", version="1"))
    assert "not running" in text
    assert "not enrolled" in text
    for part in ("heard", "broker", "sync"):
        assert part not in text


def test_the_document_survives_the_socket() -> None:
    health = running()
    assert msgspec.json.decode(msgspec.json.encode(health), type=Health) == health


def test_sizes_are_readable() -> None:
    assert [size(n) for n in (0, 1023, 1024, 1536 << 20, 1 << 50)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "1.5 GiB",
        "1024.0 TiB",
    ]


def test_rules_and_commands_are_told_with_what_is_wrong_with_them() -> None:
    health = Health(
        gateway="g", version="1", running=True,
        watches=[WatchHealth(name="hot", series=3, open=1), WatchHealth(name="cold")],
        commands=[CommandHealth(name="valve", sent=2, failed=1, waiting=4)],
    )  # fmt: skip
    lines = told(health).splitlines()
    assert "watch    hot: 3 watched, 1 open" in lines
    assert "watch    cold: 0 watched, 0 open; NO series fits its patterns yet" in lines
    assert "command  valve: 2 sent, 4 waiting, 1 failed" in lines


def test_what_is_spent_is_told_beside_what_may_be() -> None:
    budget = BudgetHealth(
        written_bytes=5 << 20,
        written_day_bytes=5 << 20,
        written_limit_bytes=1 << 30,
        written_per_reading=2048.4,
        commit_spacing_s=2.25,
        sent_day_bytes=3 << 20,
        received_day_bytes=1 << 20,
        line_limit_bytes=4 << 20,
        line_state="anomalies",
        memory_bytes=80 << 20,
        memory_limit_bytes=64 << 20,
        cpu_percent=3.25,
    )
    lines = told(Health(gateway="gw", version="1", running=True, budget=budget)).splitlines()
    assert "written  5.0 MiB of 1.0 GiB in 24 h, 2,048 B a reading" in lines
    assert "         commits are 2.2 s apart to spare the card" in lines
    assert "line     3.0 MiB sent, 1.0 MiB received in 24 h, 4.0 MiB of 4.0 MiB" in lines
    assert any("only anomalies are sent" in line for line in lines)
    assert "         OVER its budget: memory" in lines


def test_a_kernel_that_does_not_count_is_not_quoted() -> None:
    lines = told(Health(gateway="gw", version="1", running=True)).splitlines()
    assert not any(line.startswith(("written", "line ")) for line in lines)
