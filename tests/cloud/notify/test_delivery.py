"""Messages reach a channel that was down, is slow or refuses, and outlive the cloud's death."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cloud.notify.channel import Channel, ChannelKind
from cloud.notify.delivery import Delivery, sender_of
from cloud.notify.file import NotifyFile
from cloud.notify.outbox import Outbox
from cloud.notify.webhook import Webhook
from deploy.demo.broker import free_port
from tests.cloud.notify.told_world import Clock, Hook, MailBox, document

DAY_US = 86_400_000_000
ROOT = Path(__file__).parents[3]


@pytest.fixture
def file(tmp_path):
    made = NotifyFile.open(tmp_path / "notify.db")
    yield made
    made.close()


def named(number: int) -> str:
    return f"{number:032x}"


def hook_at(url: str, home: Path, timeout_s: float = 10.0) -> Webhook:
    return Webhook(url, "", "", timeout_s, home, "tidegate/1")


def put(outbox: Outbox, numbers: range, clock: Clock) -> None:
    for number in numbers:
        outbox.put("ops", document(named(number)), clock())


def test_a_channel_that_is_down_and_comes_back_gets_everything_once_in_order(tmp_path, file):
    clock, outbox = Clock(), Outbox(file, 1000, DAY_US)
    port = free_port()
    sender = hook_at(f"http://127.0.0.1:{port}/", tmp_path)
    delivery = Delivery("ops", sender, outbox, clock, 60_000_000, lambda: 0.5)
    waits = []
    for number in range(30):
        put(outbox, range(number, number + 1), clock)
        waits.append(delivery.step())
        clock.go(waits[-1])
    # Less and less often, a minute at most.
    assert waits[:3] == [1.0, 2.0, 4.0]
    assert max(waits) == waits[-1] == 60.0
    assert outbox.waiting() == {"ops": 30}
    with Hook(port=port) as hook:
        for _ in range(200):
            clock.go(delivery.step())
            if not outbox.waiting():
                break
    assert sorted(told["id"] for told in hook.documents) == [named(n) for n in range(30)]
    assert file.drops() == []
    # Those that had been tried may wait a minute more; all others come as they were made.
    tried = {row["id"] for row in file.rows("SELECT id FROM notices WHERE attempts > 1")}
    untried = [told["id"] for told in hook.documents if told["id"] not in tried]
    assert untried == sorted(untried)


def test_one_message_that_is_refused_holds_up_none_behind_it(tmp_path, file):
    def answer(hook: Hook, _: str) -> tuple[int, dict[str, str]]:
        return (413 if hook.documents[-1]["id"] == named(0) else 200), {}

    clock, outbox = Clock(), Outbox(file, 1000, DAY_US)
    put(outbox, range(5), clock)
    with Hook(answer) as hook:
        delivery = Delivery("ops", hook_at(hook.url, tmp_path), outbox, clock, 60_000_000)
        for _ in range(8):
            clock.go(min(delivery.step(), 2.0))
    told = [told["id"] for told in hook.documents]
    assert [one for one in told if one != named(0)] == [named(n) for n in range(1, 5)]
    (row,) = file.rows("SELECT error FROM notices WHERE state = 'waiting'")
    assert "it answered 413" in row["error"]


def test_a_channel_that_hangs_keeps_no_other_from_being_told(tmp_path, file):
    held = threading.Event()

    def hang(_: Hook, __: str) -> tuple[int, dict[str, str]]:
        held.wait(60)
        return 200, {}

    clock, outbox = Clock(), Outbox(file, 1000, DAY_US)
    with Hook(hang) as slow, Hook() as quick:
        deliveries = [
            Delivery(name, hook_at(hook.url, tmp_path, 60), outbox, clock, 1_000_000)
            for name, hook in (("slow", slow), ("quick", quick))
        ]
        for name in ("slow", "quick"):
            outbox.put(name, document(named(len(name))), clock())
        for each in deliveries:
            each.start()
        quick.wait_for(1)
        begun = time.monotonic()
        outbox.put("quick", document(named(9)), clock())
        deliveries[1].wake()
        quick.wait_for(2)
        assert time.monotonic() - begun < 30
        assert slow.posts[1:] == []
        held.set()
        for each in deliveries:
            thread = each.end()
            assert thread is not None
            thread.join(30)
            assert not thread.is_alive()


def test_a_message_outlives_a_kill_between_being_kept_and_being_sent(tmp_path):
    path = tmp_path / "notify.db"
    with Hook() as hook:
        assert crash(path, hook.url, "put").wait(60) == -signal.SIGKILL
        assert hook.posts == []
        sending = crash(path, hook.url, "send")
        hook.wait_for(1, 60)
        sending.kill()
        sending.wait(20)
    assert hook.documents[0] == document()


def test_a_kill_between_being_sent_and_being_noted_sends_the_same_id_again(tmp_path):
    path = tmp_path / "notify.db"
    dying: list[subprocess.Popen[bytes]] = []

    def answer(hook: Hook, _: str) -> tuple[int, dict[str, str]]:
        if len(hook.posts) == 1:  # it has the message, and the sender dies before it hears so
            dying[0].kill()
            dying[0].wait(20)
        return 200, {}

    with Hook(answer) as hook:
        crash(path, hook.url, "put").wait(60)
        dying.append(crash(path, hook.url, "send"))
        hook.wait_for(1, 60)
        dying[0].wait(20)
        again = crash(path, hook.url, "send")
        hook.wait_for(2, 60)
        again.kill()
        again.wait(20)
    assert [told["id"] for told in hook.documents] == [document()["id"]] * 2


def crash(path: Path, url: str, what: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.cloud.notify.crashing_cloud", str(path), url, what]
    return subprocess.Popen(command, cwd=ROOT)


def test_a_mail_server_that_is_down_and_comes_back_gets_the_letter(tmp_path, file):
    clock, outbox = Clock(), Outbox(file, 1000, DAY_US)
    put(outbox, range(1), clock)
    box = MailBox()
    channel = Channel(
        kind=ChannelKind.SMTP, url=f"smtp://127.0.0.1:{box.port}", sender="a@b.example",
        recipients=["c@d.example"], starttls=False,
    )  # fmt: skip
    delivery = Delivery("ops", sender_of(channel, tmp_path, "1"), outbox, clock, 1_000_000)
    for _ in range(3):
        delivery.step()
        clock.go(1)
    assert delivery.failures == 3
    with box:
        delivery.step()
    assert len(box.letters) == 1
    assert outbox.waiting() == {}
