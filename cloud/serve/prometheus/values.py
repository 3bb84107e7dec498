"""Answers to queries: at one time, and over a range of times."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cloud.promql.evaluate import Frame, evaluate
from cloud.promql.parser import parse
from cloud.promql.refused import BadQuery
from cloud.promql.steps import Steps
from cloud.promql.tree import Kind, Selector, kind_of
from cloud.serve.prometheus import params, written
from cloud.serve.prometheus.labelled import Labelled
from cloud.serve.prometheus.source import HistorySource
from cloud.serve.site import Site

Values = Mapping[str, Any]
Told = tuple[Any, Sequence[str]]
"""What an answer says, and warnings."""


def query(site: Site, labelled: Labelled, values: Values) -> Told:
    """A query at one time. BadQuery, TooMuch."""
    node = parse(values["query"])
    time_us = values["time"] if values["time"] is not None else site.now_us() // 1000 * 1000
    source = HistorySource(site, labelled)
    if isinstance(node, Selector) and node.width_us:
        told = written.matrix(source.readings(node, time_us))
        return _cut(told, values["limit"], source.warnings)
    found = evaluate(node, Steps(time_us, 1, 1), source)
    if not isinstance(found, Frame):
        return written.scalar(time_us, float(found[0])), source.warnings
    return _cut(written.vector(time_us, found), values["limit"], source.warnings)


def query_range(site: Site, labelled: Labelled, values: Values) -> Told:
    """A query at evenly spaced times. Refusal, BadQuery, TooMuch."""
    steps = params.steps(values["start"], values["end"], values["step"])
    node, source = parse(values["query"]), HistorySource(site, labelled)
    if kind_of(node) is Kind.RANGE:
        message = "parse error: a range has no value at a step; say of it what is asked, as"
        raise BadQuery(values["query"], node.at, f"{message} avg_over_time(…)")
    found, times = evaluate(node, steps, source), steps.times
    if not isinstance(found, Frame):
        there = np.ones((1, len(times)), bool)
        found = Frame([{}], found.reshape(1, -1), there)
    told = written.matrix(written.rows_of(found, times))
    return _cut(told, values["limit"], source.warnings)


def _cut(told: dict[str, Any], limit: int, warnings: Sequence[str]) -> Told:
    """The first so many series, and a warning where there are more."""
    rows = told["result"]
    if not limit or len(rows) <= limit:
        return told, warnings
    more = f"{len(rows)} series were found, {limit} are told: `limit`"
    return {**told, "result": rows[:limit]}, [*warnings, more]
