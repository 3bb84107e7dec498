"""What a Pi goes through: the guide from the card to the page, then what the years bring."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from tests.pi import guide
from tests.pi.machine import Done
from tests.pi.outside import Cloud
from tests.pi.tally import Tally, say, until

HOME = "/var/lib/tidegate-edge"
LOAD, MORE = 600, 100
"""Messages; fewer than the thousand that Debian's mosquitto keeps for a gateway that is away."""
ASKED = "and press Enter:"
SERIES = "greenhouse/load/value"


class Machine(Protocol):
    """What can be typed at."""

    pretends: bool

    def run(
        self, command: str, answers: Sequence[tuple[str, str]] = (), seconds: float = 900.0
    ) -> Done: ...

    def root(self, command: str, seconds: float = 600.0) -> Done: ...


class Story:
    """One machine's way through the guide; each method is what some part of it must come to."""

    def __init__(
        self, machine: Machine, tally: Tally, cloud: Cloud | None, token: str = ""
    ) -> None:
        self.machine = machine
        self.tally = tally
        self.cloud = cloud
        self.token = token

    def follow(self, *headings: str) -> None:
        """Type the commands of the guide below headings that begin so."""
        for part in guide.parts():
            if part.heading.startswith(headings):
                self.type(part)

    def type(self, part: guide.Part) -> None:
        """Type the commands of one part, and see what they lead to."""
        say(f"\n{part.heading} ({part.machine})")
        for command in part.commands:
            if part.machine == "cloud":
                self._on_the_cloud(command)
                continue
            done = self.machine.run(command, self._answers(command))
            self.tally.wait(command, done.seconds)
            if self.tally.check(command, done.code == 0, done.seen):
                self._after(command, done)

    def status(self) -> dict[str, Any]:
        """What the agent says of itself; empty where it says nothing."""
        seen = self.machine.run("sudo tidegate-edge status --json").seen
        found = re.search(r"^\{.*\}$", seen, re.MULTILINE)
        told: dict[str, Any] = json.loads(found[0]) if found else {}
        return told

    def runs(self) -> bool:
        """Whether the agent runs and hears its broker."""
        told = self.status()
        return bool(told.get("running")) and bool(told["broker"].get("connected"))

    def drained(self) -> bool:
        """Whether everything is in the cloud's tables."""
        told = self.status()
        return bool(told) and told["buffer"]["rows"] == 0

    def publish(self, first: int, last: int) -> Done:
        """Publish the numbers from first to last, each acknowledged by the broker."""
        topic = SERIES
        return self.machine.run(f"seq {first} {last} | mosquitto_pub -q 1 -l -t {topic}")

    def _answers(self, command: str) -> list[tuple[str, str]]:
        if command.endswith("tidegate-edge enroll"):
            return [(ASKED, self.token)]
        if command.endswith("tidegate-edge init"):
            return [("the broker, as mqtt://", "")]  # asked only where none is found
        return []

    def _on_the_cloud(self, command: str) -> None:
        if self.cloud is None:
            say(f"  (on the cloud: {command})")
            return
        if "query" in command:
            series = command.split()[-1]
            told = until(lambda: bool(self.cloud and self.cloud.values(series)), 60)
            self.tally.arrive()
            self.tally.check(command, told and "21.5" in self.cloud.typed(command))
            return
        told_line = self.cloud.typed(command)
        self.token = told_line.split()[-1]
        self.tally.check(command, self.token.startswith("tg1-"), told_line)

    def _after(self, command: str, done: Done) -> None:
        """What must hold once a command of the guide is done."""
        check = self.tally.check
        match command.split():
            case ["dpkg", "--print-architecture"]:
                check("it is arm64", "arm64" in done.seen, done.seen)
            case [*_, "init"] if "sudo" in command:
                check("init finds the broker by itself", "1883: answers" in done.seen, done.seen)
                check("init says what it heard", "heard " in done.seen, done.seen)
                owner = self.machine.root(f"stat -c '%U %a' {HOME} {HOME}/edge.toml").seen
                check(
                    "the home is the gateway's alone",
                    owner.split() == ["tidegate-edge", "700", "tidegate-edge", "600"],
                    owner,
                )
            case [*_, "enroll"]:
                check(
                    "one pasted line makes it greenhouse", "as greenhouse" in done.seen, done.seen
                )
            case ["sudo", "systemctl", "restart", "tidegate-edge"]:
                check(
                    "the service runs and hears its broker",
                    until(self.runs, 120),
                    str(self.status()),
                )
            case ["sudo", "systemctl", "kill", *_]:
                check(
                    "the agent that was killed comes back",
                    until(self.runs, 120),
                    str(self.status()),
                )
            case ["sudo", "tidegate-edge", "status"]:
                check(
                    "status names broker and cloud",
                    "broker" in done.seen and "greenhouse" in done.seen,
                    done.seen,
                )
            case ["sudo", "apt-get", "remove", *_]:
                kept = self.machine.root(
                    f"ls {HOME}/edge.toml {HOME}/identity {HOME}/buffer.db"
                ).code
                check("removing keeps settings, identity and buffer", kept == 0)
                check("and says so", "is kept" in done.seen, done.seen)
            case ["sudo", "apt-get", "purge", *_]:
                places = f"{HOME} /usr/lib/tidegate /etc/default/tidegate-edge"
                left = self.machine.root(f"ls -d {places}; getent passwd tidegate-edge").seen
                check(
                    "purging deletes home, package and user",
                    "tidegate-edge:" not in left and left.count("No such file") == 3,
                    left,
                )
            case ["sudo", "apt-get", "install", "-y", file] if "tidegate" in file:
                check("it goes on with what was kept", until(self.runs, 120), str(self.status()))
                check("under its identity", bool(self.status()["cloud"]["enrolled"]))


