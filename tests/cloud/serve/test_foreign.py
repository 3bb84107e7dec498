"""What a page of another site, or a form, makes a browser send: nothing that writes takes it."""

import re

import pytest

from cloud.access.role import Role
from cloud.serve.needs import NEEDS
from tests.cloud.serve.signed_world import People, by_session
from tests.cloud.serve_world import World

WRITES = [
    row
    for row in NEEDS
    if not row.startswith("GET") and "/prometheus/" not in row and not row.endswith("/session")
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    world = World(tmp_path_factory.mktemp("foreign") / "lake")
    yield world
    world.close()


@pytest.fixture(scope="module")
def people(world: World) -> People:
    return People(world)


def code(world: World, method: str, path: str, headers: dict[str, str]) -> str:
    answer = world.client.request(method, path, headers=headers, content="{}")
    return answer.json()["error"]["code"] if answer.status_code >= 400 else "ok"


@pytest.mark.parametrize("row", WRITES)
def test_no_route_that_writes_takes_what_a_form_or_another_site_sent(world, people, row):
    method, _, path = row.partition(" ")
    path = re.sub(r"\{[^}]+\}", "1", path)
    own = by_session(people.sessions[Role.ADMIN])
    foreign = own | {"origin": "http://evil.example", "content-type": "application/json"}
    assert code(world, method, path, foreign) == "foreign_origin"
    form = {"cookie": own["cookie"], "content-type": "text/plain"}
    assert code(world, method, path, form) == "no_own_header"
    passed = code(world, method, path, own)
    assert passed not in ("foreign_origin", "no_own_header", "not_signed_in", "not_allowed")


def test_the_routes_that_change_what_gateways_run_are_among_those_that_write():
    rollouts = {row for row in WRITES if "/rollouts" in row}
    assert {row.rpartition("/")[2] for row in rollouts} == {"rollouts", "advance", "rollback"}
