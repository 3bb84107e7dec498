"""`tidegate-cloud user` and `api-token`: kept as hashes, told once, refused with the way out."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cloud.access.password import is_right
from cloud.access.people import TOKENS_MAX, ApiToken, Session
from cloud.access.role import Role
from cloud.access.secret import TOKEN_MARK, digest
from cloud.cli import console
from cloud.registry.registry import Registry

Capture = pytest.CaptureFixture[str]
PASSWORD = "correct horse"


def call(home: Path, *arguments: str) -> int:
    return console().call(["--home", str(home), *arguments])


@pytest.fixture
def home(tmp_path: Path, capsys: Capture) -> Path:
    assert call(tmp_path / "cloud", "init") == 0
    (tmp_path / "password").write_text(f"{PASSWORD}\nnot this line\n")
    capsys.readouterr()
    return tmp_path / "cloud"


@pytest.fixture
def registry(home: Path):
    registry = Registry.open(home / "registry.db")
    yield registry
    registry.close()


def add(home: Path, name: str = "ann", role: str = "admin", *more: str) -> int:
    file = str(home.parent / "password")
    return call(home, "user", "add", name, "--role", role, "--password-file", file, *more)


def told(capsys: Capture) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_a_user_is_added_listed_changed_and_removed(home, registry, capsys):
    assert add(home) == 0
    assert "everybody has to sign in" in told(capsys)
    (user,) = registry.users()
    assert (user.name, user.role) == ("ann", Role.ADMIN)
    assert is_right(PASSWORD, user.password)
    assert PASSWORD not in (home / "registry.db").read_bytes().decode(errors="replace")
    assert call(home, "user", "list", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["role"], row["signed_in"]) == ("ann", "admin", None)
    assert call(home, "user", "role", "ann", "viewer") == 0
    assert registry.users()[0].role is Role.VIEWER
    (home.parent / "password").write_text("another horse")
    file = str(home.parent / "password")
    assert call(home, "user", "password", "ann", "--password-file", file) == 0
    assert is_right("another horse", registry.users()[0].password)
    assert call(home, "user", "list") == 0
    assert "viewer" in told(capsys)
    assert call(home, "user", "remove", "ann") == 0
    assert "lets nobody sign in" in told(capsys)
    assert registry.users() == []
    actions = [(row["action"], row["outcome"]) for row in registry.audit_rows(9)]
    assert actions[:4] == [
        ("user remove", "removed"), ("user change", "password"),
        ("user change", "viewer"), ("user add", "admin"),
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["password", "role", "remove"])
def test_what_changes_a_user_ends_the_sessions(home, registry, how):
    assert add(home) == 0
    (user,) = registry.users()
    assert registry.add_session(Session(b"x" * 32, "ann", 1, 1, ""), user, (0, 0))
    file = ["--password-file", str(home.parent / "password")] if how == "password" else []
    assert call(home, "user", how, "ann", *(["viewer"] if how == "role" else file)) == 0
    assert registry.sessions() == []


@pytest.mark.parametrize(
    ("name", "password", "cause"),
    [
        ("Ann", PASSWORD, "small letters"),
        ("-ann", PASSWORD, "No such option"),
        ("a" * 65, PASSWORD, "64 are allowed"),
        ("ann", "short", "10 to 256"),
        ("ann", "", "10 to 256"),
        ("annabell-9", "annabell-9", "user's name"),
    ],
)
def test_a_name_or_password_that_cannot_be_is_refused(
    home, registry, capsys, name, password, cause
):
    (home.parent / "password").write_text(password)
    assert add(home, name) == 2
    said = told(capsys)
    assert cause in said
    assert not password or password == name or password not in said
    assert registry.users() == []


def test_a_name_that_there_is_and_one_that_there_is_not_are_told(home, capsys):
    assert add(home) == 0
    assert add(home) == 2
    assert "there is one of that name" in told(capsys)
    assert call(home, "user", "remove", "anne") == 2
    assert "did you mean ann?" in told(capsys)
    assert call(home, "user", "role", "ann", "root") == 2
    assert "'viewer', 'operator', 'admin'" in told(capsys)


def test_a_password_is_no_argument_and_nobody_is_asked_where_nobody_is(home, capsys):
    assert call(home, "user", "add", "ann", "--role", "admin", "--password", "x") == 2
    assert call(home, "user", "add", "ann", "--role", "admin") == 2
    assert "--password-file" in told(capsys)
    file = str(home.parent / "absent")
    assert call(home, "user", "add", "ann", "--role", "admin", "--password-file", file) == 2
    assert "absent" in told(capsys)


def test_in_a_terminal_the_password_is_asked_for_twice_and_not_shown(home, registry):
    ours, theirs = pty.openpty()
    words = ["-m", "cloud", "--home", str(home), "user", "add", "ann", "--role", "admin"]
    program = "from cloud.cli import main; main()"
    command = [sys.executable, "-c", program, *words[2:]]
    # A session of its own, whose terminal this is: passwords are asked for there.
    running = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    for prompt in (b"password: ", b"once more: "):
        while prompt not in shown:
            shown += os.read(ours, 1024)
        os.write(ours, f"{PASSWORD}\n".encode())
    assert running.wait(60) == 0
    assert PASSWORD.encode() not in shown
    assert is_right(PASSWORD, registry.users()[0].password)
    os.close(ours)


def test_a_token_is_told_once_and_kept_as_a_hash(home, registry, capsys):
    assert call(home, "api-token", "create", "grafana", "--ttl", "7d") == 0
    captured = capsys.readouterr()
    secret = captured.out.strip()
    assert secret.startswith(TOKEN_MARK)
    (token,) = registry.api_tokens()
    assert (token.digest, token.role) == (digest(secret), Role.VIEWER)
    assert token.expires_us - token.created_us == 7 * 86_400_000_000
    assert secret not in (home / "registry.db").read_bytes().decode(errors="replace")
    assert call(home, "api-token", "list") == 0
    assert secret not in told(capsys)
    assert call(home, "api-token", "revoke", "grafana") == 0
    assert registry.api_tokens()[0].revoked_us is not None
    assert call(home, "api-token", "revoke", "grafana") == 2
    capsys.readouterr()
    assert call(home, "api-token", "list", "--all", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["state"], row["role"], row["used"]) == ("revoked", "viewer", None)


def test_a_name_of_a_token_may_be_used_again_once_it_serves_no_more(home, capsys):
    create = ("api-token", "create", "grafana", "--role", "operator", "--json")
    assert call(home, *create) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["role"], made["token"][:4]) == ("operator", TOKEN_MARK)
    assert call(home, *create) == 2
    assert "still serves" in told(capsys)
    assert call(home, "api-token", "revoke", made["id"], "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["state"] == "revoked"
    assert call(home, *create) == 0


@pytest.mark.parametrize("ttl", ["0s", "4000d", "soon", "-1d"])
def test_a_token_lasts_ten_years_at_most(home, registry, ttl):
    assert call(home, "api-token", "create", "x", "--ttl", ttl) == 2
    assert registry.api_tokens() == []


def test_there_are_so_many_tokens_at_most(home, registry, capsys):
    far = 1 << 60
    with registry.transaction():
        for n in range(TOKENS_MAX):
            token = ApiToken(f"{n}", f"t{n}", Role.VIEWER, b"%d" % n, 1, far)
            registry.add_api_token(token, "a test")
    assert call(home, "api-token", "create", "another") == 2
    assert "revoke one first" in told(capsys)
