"""Signing in and out over the API: cookies, wrong passwords, limits, lives."""

from pathlib import Path

import pytest

from cloud.access import password as passwords
from cloud.access.access import STALE_S
from cloud.access.people import SESSIONS_OF_USER_MAX
from cloud.access.role import Role
from cloud.serve.guard import COOKIE, OWN_HEADER
from tests.cloud.serve.signed_world import (
    People,
    add_session,
    add_token,
    add_user,
    by_session,
    by_token,
    now_us,
)
from tests.cloud.serve_world import World

PATH = "/api/v1/session"
PASSWORD = "correct horse"
DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def kept() -> str:
    return passwords.hashed(PASSWORD)


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake", failures_per_minute_max=3)
    yield world
    world.close()


@pytest.fixture
def ann(world, kept):
    return add_user(world.registry, "ann", Role.OPERATOR, kept)


def sign_in(world: World, password: str = PASSWORD, name: str = "ann", **headers: str):
    said = {"name": name, "password": password}
    return world.client.post(PATH, json=said, headers=headers)


def test_who_asks_is_told_whatever_the_way(world):
    opened = {"sign_in": False, "way": "open", "name": None, "role": "admin", "expires": None}
    assert world.get(PATH) == opened
    world.ahead_s += STALE_S
    people = People(world)
    nobody = {"sign_in": True, "way": "nobody", "name": None, "role": None, "expires": None}
    assert world.get(PATH) == nobody
    told = world.client.get(PATH, headers=by_session(people.sessions[Role.VIEWER])).json()
    assert (told["way"], told["name"], told["role"]) == ("session", "viewer", "viewer")
    told = world.client.get(PATH, headers=by_token(people.tokens[Role.ADMIN])).json()
    assert (told["way"], told["name"], told["role"]) == ("token", "t-admin", "admin")
    assert told["expires"] > now_us()


def test_a_password_gives_a_session_until_it_is_signed_out(world, ann):
    answer = sign_in(world, name=" Ann ")
    assert (answer.status_code, answer.json()["role"]) == (201, "operator")
    assert world.client.get("/api/v1/status").status_code == 200
    secret = world.client.cookies[COOKIE]
    assert world.registry.sessions()[0].digest != secret.encode()
    assert secret not in world.registry_path.read_bytes().decode(errors="replace")
    gone = world.client.delete(PATH, headers={OWN_HEADER: "page"})
    assert (gone.status_code, gone.json()["role"]) == (200, None)
    assert world.client.cookies.get(COOKIE) is None
    assert world.client.get("/api/v1/status", headers=by_session(secret)).status_code == 401
    assert [row["action"] for row in world.registry.audit_rows(2)] == ["sign out", "sign in"]


@pytest.mark.parametrize("name", ["next", "return_to", "url", "redirect_uri"])
def test_signing_in_leads_nowhere_that_somebody_named(world, ann, name):
    away = "https://evil.example/"
    said = {"name": "ann", "password": PASSWORD}
    assert world.client.post(PATH, json=said | {name: away}).status_code == 400
    answer = world.client.post(f"{PATH}?{name}={away}", json=said, follow_redirects=False)
    assert answer.status_code in (201, 400)
    assert not any(away in f"{key}: {value}" for key, value in answer.headers.items())
    assert away not in answer.text


def test_the_cookie_is_for_this_server_alone_and_no_script(world, ann):
    told = sign_in(world).headers["set-cookie"].lower()
    name, *attributes = [part.strip() for part in told.split(";")]
    assert name.startswith(f"{COOKIE}=")
    assert {"httponly", "samesite=strict", "path=/", "max-age=1209600"} <= set(attributes)
    assert not any(each.startswith("domain") for each in attributes)


def test_over_tls_the_cookie_is_the_hosts_own_and_secure(world, ann):
    world.client.base_url = "https://localhost:8460"
    told = sign_in(world).headers["set-cookie"]
    assert told.startswith("__Host-tidegate-session=")
    assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in told.split(";")}
    assert world.client.get("/api/v1/status").status_code == 200


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(world, ann, monkeypatch):
    hashed = []
    right = passwords.is_right

    def is_right(password: str, kept: str) -> bool:
        hashed.append(kept.rpartition("$")[0].rpartition("$")[0])
        return right(password, kept)

    monkeypatch.setattr(passwords, "is_right", is_right)
    wrong, unknown = sign_in(world, "wrong horse"), sign_in(world, name="bob")
    assert (wrong.status_code, wrong.content) == (unknown.status_code, unknown.content)
    assert wrong.json()["error"]["code"] == "wrong"
    assert "set-cookie" not in wrong.headers
    assert hashed[0] == hashed[1], "the same work for both"


