"""A consolidation process that hangs: the cloud that it belongs to ends all the same."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cloud.lake.consolidator import Batch
from cloud.roles import keeper
from cloud.roles.child import Child
from cloud.roles.keeper import ConsolidationProcess
from cloud.roles.wire import Channel, Start
from protos.log import LogFormat, LogLevel
from tests.cloud.roles.role_world import SELDOM, wait_for

HANGS = """
import socket, sys, time
from cloud.roles import wire
end = wire.Channel(socket.socket(fileno=int(sys.argv[1])))
end.order(), end.send(wire.Ready()), end.order(), end.order(), end.send(wire.AskInUse())
time.sleep(600)
"""


class _ManyFiles:
    """Viewers that hold more files than a socket takes the names of."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def publish(self, batch: Batch) -> None:
        raise AssertionError("nothing is shown")

    def in_use(self) -> frozenset[str]:
        self.asked.set()
        return frozenset(f"/lake/readings/{number:064d}" for number in range(100_000))


def test_a_child_that_hangs_within_an_answer_does_not_keep_the_cloud_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "STOP_S", 0.1)
    viewers = _ManyFiles()

    def spawned() -> Child:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-c", HANGS, str(theirs.fileno())]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        return Child(process, Channel(ours))

    here = str(tmp_path)
    begin = Start(here, here, 1, 0.05, 8 << 20, SELDOM, LogFormat.TEXT, LogLevel.INFO)
    role = ConsolidationProcess(begin, None, viewers, spawned)  # type: ignore[arg-type]
    role.begin()
    role.start()
    child = role._child
    assert child is not None
    assert viewers.asked.wait(60)
    wait_for(child.channel._sending.locked)  # and stays so: nobody reads
    ends = threading.Thread(target=role.stop, daemon=True)
    ends.start()
    ends.join(30)
    is_ended = not ends.is_alive()
    child.process.kill()
    assert is_ended
