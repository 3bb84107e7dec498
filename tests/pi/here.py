"""A real Pi: the guide typed on it, and what it can do measured. Needs Python alone, and sudo."""

import re
import time
from pathlib import Path

from tests.pi.machine import ThisPi
from tests.pi.story import Story
from tests.pi.tally import Tally, say, until

HEADINGS = ("1.", "2.", "3.", "4.", "5.", "6.")
"""Neither removal nor purge: a gateway is set up and stays."""
MESSAGES = 20_000


def follow(tally: Tally, token: str) -> None:
    """Type the guide on this machine, then measure."""
    machine = ThisPi()
    story = Story(machine, tally, None, token)
    tally.suite = re.sub(r"\0", "", _model()) or "this machine"
    if not token:
        tally.check("a token is given (--token LINE)", holds=False)
        return
    story.follow(*HEADINGS)
    tally.print_waits()
    measure(story)


def measure(story: Story) -> None:
    """Figures of this machine: start, ingest, delivery, memory, the card."""
    machine, check = story.machine, story.tally.check
    say("\nmeasured here")
    began = time.monotonic()
    machine.run("tidegate-edge --version")
    say(f"  {time.monotonic() - began:8.2f} s    `tidegate-edge --version`")
    began = time.monotonic()
    machine.run("sudo systemctl restart tidegate-edge")
    if check("it starts", until(story.runs, 120)):
        say(f"  {time.monotonic() - began:8.2f} s    from restart until it hears its broker")
    before, began = _readings(story), time.monotonic()
    pipe = f"seq 1 {MESSAGES} | mosquitto_pub -q 1 -l -t greenhouse/load/value"
    check("the broker takes the load", machine.run(pipe).code == 0)
    taken = until(lambda: _readings(story) >= before + MESSAGES, 600)
    seconds = time.monotonic() - began
    if check(f"{MESSAGES} messages become readings", taken, f"{_readings(story) - before}"):
        say(f"  {MESSAGES / seconds:8.0f} /s   published one by one with QoS 1 and committed")
    if check("all of it is delivered", until(story.drained, 600)):
        say(f"  {time.monotonic() - began:8.1f} s    until the cloud has it in its tables")
    pid = story.status().get("pid", 0)
    status = machine.root(f"cat /proc/{pid}/status").seen
    for name, told in (("VmHWM", "at most resident"), ("VmRSS", "resident now")):
        found = re.search(rf"{name}:\s+(\d+) kB", status)
        if check(f"{told} is told", found is not None):
            assert found is not None
            say(f"  {int(found[1]) / 1000:8.1f} MB   {told}")
    say(machine.run("sudo tidegate-edge selftest /var/lib/tidegate-edge").seen)


def _readings(story: Story) -> int:
    told = story.status()
    return int(told["ingest"]["readings"]) if told else 0


def _model() -> str:
    path = Path("/proc/device-tree/model")
    return path.read_text(errors="replace") if path.exists() else ""
