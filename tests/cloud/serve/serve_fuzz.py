"""Requests that a machine makes of our own OpenAPI document, and whether the answers keep to it."""

from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cloud.journal.sqlite.quarantine import Cause, Quarantined
from cloud.models.shelf import Shelf
from cloud.registry.registry import Registry
from cloud.registry.rollouts import PublishedRow
from cloud.rollout.rollouts import Rollouts, Wish
from cloud.rollup.partials import HOUR_US
from cloud.serve.openapi import document
from cloud.serve.routes import ENDPOINTS
from tests.cloud.lake_world import T0
from tests.cloud.serve.test_events import episodes, follow
from tests.cloud.serve_world import World

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
MARK = "0" * 16
MODELS = ("to be rolled out", "to go on", "to be taken back")
EPISODE = 7
BLOCK = Quarantined("gw-1", 1, 9, bytes(32), Cause.POISON, 9, "torn", 1, T0, 8)


def operations() -> list[tuple[str, str, GenerationMode]]:
    """Every route with requests that keep to the document, and with some that do not.

    The stream has no end; tests/cloud/serve/test_shell.py asks it, and test_session.py signs in.
    """
    return [
        (path, method, mode)
        for path, of in sorted(document(ENDPOINTS, "1")["paths"].items())
        for method, told in of.items()
        for mode in GenerationMode
        if path != "/api/v1/live"
        and (path, method) != ("/api/v1/session", "post")
        and (told.get("parameters") or mode is GenerationMode.POSITIVE)
    ]


def world_at(folder: Path) -> World:
    """A small lake with a tail, texts, anomalies, an episode, a mark, and a block set apart."""
    hosts = {"localhost", "testserver"}
    registry = Registry.open(folder / "models.db")
    rollouts = Rollouts(registry, Shelf(folder / "models"), lambda: T0)
    for number, name in enumerate(MODELS):
        registry.publish(PublishedRow(f"{number:064x}", name, "1", 9, T0, "ann"))
    for name in MODELS[1:]:
        rollouts.begin(Wish(name), "ann")
    world = World(
        folder / "lake", hosts=hosts, apart=lambda: [BLOCK], apart_data=lambda _: b"no block",
        rollouts=rollouts,
    )  # fmt: skip
    world.fill()
    world.gateway.send(episodes(world.gateway, [EPISODE], [T0], [T0 + 5], [4.0]))
    follow(world)
    mark = {"id": MARK, "kind": "bad", "from": T0, "to": T0 + HOUR_US, "author": "ann"}
    told = world.client.post("/api/v1/marks", json=mark | {"series": [world.id("pump")]})
    assert told.status_code == 201
    return world


def fuzz(
    world: World, path: str, method: str, mode: GenerationMode, examples: int, seeded: int
) -> Counter[int]:
    """How many answers of each status; AssertionError with the request that breaks the document."""
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", world.app)
    made = schema[path][method.upper()].as_strategy(generation_mode=mode)
    known = [world.id("pump"), world.id("door"), f"{world.id('pump')},{world.id('door')}"]
    statuses: Counter[int] = Counter()

    @seed(seeded)
    @settings(
        max_examples=examples, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(made, st.sampled_from(known), st.booleans(), st.integers(0, 20))
    def ask(case: Any, series: str, is_known: bool, others: int) -> None:
        if is_known:
            _aim(case, series, others)
        statuses[case.call_and_validate(checks=CHECKS).status_code] += 1

    ask()
    return statuses


def _aim(case: Any, series: str, others: int) -> None:
    """No chance finds an id that exists: without this all but refusals would go untested.

    ``others``: so many of the other parameters stay, for of many one is always refused.
    """
    if case.path.startswith("/api/prometheus/"):
        _aim_query(case, others)
        return
    if case.path.startswith("/api/v1/operations"):
        _aim_operation(case, series.partition(",")[0])
        return
    if case.path.startswith("/api/v1/rollouts"):
        _aim_rollout(case)
        return
    if isinstance(case.body, dict) and "verdict" in case.body:
        pump = series.partition(",")[0]
        case.body |= {"episode": f"{EPISODE:032x}", "series": [pump], "from": T0}
        return
    if "series" in (case.query or {}):
        kept = [name for name in case.query if name not in ("series", "from", "to")][:others]
        for name in list(case.query):
            if name not in kept:
                del case.query[name]
        case.query["series"] = series
    if "mark" in (case.path_parameters or {}):
        case.path_parameters["mark"] = MARK
    if "block" in (case.path_parameters or {}):
        case.path_parameters["block"] = BLOCK.hash.hex()
    if isinstance(case.body, dict) and "kind" in case.body:
        body = {name: said for name, said in case.body.items() if name not in ("gateway", "device")}
        case.body = body | {"series": series.split(","), "from": T0, "to": T0 + HOUR_US}


def _aim_operation(case: Any, series: str) -> None:
    """An operation that can be: others are refused for what they stand in the way of."""
    if case.path.endswith("check"):
        case.query = {"kind": "retire", "series": series}
    elif isinstance(case.body, dict):
        kept = {name: case.body[name] for name in ("author", "note") if name in case.body}
        case.body = {**kept, "kind": "rename", "series": series, "metric": "another"}
    else:
        case.query = {"series": series}


def _aim_rollout(case: Any) -> None:
    """A rollout of a model that has none under way, or one that is."""
    if "rollout" in (case.path_parameters or {}):
        case.path_parameters["rollout"] = 1 if case.path.endswith("advance") else 2
    elif isinstance(case.body, dict):
        kept = {name: case.body[name] for name in ("author", "note") if name in case.body}
        case.body = {**kept, "name": MODELS[0], "stage": "canary"}


def _aim_query(case: Any, others: int) -> None:
    """A query and times that are some."""
    start = T0 / 1e6
    known = {"query": "avg_over_time(temperature[5m])", "match[]": ["temperature"], "time": start}
    known |= {"start": start, "end": start + 3600, "step": 60}
    held = case.body if isinstance(case.body, dict) else case.query
    for name in list(held or {}):
        if name in known:
            held[name] = known[name]
        elif others:
            del held[name]
