"""What systemd is told, by a real datagram socket; the watchdog is fed by progress alone."""

import itertools
import logging
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.demo.broker import free_port
from edge import agent_report, delivery, ingest_session, upkeep, uplink, uplink_session
from edge.catalog import Catalog
from edge.clock import Clock
from edge.collect import Collect
from edge.ingest import Inbox
from edge.ingest_broker import Broker
from edge.ingest_native import NativeIngest
from edge.ingest_several import SeveralIngest
from edge.message import Message
from edge.notify import STATUS_CHARS_MAX, Notifier
from edge.reading import Reader
from edge.redelivery import Redelivery
from edge.watchdog import FEEDS, ROUND_S_MAX, Watchdog
from tests.edge.collect_rig import NOW_US, FakeIngest, until
from tests.edge.conftest import BufferWorld


@dataclass
class Systemd:
    """The other end of NOTIFY_SOCKET."""

    path: str
    sock: socket.socket

    def heard(self) -> list[str]:
        """All that was said since the last call."""
        lines = []
        self.sock.setblocking(False)
        while True:
            try:
                lines.append(self.sock.recv(4096).decode())
            except BlockingIOError:
                return lines


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        yield Systemd(str(tmp_path / "notify"), sock)


def test_the_words_are_those_of_sd_notify(systemd: Systemd) -> None:
    notifier = Notifier(systemd.path)
    notifier.ready()
    notifier.alive()
    notifier.status("two\nlines " + "x" * 400)
    notifier.status("two\nlines " + "x" * 400)
    notifier.stopping()
    ready, alive, status, stopping = systemd.heard()
    assert (ready, alive, stopping) == ("READY=1", "WATCHDOG=1", "STOPPING=1")
    assert status.startswith("STATUS=two lines xxx")
    assert len(status) == len("STATUS=") + STATUS_CHARS_MAX


def test_the_variables_are_taken_out_so_that_no_child_speaks_for_the_agent(
    systemd: Systemd,
) -> None:
    environment = {
        "NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "180000000",
        "WATCHDOG_PID": str(os.getpid()), "HOME": "/",
    }  # fmt: skip
    notifier = Notifier.taken_from(environment)
    assert environment == {"HOME": "/"}
    assert notifier.watchdog_s == 180
    notifier.ready()
    assert systemd.heard() == ["READY=1"]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "5000000"},
        {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"},
        {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "soon"},
    ],
)
def test_without_systemd_or_a_watchdog_of_ours_nothing_is_wanted(
    environment: dict[str, str],
) -> None:
    notifier = Notifier.taken_from(environment)
    assert notifier.watchdog_s == 0
    notifier.ready()  # who cannot be told is no fault


def test_a_socket_of_the_abstract_namespace_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0tidegate-test-{os.getpid()}")
        Notifier(f"@tidegate-test-{os.getpid()}").ready()
        assert sock.recv(100) == b"READY=1"


class Turning:
    """Loops whose turns a test counts, and a clock that it holds."""

    def __init__(self, systemd: Systemd) -> None:
        self.counts = dict.fromkeys(("ingest", "collect", "commit", "uplink"), 0)
        self.at_s = 1000.0
        loops = {name: (lambda name=name: self.counts[name]) for name in self.counts}
        self.dog = Watchdog(Notifier(systemd.path, 180.0), loops, now_s=lambda: self.at_s)

    def pass_by(self, seconds: float, *still: str) -> None:
        """Let time pass, in which every loop but those turns once a second."""
        for _ in range(round(seconds)):
            self.at_s += 1
            for name in self.counts.keys() - set(still):
                self.counts[name] += 1
            self.dog.look()


