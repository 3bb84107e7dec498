"""`tidegate-edge` as an operator types it: what it makes, what it says, how it ends."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from edge.cli import NEEDS, PROGRAM, VERBS, console, group
from edge.config import FILE_NAME, load
from protos.console import Place
from protos.token import Token

BIN = Path(sys.executable).parent


def call(home: Path, *arguments: str) -> int:
    return console().call(["--home", str(home), *arguments])


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert call(tmp_path / "edge", "init", "--name", "pump-1") == 0
    capsys.readouterr()
    return tmp_path / "edge"


def test_init_makes_a_home_that_runs_with_every_default(home: Path) -> None:
    config = load(home)
    assert config.name == "pump-1"
    assert home.stat().st_mode & 0o777 == 0o700
    assert config.buffer_key_path.stat().st_mode & 0o777 == 0o600
    assert "\n# linger_ms_max = 250\n" in (home / FILE_NAME).read_text()


def test_init_says_what_comes_next_and_whether_the_broker_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(tmp_path, "init", "--broker", "mqtt://127.0.0.1:9") == 0
    told = capsys.readouterr().out
    assert "no broker there now (connection refused)" in told
    assert f"tidegate-cloud token create {load(tmp_path).name}" in told
    assert load(tmp_path).settings.broker.port == 9


def test_init_never_touches_what_is_there(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = (home / "keys" / "buffer.key").read_bytes()
    assert call(home, "init") == 2
    assert "there is one already" in capsys.readouterr().err
    (home / FILE_NAME).unlink()
    assert call(home, "init") == 0
    assert (home / "keys" / "buffer.key").read_bytes() == key


def test_init_makes_no_new_key_for_an_old_buffer(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / FILE_NAME).unlink()
    (home / "keys" / "buffer.key").unlink()
    (home / "buffer.db").touch()
    assert call(home, "init") == 2
    assert "bring the key back" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["--name", "a b"], "may hold letters, digits"),
        (["--broker", "tcp://x"], "expected mqtt://host"),
    ],
)
def test_init_refuses_what_cannot_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], cause: str
) -> None:
    assert call(tmp_path / "edge", "init", *arguments) == 2
    assert cause in capsys.readouterr().err
    assert not (tmp_path / "edge" / FILE_NAME).exists()


@pytest.mark.parametrize("verb", ["run", "status", "tap", "enroll"])
def test_a_verb_without_a_home_says_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    line = Token(bytes(8), bytes(32), "127.0.0.1:9", "pump-1", b"").line()
    arguments = [verb, line] if verb == "enroll" else [verb]
    assert call(tmp_path, *arguments) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 3
    assert f"tidegate-edge --home {tmp_path} init" in told


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_home_of_another_user_is_told_as_such(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.seteuid(65534)
    try:
        assert call(home, "init") == call(home, "status") == 2
    finally:
        os.seteuid(0)
    told = capsys.readouterr().err
    assert told.count("the home is another user's") == 2
    assert "sudo" in told


def test_status_without_an_agent_tells_what_the_files_tell(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(home, "status") == 0
    assert "no agent is running in this home" in capsys.readouterr().out
    assert call(home, "status", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["gateway"], told["running"]) == ("pump-1", False)
    assert told["cloud"]["enrolled"] is False


def test_the_home_may_stand_behind_the_verb_as_well(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console().call(["status", "--json", "--home", str(home)]) == 0
    assert json.loads(capsys.readouterr().out)["gateway"] == "pump-1"


def test_every_package_of_the_extra_is_known_by_its_module() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    extra = tomllib.loads(text)["project"]["optional-dependencies"]["edge"]
    names = {re.match(r"[a-z]+", one)[0] for one in extra}  # type: ignore[index]
    assert names == NEEDS.modules


def test_status_shows_a_broken_identity_instead_of_failing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "identity").mkdir()
    (home / "identity" / "cloud.toml").write_text("junk")
    assert call(home, "status") == 0
    assert "cloud.toml is damaged" in capsys.readouterr().out


def test_a_token_from_stdin_is_read_to_its_end(home: Path) -> None:
    runner = CliRunner()
    place = Place(home)
    token = Token(bytes(8), bytes(32), "127.0.0.1:9", "pump-1", b"not a certificate").line()
    done = runner.invoke(
        group, ["--home", str(home), "enroll", "-"], input=token[:80] + "\n" + token[80:], obj=place
    )
    assert "the token holds no certificate" in str(done.exception)


def test_a_refused_enrolment_renames_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(tmp_path, "init") == 0
    before = (tmp_path / FILE_NAME).read_text()
    token = Token(bytes(8), bytes(32), "127.0.0.1:9", "well-7", b"").line()
    capsys.readouterr()
    assert call(tmp_path, "enroll", token) == 2
    told = capsys.readouterr()
    assert "could not enrol the gateway 'well-7'" in told.err
    assert "now called" not in told.out + told.err
    assert (tmp_path / FILE_NAME).read_text() == before


def test_a_chosen_name_stays(home: Path) -> None:
    token = Token(bytes(8), bytes(32), "127.0.0.1:9", "well-7", b"").line()
    assert call(home, "enroll", token) == 2
    assert load(home).name == "pump-1"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    done = CliRunner().invoke(group, [verb, "--help"], obj=Place(Path("/nowhere")))
    assert done.exit_code == 0
    assert done.output.startswith("Usage:")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert console().call(["completion", shell]) == 0
    assert "_TIDEGATE_EDGE_COMPLETE" in capsys.readouterr().out


def test_a_shell_completes_every_verb_from_its_beginning() -> None:
    for typed, wanted in (("doc", {"doctor"}), ("d", {"decode", "discover", "doctor"})):
        asked = ShellComplete(group, {}, PROGRAM, "_TIDEGATE_EDGE_COMPLETE")
        found = {item.value for item in asked.get_completions([], typed)}
        assert found == wanted
    options = ShellComplete(group, {}, PROGRAM, "").get_completions(["doctor"], "--")
    assert {item.value for item in options} >= {"--json", "--help"}


def test_the_installed_command_ends_with_one_message_and_its_code(tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / PROGRAM, "run"],
        env=os.environ | {"TIDEGATE_EDGE_HOME": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"tidegate-edge: could not read the settings in {tmp_path}/none/edge.toml\n"
        "  cause: there is no such file\n"
        f"  to do: run `tidegate-edge --home {tmp_path}/none init`, "
        "or name another home with --home\n"
    )


def test_help_and_settings_do_not_wait_for_heavy_parts(tmp_path: Path) -> None:
    code = (
        "import sys; from edge.cli import console; console().call(['--help']);"
        f"console().call(['--home', {str(tmp_path)!r}, 'run']);"
        "heavy = {'grpc', 'numpy', 'onnxruntime', 'apsw', 'paho', 'sqlite_utils'};"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
