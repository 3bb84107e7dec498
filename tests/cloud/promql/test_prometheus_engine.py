"""Prometheus' own engine, in Debian's promtool, says the same of random series and queries.

Asked at times that lie between readings: whether a window has its first or its last moment is the
one thing that differs. `rate` and `increase` are not asked: Prometheus extrapolates them.
"""

import json
import math
from pathlib import Path
from random import Random

import pytest

from cloud.promql.evaluate import Frame, evaluate
from cloud.promql.labels import NAME
from cloud.promql.parser import parse
from cloud.promql.steps import Steps
from cloud.promql.tree import OVER_TIME
from tests import promtool
from tests.cloud.promql.promql_world import (
    SECOND_US,
    STALE_US,
    ListSource,
    random_query,
    random_series,
)

EVERY_US = 10 * SECOND_US
BEGUN_US = 600 * SECOND_US
"""When series begin: a test of promtool begins at 0, and no query may ask before it."""
ROUND = 2.0**-10


def rounded(value: float) -> float:
    """As Prometheus rounds: a sum of floats depends on its order."""
    return math.floor(value / ROUND + 0.5) * ROUND if math.isfinite(value) else value


def shown(value: float) -> str | float:
    return value if math.isfinite(value) else {"inf": "+Inf", "-inf": "-Inf"}.get(f"{value}", "NaN")


def values(rows) -> str:
    """Readings as promtool's tests write them: one each 10 s from 0 on, `_` where there is none."""
    at = {ts // EVERY_US: value for ts, value in rows}
    return " ".join(f"{at[i]:g}" if i in at else "_" for i in range(max(at, default=0) + 1))


def selector(labels: dict[str, str]) -> str:
    inside = ",".join(f'{k}="{v}"' for k, v in sorted(labels.items()) if k != NAME)
    return f"{labels.get(NAME, '')}{{{inside}}}"


@pytest.mark.parametrize("seed", range(6))
def test_prometheus_says_the_same_of_random_queries(tmp_path: Path, seed: int) -> None:
    random, cases, seen = Random(seed), [], 0
    series = random_series(random, 6, BEGUN_US, EVERY_US)
    source = ListSource(series, STALE_US, is_bucketed=True)
    while len(cases) < 60:
        query = random_query(random, sorted(OVER_TIME))
        at_us = BEGUN_US + random.randrange(200) * EVERY_US + EVERY_US // 2
        found = evaluate(parse(query), Steps(at_us, 1, 1), source)
        assert isinstance(found, Frame)
        told = [
            {"labels": selector({**labels, NAME: ""}), "value": shown(rounded(float(value)))}
            for labels, value, there in zip(
                found.labels, found.values[:, 0], found.there[:, 0], strict=True
            )
            if there
        ]
        asked = f"round({query}, {ROUND!r})"
        cases.append({"expr": asked, "eval_time": f"{at_us // 1000}ms", "exp_samples": told})
        seen += len(told)
    held = [{"series": selector(dict(k)), "values": values(rows)} for k, rows in series.items()]
    test = {"interval": "10s", "input_series": held, "promql_expr_test": cases}
    whole = {"rule_files": [], "evaluation_interval": "10s", "tests": [test]}
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps(whole))  # which is YAML, too
    done = promtool.run("test", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert seen > 30


def test_prometheus_says_that_the_test_above_can_fail(tmp_path: Path) -> None:
    case = {"expr": "x", "eval_time": "5s", "exp_samples": [{"labels": "x", "value": 2}]}
    test = {
        "interval": "10s",
        "input_series": [{"series": "x", "values": "1"}],
        "promql_expr_test": [case],
    }
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps({"evaluation_interval": "10s", "tests": [test]}))
    assert promtool.run("test", "rules", str(path)).returncode == 1