@pytest.mark.parametrize("stuck", ["ingest", "collect", "commit", "uplink"])
def test_a_loop_that_stands_still_starves_the_watchdog_whichever_it_is(
    systemd: Systemd, stuck: str, caplog: pytest.LogCaptureFixture
) -> None:
    turning = Turning(systemd)
    turning.pass_by(180)
    assert systemd.heard() == ["WATCHDOG=1"] * FEEDS
    with caplog.at_level(logging.ERROR):
        turning.pass_by(600, stuck)
    assert systemd.heard() == []
    assert [line.getMessage().partition(" s: ")[2] for line in caplog.records] == [
        f"{stuck}; the watchdog is not fed"
    ]
    turning.pass_by(1)
    assert systemd.heard() == ["WATCHDOG=1"]


def test_the_longest_turns_in_good_order_are_well_within_the_watchdogs_period(
    systemd: Systemd,
) -> None:
    turning = Turning(systemd)
    for _ in range(10):  # every loop turns once in the longest time, each at another moment
        for name in turning.counts:
            turning.pass_by(ROUND_S_MAX / 4, *(turning.counts.keys() - {name}))
    assert len(systemd.heard()) >= 9
    slowest = {
        "a broker that is away": ingest_session.BACKOFF_MAX_S + Broker("h", 1, "c", ()).timeout_s,
        "a gateway where nothing comes": upkeep.LOOK_AGAIN_S,
        "a buffer that is asked how it stands": agent_report.FRESH_S,
        "a pause of the uplink": uplink.TURN_S,
        "a message to the cloud": uplink_session.WRITE_S_MAX,
        "a library that does not load": delivery.LOAD_S,
    }
    assert {what for what, s in slowest.items() if s > ROUND_S_MAX} == set()


def message(number: int) -> Message:
    return Message(
        "a/t", b"%d" % number, retain=False, arrival_us=NOW_US, quality=1, qos=1, dup=False,
        session=1, packet_id=number,
    )  # fmt: skip


def test_a_commit_that_hangs_starves_the_watchdog_until_it_goes_on(
    world: BufferWorld, systemd: Systemd
) -> None:
    store, catalog, ingest, inbox = (
        world.open(),
        Catalog(salt=lambda: bytes(16)),
        FakeIngest(),
        Inbox(),
    )
    reader = Reader(catalog, Redelivery(bytes(32)))
    collect = Collect(inbox=inbox, ingest=ingest, store=store, catalog=catalog, reader=reader)
    collect.start()
    at_s = itertools.count(1000.0, 60.0)
    loops = {"collect": lambda: collect.turns, "commit": lambda: store.turns}
    dog = Watchdog(Notifier(systemd.path, 180.0), loops, now_s=lambda: next(at_s))

    def is_fed() -> bool:
        collect.look_again()
        dog.look()
        return bool(systemd.heard())

    def committed(number: int) -> None:
        inbox.put(message(number))
        until(lambda: ingest.acked[-1:] == [number], f"message {number} was not committed")

    committed(1)
    until(is_fed, "it was not fed")
    hang, begun = threading.Event(), threading.Event()
    store._call(lambda: begun.set() or hang.wait(30))
    assert begun.wait(10)
    is_fed()  # turns from before the writer hung may count once more
    inbox.put(message(2))
    until(lambda: collect.under_way, "the second was not taken")
    assert not any(is_fed() for _ in range(100))
    hang.set()
    until(lambda: ingest.acked == [1, 2], "it did not go on")
    committed(3)
    until(is_fed, "it was not fed again")
    assert collect.stop()


def test_of_several_brokers_each_session_has_turns_of_its_own() -> None:
    clock = Clock()
    sessions = {
        name: NativeIngest(Broker("127.0.0.1", free_port(), "gw", ("#",), name=name), clock.now)
        for name in ("", "north")
    }
    several = SeveralIngest(sessions)
    assert several.turns == {"": 0, "north": 0}
    sessions["north"].start(Inbox())  # no broker is there: it goes on trying
    until(lambda: several.turns["north"] > 1, "it did not try again")
    assert several.turns[""] == 0
    several.stop(5.0)