def test_no_refusal_tells_a_password_back(world, ann):
    for said in ({"name": "ann", "password": "secret horse" * 99}, {"password": "secret horse"}):
        answer = world.client.post(PATH, json=said)
        assert answer.status_code in (400, 401)
        assert "secret" not in answer.text


def test_a_name_and_an_address_wait_out_their_minute(world, ann):
    for _ in range(3):
        assert sign_in(world, "wrong horse").status_code == 401
    waiting = sign_in(world)
    assert (waiting.status_code, waiting.json()["error"]["code"]) == (429, "too_many_attempts")
    assert sign_in(world, name="another").status_code == 429, "the address waits too"


def test_a_name_waits_from_wherever_it_is_tried(tmp_path, kept):
    world = World(tmp_path / "lake", failures_per_minute_max=2, behind=["127.0.0.0/8"], hosts=None)
    world.client._transport.app = _from("127.0.0.1", world.app)
    add_user(world.registry, "ann", Role.OPERATOR, kept)
    add_user(world.registry, "bob", Role.OPERATOR, kept)
    try:
        far = [{"x-forwarded-for": f"10.0.0.{n}", "x-forwarded-proto": "https"} for n in range(4)]
        assert [sign_in(world, "wrong", **each).status_code for each in far] == [401, 401, 429, 429]
        assert sign_in(world, **far[0], name="bob").status_code == 201, "others do not wait"
    finally:
        world.close()


def _from(host: str, app):
    async def asked(scope, receive, send) -> None:
        await app(dict(scope, client=(host, 5)), receive, send)

    return asked


def test_right_passwords_are_no_refusals(world, ann):
    assert [sign_in(world, **{OWN_HEADER: "page"}).status_code for _ in range(4)] == [201] * 4


def test_a_session_ends_when_it_is_idle_or_old(world, ann):
    now = now_us()
    idle = add_session(world.registry, ann, seen_us=now - DAY_US // 2 - 1)
    lively = add_session(world.registry, ann, created_us=now - 13 * DAY_US)
    old = add_session(world.registry, ann, created_us=now - 14 * DAY_US - 1)
    status = [
        world.client.get("/api/v1/status", headers=by_session(each)).status_code
        for each in (idle, lively, old)
    ]
    assert status == [401, 200, 401]
    assert sign_in(world).status_code == 201
    assert len(world.registry.sessions()) == 2, "those that ended are forgotten"


def test_who_uses_a_session_keeps_it_and_it_is_written_down_seldom(world, ann):
    seen = now_us() - DAY_US // 4
    secret = add_session(world.registry, ann, seen_us=seen)
    for _ in range(3):
        assert world.client.get("/api/v1/status", headers=by_session(secret)).status_code == 200
        world.ahead_s += STALE_S
    (session,) = world.registry.sessions()
    assert session.seen_us > seen + DAY_US // 4 - 60_000_000


def test_another_password_or_role_ends_the_sessions_before_it(world, ann, kept):
    secret = add_session(world.registry, ann)
    assert world.client.get("/api/v1/status", headers=by_session(secret)).status_code == 200
    world.registry.change_user(ann, "a test", "password")
    world.ahead_s += STALE_S
    assert world.client.get("/api/v1/status", headers=by_session(secret)).status_code == 401


def test_a_user_has_so_many_sessions_at_most(world, ann):
    secrets = [add_session(world.registry, ann) for _ in range(SESSIONS_OF_USER_MAX + 1)]
    status = [
        world.client.get("/api/v1/status", headers=by_session(each)).status_code
        for each in (secrets[0], secrets[1], secrets[-1])
    ]
    assert status == [401, 200, 200]


def test_a_hash_of_other_parameters_is_made_anew_at_the_next_sign_in(world, monkeypatch):
    monkeypatch.setattr(passwords, "PASSES", 1)
    old = passwords.hashed(PASSWORD)
    monkeypatch.undo()
    add_user(world.registry, "ann", Role.VIEWER, old)
    assert sign_in(world).status_code == 201
    (user,) = world.registry.users()
    assert not passwords.is_outdated(user.password)
    assert passwords.is_right(PASSWORD, user.password)


def test_where_no_user_is_set_up_nobody_signs_in(world):
    error = sign_in(world).json()["error"]
    assert error["code"] == "no_users"
    assert "tidegate-cloud user add" in error["hint"]


def test_who_brings_a_token_signs_nobody_out(world, ann):
    secret = add_session(world.registry, ann)
    token = add_token(world.registry, "other", Role.VIEWER)
    headers = by_session(secret) | by_token(token)
    assert world.client.delete(PATH, headers=headers).json()["way"] == "token"
    assert world.client.get("/api/v1/status", headers=by_session(secret)).status_code == 200
