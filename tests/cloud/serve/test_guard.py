"""Tokens, sessions, foreign pages, paths, bodies: what may pass where people must sign in."""

import asyncio
from pathlib import Path
from urllib.parse import unquote

import pytest

from cloud.access.access import STALE_S
from cloud.access.role import Role
from cloud.serve.body import BYTES_MAX
from cloud.serve.guard import COOKIE, OWN_HEADER, SECURE_COOKIE
from tests.cloud.lake_world import T0
from tests.cloud.serve.signed_world import (
    HOUR_US,
    People,
    add_token,
    add_user,
    by_session,
    by_token,
    now_us,
)
from tests.cloud.serve_world import World


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    world.fill()
    yield world
    world.close()


@pytest.fixture
def people(world) -> People:
    return People(world)


def code(world: World, method: str, path: str, headers: dict[str, str], **more) -> str:
    answer = world.client.request(method, path, headers=headers, **more)
    return answer.json()["error"]["code"] if answer.status_code >= 400 else "ok"


def mark() -> dict[str, object]:
    return {"kind": "bad", "from": T0, "to": T0 + 9, "gateway": "gw-1", "author": "mallory"}


def test_without_users_everybody_on_this_machine_may_do_everything(world):
    assert code(world, "GET", "/api/v1/status", {}) == "ok"
    assert code(world, "POST", "/api/v1/marks", {}, json=mark()) == "ok"
    assert code(world, "GET", "/api/v1/status", by_session("stale")) == "ok"
    assert code(world, "GET", "/api/v1/status", by_token("tga-none")) == "not_signed_in"


def test_with_the_first_user_nobody_comes_in_unasked_within_a_second(world):
    assert code(world, "GET", "/api/v1/status", {}) == "ok"
    add_user(world.registry, "ann", Role.ADMIN)
    world.ahead_s += STALE_S
    assert code(world, "GET", "/api/v1/status", {}) == "not_signed_in"


def test_who_writes_is_named_by_the_sign_in_and_not_by_what_they_say(world, people):
    for headers, author in (
        (by_session(people.sessions[Role.OPERATOR]), "operator"),
        (by_token(people.tokens[Role.ADMIN]), "t-admin"),
    ):
        made = world.client.post("/api/v1/marks", json=mark(), headers=headers).json()
        assert made["author"] == author
        gone = world.client.delete(f"/api/v1/marks/{made['id']}?author=eve", headers=headers)
        assert gone.json()["withdrawn_by"] == author


def test_a_command_in_the_clouds_own_home_says_itself_who_writes(world, people):
    local = add_token(world.registry, "local", Role.ADMIN, local=True)
    made = world.client.post("/api/v1/marks", json=mark(), headers=by_token(local)).json()
    assert made["author"] == "mallory"


@pytest.mark.parametrize(
    "given",
    ["Basic YTpi", "Bearer", "Bearer ", "Bearer x", "Bearer tga-x y", "Bearer " + "x" * 9999],
)
def test_what_is_no_token_opens_nothing_even_beside_a_good_session(world, people, given):
    headers = by_session(people.sessions[Role.ADMIN]) | {"authorization": given}
    answer = world.client.get("/api/v1/status", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_an_expired_and_a_revoked_token_open_nothing(world, people):
    late = add_token(world.registry, "late", Role.ADMIN, expires_us=now_us() - 1)
    gone = add_token(world.registry, "gone", Role.ADMIN, revoked_us=now_us() - HOUR_US)
    for secret in (late, gone):
        assert code(world, "GET", "/api/v1/status", by_token(secret)) == "not_signed_in"


def test_a_token_revoked_by_another_process_serves_a_second_at_most(world, people):
    headers = by_token(people.tokens[Role.VIEWER])
    assert code(world, "GET", "/api/v1/status", headers) == "ok"
    (token,) = [one for one in world.registry.api_tokens() if one.name == "t-viewer"]
    world.registry.revoke_api_tokens([token], "a test", now_us())
    world.ahead_s += STALE_S
    assert code(world, "GET", "/api/v1/status", headers) == "not_signed_in"


def test_a_token_made_by_another_process_serves_at_once(world, people):
    assert code(world, "GET", "/api/v1/status", by_token(people.tokens[Role.VIEWER])) == "ok"
    secret = add_token(world.registry, "new", Role.VIEWER)
    assert code(world, "GET", "/api/v1/status", by_token(secret)) == "ok"


def test_a_registry_that_cannot_be_read_lets_nobody_in(world, people):
    headers = by_token(people.tokens[Role.ADMIN])
    assert code(world, "GET", "/api/v1/status", headers) == "ok"
    world.registry_path.write_bytes(b"no registry " * 4096)
    world.ahead_s += STALE_S
    assert code(world, "GET", "/api/v1/status", headers) == "storage"


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, "ok"),
        ({"origin": "http://localhost:8460", "sec-fetch-site": "same-origin"}, "ok"),
        ({"origin": "http://evil.example"}, "foreign_origin"),
        ({"origin": "null"}, "foreign_origin"),
        ({"origin": "http://localhost:9999"}, "foreign_origin"),
        ({"sec-fetch-site": "cross-site"}, "foreign_origin"),
        ({"sec-fetch-site": "same-site"}, "foreign_origin"),
    ],
)
def test_a_page_of_another_site_writes_nothing_with_somebodys_session(world, people, headers, told):
    own = by_session(people.sessions[Role.OPERATOR])
    assert code(world, "POST", "/api/v1/marks", own | headers, json=mark()) == told
    if told != "ok":
        signing_in = {"name": "operator", "password": "x"}
        assert code(world, "POST", "/api/v1/session", headers, json=signing_in) == told


