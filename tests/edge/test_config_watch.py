"""Watches and commands in the settings: what cannot work is refused, with the way out."""

from pathlib import Path

import pytest

from edge.cli import console
from edge.config import load
from edge.config_watch import COMMANDS_MAX, WATCHES_MAX
from edge.errors import OperatorError

HEAD = '[gateway]\nname = "hut"\n'
WATCH = '[watch.hot]\nwhen = "above"\nlimit = 80.0\n'
COMMAND = '[command.valve]\ntopic = "actuators/valve"\nopen = "shut"\n'
IGNORED = '[ingest]\nignore = ["actuators/#"]\n'
BROKERS = '[brokers.plant]\nurl = "mqtt://10.0.0.9"\ntopics = ["line/#"]\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def refusal(home: Path, text: str) -> OperatorError:
    (home / "edge.toml").write_text(HEAD + text)
    with pytest.raises(OperatorError) as found:
        load(home)
    assert str(home / "edge.toml") in found.value.tried
    return found.value


@pytest.mark.parametrize(
    ("text", "key", "way_out"),
    [
        ('[watch.hot]\nwhen = "abov"\nlimit = 1\n', "watch.hot.when", 'did you mean "above"?'),
        ('[watch.hot]\nwhen = "above"\n', "watch.hot.limit", "add it: a number"),
        (WATCH + "hysteresis = 2.0\n", "watch.hot.hysteresis", "[watch.hot] knows"),
        (WATCH + "bak = 2.0\n", "watch.hot.bak", "did you mean `watch.hot.back`?"),
        (WATCH + "over_s = 5.0\n", "watch.hot.over_s", "remove it"),
        (WATCH + 'of = "device"\n', "watch.hot.of", "remove it"),
        ('[watch.hot]\nwhen = "above"\nlimit = inf\n', "watch.hot.limit", "write a number"),
        ('[watch.x]\nwhen = "rises"\nlimit = 0.0\n', "watch.x.limit", "above 0"),
        ('[watch.x]\nwhen = "falls"\nlimit = 2\nback = 2\n', "watch.x.back", "less than limit"),
        ('[watch.x]\nwhen = "silent"\nlimit = 0\n', "watch.x.limit", "cadences"),
        (WATCH + 'command = "valv"\n' + COMMAND + IGNORED, "watch.hot.command", '"valve"?'),
        (WATCH + 'command = "valve"\n', "watch.hot.command", "no [command.NAME]"),
        ('[watches.hot]\nwhen = "above"\n', "watches", "did you mean [watch.NAME]?"),
        ('[watch."Hot!"]\nwhen = "above"\nlimit = 1\n', "watch.Hot!", "choose another name"),
        (COMMAND, "command.valve.topic", 'add "actuators/valve" to `ingest.ignore`'),
        (
            COMMAND.replace("valve\"\n", "{device}/set\"\n"),
            "command.valve.topic",
            'add "actuators/#" to `ingest.ignore`',
        ),
        (COMMAND.replace("actuators/", "$SYS/"), "command.valve.topic", "actuators/valve-3/set"),
        (COMMAND.replace("actuators/", "{device}/"), "command.valve.topic", "begin it with a word"),
        (COMMAND.replace("actuators/", "a/+/"), "command.valve.topic", "write one as in"),
        (COMMAND.replace("shut", "{valu}"), "command.valve.open", "did you mean {value}?"),
        (COMMAND.replace('"shut"', '""'), "command.valve.open", "give a payload"),
        (COMMAND + "qos = 3\n", "command.valve.qos", "correct"),
        (COMMAND + 'broker = "plan"\n' + BROKERS, "command.valve.broker", '"plant"?'),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_its_key_and_the_way_out(
    home: Path, text: str, key: str, way_out: str
) -> None:
    error = refusal(home, text)
    assert f"`{key}`" in error.cause
    assert way_out in f"{error.cause} {error.hint}"


def test_a_check_of_the_settings_says_so_too(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "edge.toml").write_text(HEAD + COMMAND)
    assert console().call(["--home", str(home), "config", "check"]) == 2
    assert "command.valve.topic" in capsys.readouterr().err
    (home / "edge.toml").write_text(HEAD + IGNORED + COMMAND + WATCH + 'command = "valve"\n')
    assert console().call(["--home", str(home), "config", "check"]) == 0


@pytest.mark.parametrize(
    "text",
    [
        IGNORED + COMMAND,
        COMMAND.replace("actuators/", "tidegate/"),  # which no agent reads
        '[broker]\ntopics = ["sensors/#"]\n' + COMMAND,
        '[broker]\ntopics = ["sensors/#"]\n' + BROKERS + COMMAND + 'broker = "plant"\n',
    ],
)
def test_a_topic_that_the_gateway_does_not_read_can_be_used(home: Path, text: str) -> None:
    (home / "edge.toml").write_text(HEAD + text)
    assert list(load(home).settings.command) == ["valve"]


def test_a_topic_that_any_broker_reads_is_refused_for_they_may_be_one(home: Path) -> None:
    text = '[broker]\ntopics = ["sensors/#"]\n' + BROKERS + COMMAND.replace("actuators", "line")
    assert "reads" in refusal(home, text).cause


def test_there_are_so_many_watches_and_commands_and_no_more(home: Path) -> None:
    many = [WATCH.replace("hot", f"w{n}") for n in range(WATCHES_MAX + 1)]
    assert str(WATCHES_MAX) in refusal(home, "".join(many)).cause
    some = [COMMAND.replace("command.valve", f"command.c{n}") for n in range(COMMANDS_MAX + 1)]
    assert str(COMMANDS_MAX) in refusal(home, IGNORED + "".join(some)).cause
