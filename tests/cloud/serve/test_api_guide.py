"""The API's document and guide are its table of routes: run this file to write the guide."""

import re
from pathlib import Path

import pytest
from starlette.routing import Route

from cloud.serve.endpoint import Method
from cloud.serve.openapi import document, guide
from cloud.serve.routes import ENDPOINTS
from tests.cloud.serve_world import World

PAGE = Path(__file__).parents[3] / "docs" / "guide" / "api.md"
MARK = "<!-- made from the table of routes -->\n"


def page() -> str:
    before, _, rest = PAGE.read_text().partition(MARK)
    _, _, after = rest.partition(MARK)
    return f"{before}{MARK}\n{guide(ENDPOINTS)}\n{MARK}{after}"


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    yield world
    world.close()


def test_the_guide_of_the_api_is_current() -> None:
    assert PAGE.read_text() == page(), f"run `python -m tests.cloud.serve.{Path(__file__).stem}`"


def test_every_question_for_a_series_that_the_guide_asks_is_answered(world):
    world.fill()
    asked = re.findall(r"curl [^\n]*'http://localhost:8460(/[^']*series=…[^']*)'", PAGE.read_text())
    assert len(asked) >= 4
    for path in asked:
        answer = world.client.get(path.replace("series=…", f"series={world.id('pump')}"))
        assert answer.status_code == 200, (path, answer.text)


def test_the_document_has_every_route_that_is_served_and_no_other(world):
    told = world.get("/api/v1/openapi.json")["paths"]
    served = {
        (route.path, method)
        for route in world.app.routes
        if isinstance(route, Route) and "{rest" not in route.path
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert {(path, each.upper()) for path, of in told.items() for each in of} == served


def test_the_document_has_every_parameter_that_is_read_and_no_other(world):
    told = world.get("/api/v1/openapi.json")["paths"]
    for endpoint in ENDPOINTS:
        operation = told[endpoint.path][endpoint.method.value.lower()]
        names = {param["name"] for param in operation["parameters"]}
        assert names == set(endpoint.params) | set(endpoint.query)
        body = operation.get("requestBody", {}).get("content", {})
        properties = body["application/json"]["schema"]["properties"] if body else {}
        assert set(properties) == set(endpoint.body or {})


@pytest.mark.parametrize(
    "endpoint", [one for one in ENDPOINTS if one.method is Method.GET], ids=lambda one: one.path
)
def test_a_parameter_that_is_not_in_the_document_is_refused_by_name(world, endpoint):
    path = endpoint.path.replace("{mark}", "0" * 16).replace("{block}", "0" * 64)
    error = world.get(f"{path}?nonsense=1", 400)["error"]
    assert (error["code"], error["parameter"]) == ("unknown_parameter", "nonsense")


def test_every_parameter_is_explained_and_every_default_is_told(world):
    for path, of in document(ENDPOINTS, "1")["paths"].items():
        for operation in of.values():
            for param in operation.get("parameters", ()):
                assert param["description"], (path, param["name"])
                assert param["schema"]["type"], (path, param["name"])


def test_rows_have_the_fields_that_the_document_says(world):
    world.fill()
    told = world.get("/api/v1/openapi.json")["paths"]
    for endpoint in ENDPOINTS:
        if endpoint.rows and "series" not in [n for n, p in endpoint.params.items() if p.required]:
            rows = world.get(endpoint.path)[endpoint.name]
            content = told[endpoint.path]["get"]["responses"]["200"]["content"]
            schema = content["application/json"]["schema"]["properties"][endpoint.name]["items"]
            assert all(set(row) == set(schema["properties"]) for row in rows), endpoint.path


if __name__ == "__main__":
    PAGE.write_text(page())
