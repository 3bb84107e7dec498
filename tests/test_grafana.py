"""What `deploy/grafana/` provisions is what the cloud serves: every query of it is answered."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloud.serve.prometheus.names import PROMETHEUS
from cloud.serve.prometheus.questions import ROOT
from protos.series import SeriesKind
from tests.cloud.lake_world import T0
from tests.cloud.serve.prometheus.prometheus_world import API, PrometheusWorld

FOLDER = Path(__file__).parent.parent / "deploy" / "grafana"
BOARD = json.loads((FOLDER / "dashboards" / "tidegate.json").read_text())
SECOND_US = 1_000_000
ALL = ".+"


def provisioned(kind: str) -> Any:
    return yaml.safe_load((FOLDER / "provisioning" / kind / "tidegate.yaml").read_text())


def targets() -> Iterator[tuple[str, dict[str, Any]]]:
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target


def filled(text: str, chosen: str) -> str:
    """A query as Grafana sends it: variables are chosen, the step is a minute."""
    made = re.sub(r"\$(gateway|device|metric)\b", chosen, text)
    made = made.replace("$__interval_ms", "60000").replace("$__interval", "1m")
    assert "$" not in made, made
    return made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusWorld]:
    world = PrometheusWorld(tmp_path_factory.mktemp("grafana") / "lake")
    for device in ("pump", "meter"):
        rows = [(T0 + i * 10 * SECOND_US, float(i)) for i in range(400)]
        world.put(device, rows[:300], "energy", unit="kWh", kind=SeriesKind.COUNTER)
        world.consolidate()
        world.put(device, rows[300:], "energy", unit="kWh", kind=SeriesKind.COUNTER)
    yield world
    world.close()


def post(world: PrometheusWorld, path: str, **asked: Any) -> Any:
    told = world.client.post(f"{API}/{path}", data=asked)
    assert told.status_code == 200, (asked, told.text)
    return told.json()["data"]


@pytest.mark.parametrize(("title", "target"), list(targets()), ids=lambda each: str(each)[:40])
@pytest.mark.parametrize("chosen", [ALL, "(energy|pump|gw-1)"])
def test_every_query_of_the_dashboard_is_answered_with_values(world, title, target, chosen) -> None:
    query, start = filled(target["expr"], chosen), T0 / 1e6
    if target["instant"]:
        told = post(world, "query", query=query, time=start + 3600)
        assert told["result"], title
        return
    assert target["range"]
    told = post(world, "query_range", query=query, start=start, end=start + 3600, step=60)
    assert told["result"], title
    assert all(len(row["values"]) >= 60 for row in told["result"]), title


@pytest.mark.parametrize("variable", BOARD["templating"]["list"], ids=lambda each: each["name"])
def test_every_variable_of_the_dashboard_has_values(world, variable) -> None:
    assert variable["allValue"] == ALL  # `.*` takes series without the label: it would be refused
    query = filled(variable["query"]["query"], ALL)
    told = re.fullmatch(r"label_values\((?:(.+), )?(\w+)\)", query)
    assert told is not None, query
    match = {"match": told[1]} if told[1] else {}
    assert world.ask(f"label/{told[2]}/values", **match)


def test_the_dashboard_asks_the_data_source_that_is_provisioned(world) -> None:
    (source,) = provisioned("datasources")["datasources"]
    assert (source["type"], source["access"]) == ("prometheus", "proxy")
    assert source["url"] == f"http://localhost:8460{ROOT}"
    assert source["jsonData"]["prometheusVersion"] == PROMETHEUS
    named = {source["uid"], *(target["datasource"]["uid"] for _, target in targets())}
    named |= {each["datasource"]["uid"] for each in BOARD["templating"]["list"]}
    named |= {panel["datasource"]["uid"] for panel in BOARD["panels"]}
    assert named == {"tidegate"}


def test_the_dashboard_lies_where_grafana_looks_for_it() -> None:
    (provider,) = provisioned("dashboards")["providers"]
    path = Path(provider["options"]["path"])
    assert path.name == "dashboards"
    readme = (FOLDER / "README.md").read_text()
    assert f"cp -r dashboards {path.parent}/" in readme
    assert (FOLDER / path.name / "tidegate.json").is_file()


def test_panels_lie_beside_each_other_and_not_on_each_other() -> None:
    taken = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}  # fmt: skip
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


def test_what_grafana_asks_before_all_else_is_answered(world) -> None:
    assert post(world, "query", query="1+1", time=T0 / 1e6)["result"][1] == "2"
    assert world.ask("status/buildinfo")["version"]
    assert world.ask("metadata", limit=10)