@pytest.mark.parametrize(
    "form",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", ""],
)
def test_a_session_writes_nothing_that_a_form_could_have_sent(world, people, form):
    headers = by_session(people.sessions[Role.OPERATOR]) | {"content-type": form}
    headers.pop(OWN_HEADER)
    said = '{"kind": "bad"}'
    assert code(world, "POST", "/api/v1/marks", headers, content=said) == "no_own_header"
    assert code(world, "POST", "/api/v1/session", headers, content=said) == "no_own_header"
    assert code(world, "DELETE", "/api/v1/session", headers) == "no_own_header"
    assert code(world, "GET", "/api/v1/marks", headers) == "ok"
    own = headers | {OWN_HEADER: "page"}
    assert code(world, "POST", "/api/v1/marks", own, content=said) == "not_json"


def test_a_cookie_under_another_name_is_none(world, people):
    secret = people.sessions[Role.ADMIN]
    for name in (SECURE_COOKIE, "tidegate", COOKIE.upper()):
        headers = {"cookie": f"{name}={secret}"}
        assert code(world, "GET", "/api/v1/status", headers) == "not_signed_in"


def test_every_refusal_forbids_to_be_framed(world, people):
    for path in ("/api/v1/status", "/api/v1/none", "/assets/../index.html", "/"):
        headers = world.client.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/status/", "//api/v1/status", "/api//v1/status", "/API/v1/status",
        "/api/v1/%73tatus", "/api/v1/./status", "/api/v1/x/../status", "/assets/..%2f..%2fsecret",
        "/assets/../../secret", "/..%2fsecret", "/%2e%2e/secret", "/healthz%0a", "/healthz/..",
        "/api/v1/session/../status", "/api/v1/status%00", "/secret", "/build.json",
    ],
)  # fmt: skip
def test_no_spelling_of_a_path_leads_past_the_table(tmp_path, path):
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    for name in ("index.html", "build.json", "assets/a.js"):
        (dist / name).write_text("page")
    (tmp_path / "secret").write_text("secret")
    world = World(tmp_path / "lake", dist)
    try:
        People(world)
        assert world.client.get("/assets/a.js").text == "page"

        async def asked(scope, receive, send) -> None:
            # As it was sent: the client of the tests would put it right before.
            await world.app(dict(scope, path=unquote(path), raw_path=path.encode()), receive, send)

        world.client._transport.app = asked
        answer = world.client.get("/")
        assert answer.status_code == 401, answer.text
    finally:
        world.close()


def test_a_body_that_is_too_large_is_refused_before_it_is_read_whole(world, people):
    headers = by_session(people.sessions[Role.OPERATOR]) | {"content-type": "application/json"}
    body = b'{"note": "' + b"x" * BYTES_MAX + b'"}'
    assert code(world, "POST", "/api/v1/marks", headers, content=body) == "too_large"
    assert code(world, "POST", "/api/v1/session", headers, content=body) == "too_large"
    assert code(world, "POST", "/api/v1/marks", {}, content=body) == "not_signed_in"


async def test_a_body_that_comes_too_slowly_is_refused(world, monkeypatch):
    monkeypatch.setattr("cloud.serve.body.SECONDS_MAX", 0.05)
    add_user(world.registry, "ann", Role.ADMIN)
    sent, never = [], asyncio.Event()

    async def receive():
        await never.wait()

    async def send(message) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    await world.app(
        {
            "type": "http", "method": "POST", "path": "/api/v1/session", "query_string": b"",
            "headers": headers, "scheme": "http", "server": ("localhost", 80),
            "client": ("127.0.0.1", 1), "root_path": "", "http_version": "1.1",
            "raw_path": b"/api/v1/session", "asgi": {"version": "3.0"},
        },
        receive, send,
    )  # fmt: skip
    assert sent[0]["status"] == 408


async def test_a_stream_ends_when_its_session_does(world, people):
    headers = [(b"host", b"localhost")]
    headers += [
        (k.encode(), v.encode()) for k, v in by_session(people.sessions[Role.VIEWER]).items()
    ]
    pieces: asyncio.Queue[dict] = asyncio.Queue()
    gone = asyncio.Event()

    async def receive():
        await gone.wait()

    serving = asyncio.create_task(
        world.app(
            {
                "type": "http", "method": "GET", "path": "/api/v1/live", "query_string": b"",
                "headers": headers, "scheme": "http", "server": ("localhost", 80),
                "client": ("127.0.0.1", 1), "root_path": "", "http_version": "1.1",
                "raw_path": b"/api/v1/live", "asgi": {"spec_version": "2.4", "version": "3.0"},
            },
            receive, pieces.put,
        )
    )  # fmt: skip
    assert (await pieces.get())["status"] == 200
    assert (await pieces.get())["more_body"]
    user = people.users[Role.VIEWER]
    await asyncio.to_thread(world.registry.remove_user, user.name, "a test", now_us())
    await world.access.changed()
    world.gateway.send(world.gateway.numbers("pump", [T0 - 1], [1.5]))
    while world.live.advance():
        pass
    assert not (await asyncio.wait_for(pieces.get(), 20))["more_body"]
    await asyncio.wait_for(serving, 20)
    assert not world.live.feed._listeners


def test_the_fault_is_told_to_those_who_may_read(tmp_path):
    world = World(tmp_path / "lake", fault=lambda: "the disk of /srv is full")
    people = People(world)
    try:
        assert world.client.get("/healthz").json() == {"status": "fault"}
        told = world.client.get("/healthz", headers=by_token(people.tokens[Role.VIEWER])).json()
        assert told["fault"] == "the disk of /srv is full"
    finally:
        world.close()