def lose_nothing(story: Story, cloud: Cloud, cut: "Power") -> None:
    """The cloud goes, the agent is killed under load, the plug is pulled, the cloud comes back."""
    check = story.tally.check
    say("\nwithout a cloud, killed, without power")
    cloud.stop()
    first = story.publish(1, LOAD // 2)
    story.machine.root("systemctl kill -s KILL tidegate-edge")
    second = story.publish(LOAD // 2 + 1, LOAD)
    check("the broker takes what is published", first.code == second.code == 0, second.seen)
    check("the killed agent is back", until(story.runs, 120), str(story.status()))
    held = until(lambda: story.status().get("buffer", {}).get("rows", 0) >= LOAD, 120)
    check("all of it is in the buffer", held, str(story.status().get("buffer")))
    before = story.status()["buffer"]["rows"]
    cut.cut_power()
    cut.switch_on()
    check("after the power cut it starts by itself", until(story.runs, 180), str(story.status()))
    now = story.status().get("buffer", {}).get("rows", 0)
    check("the buffer holds what it held", now >= before, f"{before} before, {now} now")
    check("it takes more", story.publish(LOAD + 1, LOAD + MORE).code == 0)
    cloud.start()
    came = until(lambda: len(cloud.values(SERIES)) >= LOAD + MORE, 240)
    check("all of it comes to history", came, f"{len(cloud.values(SERIES))} of {LOAD + MORE}")
    check("the buffer drains", until(story.drained, 120), str(story.status().get("buffer")))
    values = cloud.values(SERIES)
    wanted = [float(number) for number in range(1, LOAD + MORE + 1)]
    check(
        "each reading once",
        sorted(values) == wanted,
        f"{len(values)} rows, {len(set(values))} values",
    )


class Power(Protocol):
    """A machine whose plug can be pulled."""

    def cut_power(self) -> None: ...

    def switch_on(self) -> None: ...


def newer_and_older(story: Story, newer: str, older: str) -> None:
    """A newer package goes over the older one; the older one does not come back."""
    check, machine = story.tally.check, story.machine
    say("\nupgrade and downgrade")
    machine.run(f"sudo apt-get install -y ./{older} && sudo tidegate-edge init")
    machine.run("sudo systemctl restart tidegate-edge")
    check("a gateway runs that no cloud knows", until(story.runs, 120), str(story.status()))
    story.publish(1, MORE)
    held = until(lambda: story.status()["buffer"]["rows"] >= MORE, 60)
    check("it keeps what is published", held, str(story.status().get("buffer")))
    done = machine.run(f"sudo apt-get install -y ./{newer}")
    check("a newer package goes over the older one", done.code == 0, done.seen)
    check("the agent runs on", until(story.runs, 120), str(story.status()))
    check("with its buffer", story.status()["buffer"]["rows"] >= MORE)
    done = machine.run(f"sudo apt-get install -y --allow-downgrades ./{older}")
    refused = "was installed here" in done.seen and "to do:" in done.seen
    check("the older one is refused, and what to do is told", done.code != 0 and refused, done.seen)
    check("the agent still runs", until(story.runs, 120), str(story.status()))
    version = machine.run("dpkg-query -W -f '${Status} ${Version}' tidegate-edge").seen
    check("the newer one is installed whole", "install ok installed 0.1.0-2" in version, version)
    machine.run("sudo apt-get remove -y tidegate-edge")
    done = machine.run(f"sudo apt-get install -y ./{older}")
    check("nor does it come after a removal, whose home is kept", done.code != 0, done.seen)
    done = machine.run(f"sudo apt-get purge -y tidegate-edge && sudo apt-get install -y ./{older}")
    check("after a purge there is nothing to go back from", done.code == 0, done.seen)


def compile_for_a_new_python(story: Story) -> None:
    """What Debian calls when python3 becomes another version leaves compiled code of that alone."""
    hook = (
        "/usr/share/python3/runtime.d/tidegate-edge.rtupdate rtupdate python3.9 $(py3versions -d)"
    )
    count = "find /usr/lib/tidegate -name '*.pyc' | sed 's/.*cpython-//' | sort | uniq -c"
    version = story.machine.root("py3versions -d").seen.strip().removeprefix("python3.")
    for step in (count, f"py3clean -p tidegate-edge; {count}", f"{hook}; {count}"):
        told = story.machine.root(step).seen.split()
        if "py3clean" in step:
            story.tally.check("what was compiled is removed with it", not told, str(told))
            continue
        good = told[1:] == [f"3{version}.pyc"] and int(told[0]) > 500
        story.tally.check("its code is compiled for this Python alone", good, str(told))


def refuse_a_cpu(story: Story, package: Path) -> None:
    """A CPU without what numpy needs, as a planted list of it has it."""
    plant = "printf 'Features\\t: fp planted\\n' > /tmp/cpu && mount --bind /tmp/cpu /proc/cpuinfo"
    shown = story.machine.root(f"{plant} && cat /proc/cpuinfo").seen
    if "planted" not in shown:
        say("  (this emulator has a CPU list of its own: the refusal of a CPU is not tried)")
        return
    done = story.machine.root(f"dpkg -i /home/pi/{package.name}")
    told = "this CPU lacks asimd" in done.seen and "to do: use a Raspberry Pi 3" in done.seen
    story.tally.check(
        "a CPU without support is refused at once", done.code != 0 and told, done.seen
    )
    left = story.machine.root(
        "umount /proc/cpuinfo; dpkg -s tidegate-edge; ls -d /usr/lib/tidegate"
    )
    story.tally.check(
        "and nothing is left of it",
        left.code != 0 and "/usr/lib/tidegate\n" not in left.seen,
        left.seen,
    )
