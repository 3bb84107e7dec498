"""`tidegate-cloud` as an operator types it: what it makes, what it says, how it ends."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from cloud.cli import NEEDS, PROGRAM, VERBS, console, group
from cloud.config import load
from cloud.registry.registry import CertificateRow, Registry
from protos.console import Place
from protos.token import read_token

BIN = Path(sys.executable).parent
Capture = pytest.CaptureFixture[str]


def call(home: Path, *arguments: str) -> int:
    return console().call(["--home", str(home), *arguments])


@pytest.fixture
def home(tmp_path: Path, capsys: Capture) -> Path:
    assert call(tmp_path / "cloud", "init") == 0
    capsys.readouterr()
    return tmp_path / "cloud"


def enrol(home: Path, name: str) -> None:
    registry = Registry.open(load(home).registry_path)
    (token,) = [row for row in registry.tokens() if row.gateway == name]
    row = CertificateRow(f"5e{name}".encode().hex(), name, "k", b"", 1, 4_102_444_800_000_000)
    registry.grant(token, row)
    registry.close()


def test_init_opens_nothing_beyond_loopback_unless_told(home: Path, capsys: Capture) -> None:
    assert load(home).settings.listen.sync == "127.0.0.1:8461"
    other = home.parent / "open"
    assert call(other, "init", "--host", "cloud.example", "--host", "10.0.0.7") == 0
    assert "gateways enrol at cloud.example:8462" in capsys.readouterr().out
    listen = load(other).settings.listen
    assert (listen.sync, listen.enrol, listen.http) == (
        "0.0.0.0:8461", "0.0.0.0:8462", "127.0.0.1:8460")  # fmt: skip
    assert listen.hosts == ["cloud.example", "10.0.0.7"]


def test_init_closes_a_home_that_others_may_read(tmp_path: Path, capsys: Capture) -> None:
    home = tmp_path / "open"
    home.mkdir()
    home.chmod(0o755)
    assert call(home, "init") == 0
    assert home.stat().st_mode & 0o777 == 0o700
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    capsys.readouterr()
    assert call(shared, "init") == 2
    assert "for everyone" in capsys.readouterr().err


def test_init_never_replaces_an_authority(home: Path, capsys: Capture) -> None:
    before = (home / "ca" / "ca.key").read_bytes()
    assert call(home, "init") == 2
    assert "there is one already" in capsys.readouterr().err
    (home / "cloud.toml").unlink()
    assert call(home, "init") == 0
    assert (home / "ca" / "ca.key").read_bytes() == before


def test_init_refuses_a_host_that_no_certificate_can_carry(tmp_path: Path, capsys: Capture) -> None:
    assert call(tmp_path / "cloud", "init", "--host", "a b") == 2
    assert "neither a DNS name nor an address" in capsys.readouterr().err
    assert not (tmp_path / "cloud" / "cloud.toml").exists()


@pytest.mark.parametrize(
    "arguments",
    [["serve"], ["token", "list"], ["gateways"], ["query", "x"], ["token", "create", "x"]],
)
def test_a_verb_without_a_home_says_to_make_one(
    tmp_path: Path, capsys: Capture, arguments: list[str]
) -> None:
    assert call(tmp_path, *arguments) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 3
    assert f"tidegate-cloud --home {tmp_path} init" in told


def test_a_token_is_alone_on_stdout_and_works(home: Path, capsys: Capture) -> None:
    assert call(home, "token", "create", "pump", "--ttl", "30m") == 0
    printed = capsys.readouterr()
    token = read_token(printed.out)
    assert printed.out.count("\n") == 1
    assert "for the gateway pump, once, until " in printed.err
    assert (token.gateway, token.address) == ("pump", "localhost:8462")
    assert call(home, "token", "list") == 0
    listed = capsys.readouterr().out
    assert token.id.hex() in listed
    assert "good until" in listed


def test_the_home_may_stand_behind_the_verb_as_well(home: Path, capsys: Capture) -> None:
    assert console().call(["token", "create", "pump", "--home", str(home)]) == 0
    assert console().call(["gateways", "--json", "--home", str(home)]) == 0
    assert "[]" in capsys.readouterr().out
    assert console().call(["token", "--home", str(home), "list"]) == 0
    assert "good until" in capsys.readouterr().out


def test_every_package_of_the_extra_is_known_by_its_module() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    extra = tomllib.loads(text)["project"]["optional-dependencies"]["cloud"]
    names = {re.match(r"[a-z]+", one)[0] for one in extra}  # type: ignore[index]
    assert names == NEEDS.modules


def test_tokens_are_revoked_once(home: Path, capsys: Capture) -> None:
    assert call(home, "token", "create", "pump") == 0
    assert call(home, "token", "revoke", "pump") == 0
    capsys.readouterr()
    assert call(home, "token", "list") == 0
    assert "revoked" in capsys.readouterr().out
    assert call(home, "token", "revoke", "pump") == 2
    assert "none is unused" in capsys.readouterr().err


@pytest.mark.parametrize("ttl", ["0s", "", "1", "-1h", "1y", "31d", "999999999d"])
def test_a_token_lasts_a_while_and_not_for_ever(home: Path, ttl: str, capsys: Capture) -> None:
    assert call(home, "token", "create", "pump", "--ttl", ttl) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_gateways_are_listed_and_revoked(home: Path, capsys: Capture) -> None:
    assert call(home, "gateways") == 0
    assert "no gateway is enrolled yet" in capsys.readouterr().err
    assert call(home, "token", "create", "pump") == 0
    enrol(home, "pump")
    capsys.readouterr()
    assert call(home, "gateways") == 0
    assert "certificate until 1972-01-01, past its life by" in capsys.readouterr().out
    assert call(home, "gateways", "--json") == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["pump"]
    assert call(home, "gateways", "renew", "pump") == 0
    assert "as soon as it is connected" in capsys.readouterr().out
    assert call(home, "gateways") == 0
    assert "renewal asked for" in capsys.readouterr().out
    assert call(home, "gateways", "renew", "fan") == 2
    assert "it has no certificate here" in capsys.readouterr().err
    assert call(home, "gateways", "revoke", "pump", "--why", "stolen") == 0
    capsys.readouterr()
    assert call(home, "gateways") == 0
    assert "REVOKED" in capsys.readouterr().out
    assert call(home, "gateways", "revoke", "fan") == 2
    actions = [row["action"] for row in Registry.open(home / "registry.db").audit_rows()]
    assert actions == ["gateway revoke", "gateway renew", "token create"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    done = CliRunner().invoke(group, [verb, "--help"], obj=Place(Path("/nowhere")))
    assert done.exit_code == 0
    assert done.output.startswith("Usage:")


def test_the_installed_command_ends_with_one_message_and_its_code(tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / PROGRAM, "--home", tmp_path, "serve"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tidegate-cloud: could not read the settings in {tmp_path}/")
    assert "Traceback" not in done.stderr


def test_what_the_installed_command_writes_is_its_owners_alone(tmp_path: Path) -> None:
    home = tmp_path / "cloud"
    program = str(BIN / "tidegate-cloud")
    subprocess.run([program, "--home", str(home), "init"], check=True, umask=0o022)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (home, *home.rglob("*")))
