"""Each role against each route: who is let through, who is refused; and no route outside."""

import re
from pathlib import Path

import pytest
from starlette.routing import Mount, Route

from cloud.access.role import Role
from cloud.serve.needs import NEEDS, PAGE, Needed
from tests.cloud.serve.signed_world import People
from tests.cloud.serve_world import World

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "sign-in.md"
MARK = "<!-- made from the table of needs -->\n"


def page() -> str:
    before, _, rest = GUIDE.read_text().partition(MARK)
    _, _, after = rest.partition(MARK)
    rows = "\n".join(f"| `{row}` | {role.word} |" for row, role in NEEDS.items())
    return f"{before}{MARK}\n| route | needs |\n|---|---|\n{rows}\n\n{MARK}{after}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    world = World(tmp_path_factory.mktemp("needs") / "lake")
    yield world
    world.close()


@pytest.fixture
def people(world: World):
    """New ones for each test, as one of them signs out."""
    people = People(world)
    yield people
    people.leave(world)


def routes(world: World) -> set[str]:
    return {
        f"{method} {route.path}"
        for route in world.app.routes
        if isinstance(route, Route) and "{rest" not in route.path
        for method in (route.methods or set()) - {"HEAD"}
    }


def test_every_route_has_its_row_and_every_row_its_route(world):
    assert {row for row in NEEDS if row.partition(" ")[2] not in PAGE} == routes(world)
    others = {route.path for route in world.app.routes if not isinstance(route, Route)}
    assert others == {""}, "what is mounted is the page alone"
    assert all(isinstance(r, Mount) for r in world.app.routes if not isinstance(r, Route))


def test_the_guide_tells_the_table():
    assert GUIDE.read_text() == page(), f"run `python -m tests.cloud.serve.{Path(__file__).stem}`"


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.word)
@pytest.mark.parametrize("row", [row for row in NEEDS if row != "GET /api/v1/live"])
def test_each_role_is_let_through_where_it_may_and_nowhere_else(world, people, row, role):
    method, _, path = row.partition(" ")
    path = re.sub(r"\{[^}]+\}", "0" * 16, path)
    for headers in people.ways(role):
        answer = world.client.request(method, path, headers=headers)
        if path.endswith("/session") and method != "GET":
            assert answer.status_code in (200, 415), row
            continue
        code = answer.json()["error"]["code"] if answer.status_code in (401, 403) else ""
        if role >= NEEDS[row]:
            assert code == "", (row, role)
        else:
            assert code == ("not_signed_in" if role is Role.ANYONE else "not_allowed"), row


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.word)
def test_the_stream_is_for_those_who_may_read(world, people, role):
    for headers in people.ways(role)[1:]:
        answer = world.client.get("/api/v1/live?series=1", headers=headers)
        assert answer.status_code == (400 if role >= Role.VIEWER else 401)


def test_what_is_in_no_row_fails_closed():
    needed = Needed({"GET /known": Role.ANYONE, "POST /of/{name}": Role.VIEWER})
    for method, path, role in (
        ("GET", "/known", Role.ANYONE),
        ("HEAD", "/known", Role.ANYONE),
        ("POST", "/known", Role.ADMIN),
        ("GET", "/known/", Role.VIEWER),
        ("GET", "/known\n", Role.VIEWER),
        ("GET", "//known", Role.VIEWER),
        ("GET", "/of/x", Role.VIEWER),
        ("POST", "/of/x", Role.VIEWER),
        ("POST", "/of/x/y", Role.ADMIN),
        ("POST", "/of/", Role.ADMIN),
        ("DELETE", "/of/x", Role.ADMIN),
        ("OPTIONS", "/known", Role.ADMIN),
        ("post", "/of/x", Role.ADMIN),
    ):
        assert needed.role(method, path) is role, (method, path)
    deep = Needed({"GET /deep/{rest:path}": Role.ANYONE})
    assert deep.role("GET", "/deep/a/b") is Role.ANYONE


if __name__ == "__main__":
    GUIDE.write_text(page())
