"""The benchmarks run, name their baseline, and end in one object; no figure is judged here."""

import json

import pytest

from benchmarks import backlog, buffer, cloud, imports, prometheus, publisher, rules, stages, tail
from edge.catalog import Catalog
from edge.reading import Reader
from edge.redelivery import Redelivery


def test_the_buffers_benchmark_keeps_the_same_messages_in_its_baselines() -> None:
    told = json.loads(json.dumps(buffer.main(300, 1)))
    for name in ("row_a_message", "rows_in_batches", "ours"):
        assert told[name]["msgs_per_s"] > 0, name
        assert told[name]["us_per_msg"] > 0, name
    assert told["cpu_ratio"] > 0
    assert told["messages"] == 300


def test_the_backlogs_benchmark_delivers_all_of_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "ROUNDS", 1)
    told = json.loads(json.dumps(backlog.main([2_000, 6_000])))
    assert list(told["readings"]) == ["2000", "6000"]
    assert all(found["per_core_s"] > 0 for found in told["readings"].values())
    assert told["readings"]["6000"]["blocks"] >= 1
    assert told["largest_to_smallest"] > 0


def test_the_benchmark_of_rules_finds_what_its_loop_finds() -> None:
    told = json.loads(json.dumps(rules.main(5_000)))
    assert list(told) == ["16", "256", "4096"]
    assert all(us > 0 for figures in told.values() for us in figures.values())


def test_the_stages_read_all_of_a_batch_though_a_chunk_holds_less() -> None:
    said = publisher.payloads("array", 1_000)
    (batch,) = stages.batches(said, stages.topics(publisher.DEVICES))
    reader = Reader(Catalog(salt=lambda: bytes(16)), Redelivery(bytes(32)))
    told = stages.chunks(reader, batch)
    assert len(told) > 3
    assert sum(heard.counts.numbers for heard in told) == 1_000 * publisher.READINGS["array"]


def test_the_stages_of_arrays_are_each_told() -> None:
    told = stages.measure(600, publisher.DEVICES, publisher.payloads("array", 600))
    assert set(told) == {"read", "score", "commit", "seal"}
    assert all(us > 0 for us in told.values())


def test_the_benchmark_of_imports_brings_the_same_readings_in_from_every_form() -> None:
    told = json.loads(json.dumps(imports.main(2_000, 1)))
    for form in ("wide.csv", "long.csv", "wide.parquet", "line.lp"):
        assert told[form]["kept_per_s"] > 0, form
        assert told[form]["kept_to_parse"] > 0, form
        assert told[form]["bytes_per_reading"] > 0, form


@pytest.mark.campaign
def test_the_clouds_benchmark_counts_what_it_sent_and_nothing_else() -> None:
    told = json.loads(json.dumps(cloud.main(["--gateways", "3", "--rows", "40", "--seconds", "3"])))
    assert (told["lost"], told["doubled"]) == (0, 0)
    assert told["readings"] >= 3 * 40 * 4
    for name in ("readings_per_s", "cores", "ack_p99_ms", "api_p99_ms", "pss_mb_max"):
        assert told[name] > 0, name
    assert told["visible_s_max"] >= 0


def test_the_tails_benchmark_holds_every_reading_beside_what_was_decoded() -> None:
    told = json.loads(json.dumps(tail.main(2, 1)))
    assert told["readings"] == 2 * tail.GATEWAYS * tail.ROWS
    assert told["told_bytes_per_reading"] < told["decoded_bytes_per_reading"]
    assert told["us_per_question"] > 0


def test_the_benchmark_of_prometheus_asks_both_ways_for_the_same_values() -> None:
    told = json.loads(json.dumps(prometheus.main(2, 1)))
    assert told["readings"] == 2 * 28_800
    for width, steps in (("1h", 48), ("43m", 66)):
        found = told["steps"][width]
        assert (found["steps"], found["values"]) == (steps, 10 * steps)
        for way in ("avg_over_time", "history", "last_reading"):
            assert found[way]["cpu_ms"] > 0, (width, way)
