"""The command line in a cloud's own home is let in without a token being typed."""

import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.access.local import LIFE_US, local_token
from cloud.access.people import TOKENS_MAX
from cloud.access.role import Role
from cloud.access.secret import digest
from cloud.cli import console
from cloud.client.history import HistoryApi
from cloud.client.wire import TOKEN_VARIABLE, Wire
from cloud.config import load
from cloud.errors import OperatorError, PeerError, UnreachableError
from cloud.ingest.identity import Authority
from cloud.registry.registry import Registry
from tests.cloud.imports.import_home import new_home, serving
from tests.cloud.serve.signed_world import add_token, add_user, now_us


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return new_home(tmp_path / "cloud")


@pytest.fixture
def registry(home: Path):
    registry = Registry.open(home / "registry.db")
    yield registry
    registry.close()


def test_without_users_no_token_is_made(home, registry):
    assert local_token(home / "registry.db") == ""
    assert local_token(home / "absent.db") == ""
    assert not (home / "absent.db").exists()


def test_a_token_of_the_homes_owner_lasts_minutes_and_leaves_room(home, registry):
    add_user(registry, "ann", Role.ADMIN)
    add_token(registry, "old", Role.ADMIN, local=True, expires_us=1)
    with registry.transaction():
        for n in range(TOKENS_MAX):
            add_token(registry, f"{n}", Role.ADMIN, local=True)
    secret = local_token(home / "registry.db")
    tokens = registry.api_tokens()
    assert len(tokens) == TOKENS_MAX
    (own,) = [one for one in tokens if one.digest == digest(secret)]
    assert own.local
    assert own.expires_us - own.created_us == LIFE_US


def test_a_token_is_made_when_it_is_needed_and_again_when_it_is_refused():
    made = iter(["one", "two"])
    wire = Wire("localhost", 1, token=lambda: next(made))
    assert wire.headers() == wire.headers() == {"authorization": "Bearer one"}
    assert wire.headers(anew=True) == wire.headers() == {"authorization": "Bearer two"}
    assert "two" not in repr(wire)
    assert Wire("localhost", 1).headers() == {}


def refusal(api: HistoryApi) -> str:
    try:
        api.ledger()
    except PeerError as error:
        return error.cause
    return ""


def wait_for(told: Callable[[], str]) -> str:
    """What is told once it is anything; a running cloud knows within a second."""
    stop = now_us() + 30_000_000
    while not (found := told()) and now_us() < stop:
        pass
    return found


def test_a_cloud_with_users_is_asked_by_its_owner_and_by_nobody_else(
    home, registry, monkeypatch, capsys
):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    with serving(home) as api:
        assert api.ledger() == []
        add_user(registry, "ann", Role.ADMIN)
        assert HistoryApi.of(load(home)).ledger() == [], "a token that is new serves at once"
        assert console().call(["--home", str(home), "series", "list", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == []
        stranger = HistoryApi(*load(home).http_address)
        assert wait_for(lambda: refusal(stranger)) == "nobody is signed in"
        monkeypatch.setenv(TOKEN_VARIABLE, add_token(registry, "own", Role.VIEWER))
        assert HistoryApi.of(load(home)).ledger() == []
        monkeypatch.setenv(TOKEN_VARIABLE, "tga-wrong")
        with pytest.raises(PeerError, match="unknown, expired or revoked"):
            HistoryApi.of(load(home)).ledger()


def test_over_tls_of_its_own_authority_a_cloud_serves_whom_it_knows(home, registry, monkeypatch):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    add_user(registry, "ann", Role.ADMIN)
    path = home / "cloud.toml"
    host, port = load(home).http_address
    text = path.read_text().replace(f'http = "{host}:{port}"', f'http = "0.0.0.0:{port}"')
    text = text.replace("[http]\n", '[http]\ncertificate = "authority"\n')
    path.write_text(text)
    with serving(home) as api:
        assert api.ledger() == []
        trusting = ssl.create_default_context(cafile=home / "ca" / "ca.crt")
        with urllib.request.urlopen(f"https://localhost:{port}/healthz", context=trusting) as told:
            assert json.load(told) == {"status": "ok"}
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"https://localhost:{port}/api/v1/status", context=trusting)
        with pytest.raises(UnreachableError):
            HistoryApi("127.0.0.1", port).ledger()
        # No other certificate is trusted, not even one of the same authority.
        os.replace(home / "ca" / "server.crt", home / "ca" / "before.crt")
        Authority.load(home / "ca").server(("localhost",))
        with pytest.raises(UnreachableError, match="certificate verify failed"):
            HistoryApi.of(load(home)).ledger()


def test_behind_a_proxy_on_this_machine_a_cloud_serves_its_owner(home, registry, monkeypatch):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    add_user(registry, "ann", Role.ADMIN)
    path = home / "cloud.toml"
    path.write_text(path.read_text().replace("[http]\n", '[http]\nbehind = ["127.0.0.1"]\n'))
    with serving(home) as api:
        assert api.ledger() == []
        stranger = HistoryApi(*load(home).http_address)
        assert refusal(stranger) == "this is plain HTTP, which others can read"


def test_off_loopback_a_cloud_without_users_does_not_start(home, capsys):
    path = home / "cloud.toml"
    path.write_text(path.read_text().replace('http = "127.0.0.1:', 'http = "0.0.0.0:'))
    assert console().call(["--home", str(home), "serve"]) == 2
    assert "no user is set up" in capsys.readouterr().err


def test_a_certificate_that_is_not_there_is_told(home):
    path = home / "cloud.toml"
    path.write_text(
        path.read_text().replace("[http]\n", '[http]\ncertificate = "a.pem"\nkey = "b.pem"\n')
    )
    with pytest.raises(OperatorError, match=r"a\.pem"):
        HistoryApi.of(load(home))
