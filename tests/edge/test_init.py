"""`init` and `enroll` at a terminal: what they find, what they ask, and what they make of it."""

import os
import pty
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.demo.broker import free_port
from edge.broker_search import Answer, found, probe
from edge.config import load
from edge.settings_links import Broker
from protos.token import Token
from tests.edge.mosquitto import Mosquitto

ASKED = "and press Enter:"
PROGRAM = Path(sys.executable).with_name("tidegate-edge")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    yield from running(Mosquitto(tmp_path))


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that wants the password `seven` of the user `hall`."""
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is missing; install it: apt-get install -y mosquitto")
    users = tmp_path / "users"
    subprocess.run([tool, "-b", "-c", str(users), "hall", "seven"], check=True)
    users.chmod(0o644)
    yield from running(Mosquitto(tmp_path, f"allow_anonymous false\npassword_file {users}"))


def running(one: Mosquitto) -> Iterator[Mosquitto]:
    one.start()
    yield one
    one.stop()


def at_a_terminal(home: Path, typed: Sequence[tuple[str, str]], *words: str) -> tuple[int, str]:
    """Exit code and all that a person sees who types an answer when its question is there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(PROGRAM), "--home", str(home), *words], stdin=theirs, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    seen, answered, left = "", 0, list(typed)
    while chunk := os.read(process.stdout.fileno(), 65536):
        seen += chunk.decode()
        if left and left[0][0] in seen[answered:]:
            answered = len(seen)
            os.write(ours, left.pop(0)[1].encode() + b"\n")
    process.wait(20)
    os.close(theirs)
    os.close(ours)
    assert not left, seen
    return process.returncode, seen


@contextmanager
def speaking(broker: Mosquitto, told: Sequence[tuple[str, bytes]]) -> Iterator[None]:
    """Sensors that say the same again and again."""
    over = threading.Event()

    def speak() -> None:
        while not over.wait(0.1):
            broker.publish(told)

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def url(of: Mosquitto) -> str:
    return f"mqtt://127.0.0.1:{of.port}"


@pytest.mark.broker
def test_a_broker_is_asked_who_may_come(locked: Mosquitto) -> None:
    assert probe(Broker(url=url(locked))).answer is Answer.WANTS_PASSWORD
    user = Broker(url=url(locked), username="hall", password_file="x")
    assert probe(user, "seven").answer is Answer.OPEN
    assert probe(user, "six").answer is Answer.WANTS_PASSWORD
    assert probe(user, "s" * 200).answer is Answer.WANTS_PASSWORD  # a length of two bytes


def test_who_speaks_something_else_is_no_broker() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            connection.sendall(b"SSH-2.0-x\r\n")
            connection.close()

        threading.Thread(target=greet).start()
        asked = Broker(url=f"mqtt://127.0.0.1:{listener.getsockname()[1]}")
        assert probe(asked).answer is Answer.NO_MQTT


@pytest.mark.broker
def test_the_first_name_with_a_broker_is_found(broker: Mosquitto) -> None:
    names = ("no-such-host.invalid", "127.0.0.1", "localhost")
    assert found(names, broker.port) == url(broker)
    assert found(names, free_port()) is None


@pytest.mark.broker
@pytest.mark.parametrize("answer", ["y", "n"])
def test_at_a_terminal_init_tells_what_it_hears_and_writes_the_rules_that_are_wanted(
    tmp_path: Path, broker: Mosquitto, answer: str
) -> None:
    told = [("site/a/temp", b"1"), ("site/b/temp", b"2"), ("zigbee2mqtt/hall", b'{"humidity":3}')]
    home = tmp_path / "edge"
    words = ("init", "--broker", url(broker), "--seconds", "1.5")
    with speaking(broker, told):
        code, seen = at_a_terminal(home, [("write these rules", answer)], *words)
    assert code == 0, seen
    assert "heard    3 devices in 1.5 s" in seen
    assert "zigbee2mqtt " in seen
    assert 'template = "site/{device}/{metric}"' in seen
    assert load(home).rules_path.exists() == (answer == "y")
    if answer == "y":
        assert '"site/{device}/{metric}"' in load(home).rules_path.read_text()


@pytest.mark.broker
def test_a_script_is_asked_nothing_and_listens_only_when_told(
    tmp_path: Path, broker: Mosquitto
) -> None:
    command = [str(PROGRAM), "--home", str(tmp_path / "edge"), "init", "--broker", url(broker)]
    for more, heard in (([], False), (["--look", "--seconds", "1"], True)):
        shutil.rmtree(tmp_path / "edge", ignore_errors=True)
        with speaking(broker, [("site/a/temp", b"1"), ("site/b/temp", b"2")]):
            seen = subprocess.check_output([*command, *more], stdin=subprocess.DEVNULL, text=True)
        assert ("heard    2 devices" in seen) == heard
        assert ("discover` proposes some" in seen) == heard
        assert not load(tmp_path / "edge").rules_path.exists()


@pytest.mark.broker
def test_a_password_is_asked_for_until_the_broker_takes_it(
    tmp_path: Path, locked: Mosquitto
) -> None:
    home = tmp_path / "edge"
    name, word = "user name", "password: "
    typed = [(name, "hall"), (word, "six"), (name, "hall"), (word, "seven")]
    code, seen = at_a_terminal(home, typed, "init", "--broker", url(locked), "--seconds", "0.2")
    assert code == 0, seen
    assert seen.count("wants a user name and a password") == 2
    assert f"{url(locked)}: answers" in seen
    assert "seven" not in seen
    config = load(home)
    assert (config.settings.broker.username, config.broker_password()) == ("hall", "seven")
    file = config.file(config.settings.broker.password_file, "")
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.broker
def test_who_gives_no_user_name_gets_a_home_that_says_what_is_missing(
    tmp_path: Path, locked: Mosquitto
) -> None:
    code, seen = at_a_terminal(
        tmp_path / "edge", [("user name", "")], "init", "--broker", url(locked)
    )
    assert code == 0, seen
    assert "see [broker] in the settings" in seen
    assert load(tmp_path / "edge").settings.broker.username == ""


@pytest.mark.timeout(60)
def test_a_token_is_asked_for_and_a_paste_that_the_terminal_broke_is_taken(tmp_path: Path) -> None:
    home = tmp_path / "edge"
    assert at_a_terminal(home, [], "init", "--broker", f"mqtt://127.0.0.1:{free_port()}")[0] == 0
    line = Token(bytes(8), bytes(32), "127.0.0.1:9", "hall", b"not a certificate").line()
    code, seen = at_a_terminal(home, [(ASKED, f"{line[:60]}\n{line[60:]}")], "enroll")
    assert code == 2
    assert ASKED in seen
    assert "the token holds no certificate" in seen


@pytest.mark.parametrize(
    ("typed", "cause"), [("", "a token begins with tg1-"), ("tg1-AAAA\n", "cut off")]
)
def test_a_paste_that_is_no_token_is_told_as_such(tmp_path: Path, typed: str, cause: str) -> None:
    home = tmp_path / "edge"
    assert at_a_terminal(home, [], "init", "--broker", f"mqtt://127.0.0.1:{free_port()}")[0] == 0
    code, seen = at_a_terminal(home, [(ASKED, typed)], "enroll")
    assert code == 2
    assert cause in seen
