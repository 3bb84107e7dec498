"""What proxies say of whom they speak for is believed of those that are named, and of no other."""

from pathlib import Path

import pytest

from cloud.access.role import Role
from cloud.serve.forwarded import Forwarded
from cloud.serve.guard import is_private
from tests.cloud.serve.signed_world import add_token, add_user, by_token
from tests.cloud.serve_world import World

PROXY, OTHER = "10.0.0.2", "10.0.0.77"


async def told(peer: str, *headers: tuple[str, str], behind=(PROXY, "fd00::/8")) -> dict:
    """The request as the site sees it."""
    seen: list[dict] = []

    async def site(scope, receive, send) -> None:
        seen.append(scope)

    raw = [(name.encode(), value.encode()) for name, value in (("host", "inside"), *headers)]
    scope = {"type": "http", "scheme": "http", "client": (peer, 9), "headers": raw}
    await Forwarded(site, behind)(scope, None, None)
    return seen[0]


FOR, PROTO, HOST = "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"


@pytest.mark.parametrize("peer", [PROXY, "fd00::5", "::ffff:10.0.0.2"])
async def test_a_named_proxy_is_believed(peer):
    said = (FOR, "203.0.113.5"), (PROTO, "https"), (HOST, "tide.example:8443")
    scope = await told(peer, *said)
    assert (scope["client"][0], scope["scheme"]) == ("203.0.113.5", "https")
    assert [v for k, v in scope["headers"] if k == b"host"] == [b"tide.example:8443"]


@pytest.mark.parametrize("peer", [OTHER, "127.0.0.1", "::1", "testclient"])
async def test_anybody_else_is_not(peer):
    scope = await told(peer, (FOR, "127.0.0.1"), (PROTO, "https"), (HOST, "tide.example"))
    assert (scope["client"][0], scope["scheme"]) == (peer, "http")
    assert (b"host", b"inside") in scope["headers"]


async def test_what_a_caller_wrote_before_the_proxy_did_is_not_believed():
    scope = await told(PROXY, (FOR, "127.0.0.1, 203.0.113.5"), (PROTO, "https"), (PROTO, "http"))
    assert (scope["client"][0], scope["scheme"]) == ("203.0.113.5", "http")


async def test_a_chain_of_named_proxies_is_followed_to_its_caller():
    scope = await told(PROXY, (FOR, "203.0.113.5, 10.0.0.2"), (PROTO, "https"))
    assert scope["client"][0] == "203.0.113.5"


async def test_a_proxy_that_says_nothing_speaks_for_a_stranger_on_plain_http():
    scope = await told("127.0.0.1", behind=["127.0.0.1"])
    assert not is_private(scope)
    assert scope["client"][0] == "unknown"


@pytest.mark.parametrize("host", ["a b", "evil/", "x" * 256, "a:1:2", "", "[::1"])
async def test_a_name_that_is_none_is_left_out(host):
    assert (b"host", b"inside") in (await told(PROXY, (HOST, host)))["headers"]


@pytest.mark.parametrize(
    ("scheme", "client", "private"),
    [
        ("https", OTHER, True), ("http", OTHER, False), ("http", "127.0.0.1", True),
        ("http", "::1", True), ("http", "10.0.0.1", True), ("http", "", False),
    ],
)  # fmt: skip
def test_plain_http_is_private_on_this_machine_alone(scheme, client, private):
    scope = {"scheme": scheme, "client": (client, 1), "server": ("10.0.0.1", 8460)}
    assert is_private(scope) is private


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake", may_be_open=False, behind=[PROXY], hosts=None)
    add_user(world.registry, "ann", Role.ADMIN)
    yield world
    world.close()


def test_off_loopback_plain_http_is_refused_whoever_asks(world):
    headers = by_token(add_token(world.registry, "t", Role.ADMIN))
    for peer, said, code in (
        (OTHER, {}, "not_private"),
        (OTHER, {PROTO: "https"}, "not_private"),
        (PROXY, {FOR: "203.0.113.5"}, "not_private"),
        (PROXY, {FOR: "203.0.113.5", PROTO: "http"}, "not_private"),
        (PROXY, {FOR: "203.0.113.5", PROTO: "https"}, ""),
        ("127.0.0.1", {}, ""),
    ):

        async def asked(scope, receive, send, peer=peer) -> None:
            await world.app(dict(scope, client=(peer, 5)), receive, send)

        world.client._transport.app = asked
        answer = world.client.get("/api/v1/status", headers=headers | said)
        found = answer.json()["error"]["code"] if answer.status_code == 403 else ""
        assert found == code, (peer, said)


def test_where_others_can_ask_nothing_is_open_even_without_users(tmp_path):
    world = World(tmp_path / "lake", may_be_open=False)
    world.client.base_url = "https://localhost"
    try:
        assert world.client.get("/api/v1/status").status_code == 401
        said = {"name": "a", "password": "b"}
        assert world.client.post("/api/v1/session", json=said).status_code == 409
    finally:
        world.close()
