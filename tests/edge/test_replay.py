"""`replay` and `tap` at a real broker: what is counted was acknowledged, and order is kept."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import pytest

from deploy.demo.broker import Broker, new_broker
from edge.cli import console
from edge.commands.replay import Pace
from edge.config import EdgeConfig, load

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = new_broker(tmp_path_factory.mktemp("broker"), "mosquitto")
    made.start()
    yield made
    made.stop()


def config_for(home: Path, url: str) -> EdgeConfig:
    home.mkdir(exist_ok=True)
    (home / "edge.toml").write_text(
        f'[gateway]\nname = "pump-1"\n[broker]\nurl = "{url}"\n[ingest]\nignore = ["secret/#"]\n'
    )
    return load(home)


@pytest.fixture
def home(tmp_path: Path, broker: Broker) -> Path:
    return config_for(tmp_path / "edge", broker.url).home


def csv_file(folder: Path, rows: int) -> Path:
    path = folder / "well.csv"
    lines = [f"2020-01-01T00:{n // 60 % 60:02}:{n % 60:02},{n}" for n in range(rows)]
    path.write_text("\n".join(["timestamp,level", *lines, "2020-01-01,", ""]))
    return path


def call(home: Path, *arguments: str) -> int:
    return console().call(["--home", str(home), *arguments])


class Listener:
    """A subscriber in a thread of its own: payloads in the order in which the broker sent them."""

    def __init__(self, port: int, topic: str, count: int) -> None:
        self.payloads: list[bytes] = []
        self.ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(port, topic, count),))
        self._thread.start()
        assert self.ready.wait(10)

    async def _run(self, port: int, topic: str, count: int) -> None:
        async with asyncio.timeout(30), aiomqtt.Client("127.0.0.1", port) as client:
            await client.subscribe(topic, qos=1)
            self.ready.set()
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                self.payloads.append(message.payload)
                if len(self.payloads) == count:
                    return

    def heard(self) -> list[bytes]:
        self._thread.join(30)
        return self.payloads


@pytest.mark.broker
def test_every_row_is_published_in_order_and_counted_by_its_acknowledgement(
    home: Path, broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listener = Listener(broker.port, "site/well", 3000)
    path = csv_file(tmp_path, 3000)
    assert call(home, "replay", str(path), "--topic", "site/well", "--times", "max", "--json") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["published"], told["values"], told["skipped"]) == (3000, 3000, 1)
    heard = [json.loads(payload)["level"] for payload in listener.heard()]
    assert heard == list(range(3000))


@pytest.mark.broker
def test_the_recorded_pace_is_kept_many_times_faster(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = csv_file(tmp_path, 31)
    began = time.monotonic()
    assert call(home, "replay", str(path), "--times", "30", "--json") == 0
    assert time.monotonic() - began >= 1.0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["topic"] == "replay/well"
    assert told["seconds"] >= 1.0


async def test_a_time_that_goes_back_is_due_at_once() -> None:
    pace = Pace(1.0)
    await pace.wait(1_000_000.0)
    began = time.monotonic()
    await pace.wait(0.0)
    assert time.monotonic() - began < 5


def test_without_a_broker_replay_says_so_with_its_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = config_for(tmp_path / "edge", "mqtt://127.0.0.1:9").home
    assert call(home, "replay", str(csv_file(tmp_path, 3))) == 3
    told = capsys.readouterr().err
    assert "could not replay to replay/well at mqtt://127.0.0.1:9" in told
    assert "0 messages were acknowledged before" in told
    assert "Traceback" not in told


@pytest.mark.broker
def test_a_broker_that_dies_under_a_replay_is_told_with_what_was_acknowledged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broker = new_broker(tmp_path / "broker", "mosquitto")
    broker.start()
    home = config_for(tmp_path / "edge", broker.url).home
    listener = Listener(broker.port, "replay/well", 2)
    path = csv_file(tmp_path, 600)
    killer = threading.Thread(target=lambda: (listener.heard(), broker.kill()))
    killer.start()
    assert call(home, "replay", str(path), "--times", "20") == 3
    killer.join(30)
    assert "messages were acknowledged before" in capsys.readouterr().err


@pytest.mark.broker
def test_a_bad_row_is_told_with_what_was_published_before_it(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = csv_file(tmp_path, 50)
    path.write_text(path.read_text() + "yesterday,1\n")
    assert call(home, "replay", str(path), "--times", "max") == 2
    told = capsys.readouterr().err
    assert "line 53 begins with 'yesterday', which is no time" in told
    assert "; 50 messages were acknowledged before" in told
    assert told.startswith("tidegate-edge: could not"), "no progress bar off a terminal"


@pytest.mark.broker
@pytest.mark.parametrize("dies", [False, True], ids=["alone", "with its broker"])
def test_an_interrupted_replay_ends_without_a_stray_word(tmp_path: Path, dies: bool) -> None:
    broker = new_broker(tmp_path / "broker", "mosquitto")
    broker.start()
    home = config_for(tmp_path / "edge", broker.url).home
    listener = Listener(broker.port, "replay/well", 2)
    arguments = ["replay", str(csv_file(tmp_path, 600)), "--times", "20"]
    process = subprocess.Popen(
        [BIN / "tidegate-edge", "--home", home, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # In the background of a shell SIGINT is ignored, and that would be inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    listener.heard()
    if dies:
        broker.kill()
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=30)
    broker.stop()
    assert out == ""
    # Whether the interrupt or the lost connection is met first is a matter of chance.
    assert process.returncode in ((3, 130) if dies else (130,))
    assert told.strip() == "" or process.returncode == 3
    assert "never retrieved" not in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "arguments",
    [["--times", "0"], ["--times", "-1"], ["--times", "nan"], ["--topic", "a/#"], ["--topic", ""]],
)
def test_what_cannot_be_replayed_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    home = config_for(tmp_path / "edge", "mqtt://127.0.0.1:9").home
    assert call(home, "replay", str(csv_file(tmp_path, 1)), *arguments) == 2
    assert "Invalid value" in capsys.readouterr().err


@pytest.mark.broker
async def test_tap_shows_how_a_live_message_is_read(home: Path, broker: Broker) -> None:
    process = await asyncio.create_subprocess_exec(
        BIN / "tidegate-edge", "--home", home, "tap", "plant/#", "--count", "1",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert b"listening to plant/#" in await process.stderr.readline()
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.publish("plant/pump1", b'{"flow": 3.25, "state": "open"}', qos=1)
        told = (await process.stdout.read()).decode()
        assert await process.wait() == 0
    assert "flow = 3.25" in told
    assert "state = 'open'" in told
