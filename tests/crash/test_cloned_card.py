"""Two gateways from one copied home, as real processes: told apart, both kept, nothing mixed."""

import json
import random
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloud.journal.sqlite.quarantine import Quarantine
from cloud.journal.sqlite.reader import JournalReader
from cloud.journal.sqlite.segment import list_segments
from deploy.demo.broker import new_broker
from deploy.demo.stack import Half, StackError, run
from edge.keys import find_key
from protos.block import read_block
from tests.crash.line import Line
from tests.crash.mqtt_tap import MqttTap
from tests.crash.publisher import Publisher
from tests.crash.site import Site, await_until, under_orders
from tests.crash.verdict import Heard
from tests.edge.conftest import BufferWorld, values_of

pytestmark = [pytest.mark.broker, pytest.mark.campaign]

# The copy's sensors count from here, so that each value says whose it is.
FIRST_OF_COPY = 300_000
CHANGES_MAX = 10


@dataclass(slots=True)
class Machine:
    """One of the two: its home, its process, and what its broker saw it acknowledge."""

    home: Path
    half: Half
    heard: Heard
    publisher: Publisher

    def status(self) -> dict[str, Any]:
        """What it says of itself; empty while it does not answer."""
        try:
            said: dict[str, Any] = json.loads(
                run("tidegate-edge", "--home", str(self.home), "status", "--json")
            )
        except StackError:
            return {}
        return said

    def is_drained(self) -> bool:
        """Whether nothing waits in it, and the cloud has it all."""
        said = self.status()
        return bool(said) and said["cloud"]["line"] == "live" and said["buffer"]["rows"] == 0

    def word(self) -> str:
        """What it tells its operator about the cloud."""
        cloud = self.status().get("cloud", {})
        return f"{cloud.get('error', '')} {cloud.get('hint', '')}"

    def is_settled(self) -> bool:
        """Whether it has met the cloud since its start: it is live, or was told why not."""
        cloud = self.status().get("cloud", {})
        return bool(cloud) and (cloud["line"] == "live" or bool(cloud["error"]))


def boot_id(folder: Path, name: str) -> str:
    """A machine of its own has a boot id of its own."""
    path = folder / f"{name}.boot_id"
    digits = random.Random(name).randbytes(16).hex()
    path.write_text(f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}\n")
    return f"TIDEGATE_CRASH_BOOT_ID={path}"


def copied(site: Site, folder: Path) -> Machine:
    """The copy of a stopped gateway's home, in a machine with a broker and sensors of its own."""
    home = folder / "copy"
    shutil.copytree(site.stack.home("edge"), home, ignore=shutil.ignore_patterns("*.sock"))
    broker = new_broker(folder / "copy-broker", "mosquitto")
    broker.start()
    heard = Heard()
    line = Line(site.loop, broker.port, lambda: MqttTap(heard))
    settings = (home / "edge.toml").read_text()
    old, new = (f"mqtt://127.0.0.1:{port}" for port in (site.broker_line.port, line.port))
    (home / "edge.toml").write_text(settings.replace(old, new))
    command = [part.replace(str(site.stack.home("edge")), str(home)) for part in _plain(site)]
    half = Half(command, folder / "copy.log")
    under_orders(half, folder / "copy.order", boot_id(folder, "copy"))
    return Machine(home, half, heard, Publisher(site.loop, broker.port, 100, FIRST_OF_COPY))


def _plain(site: Site) -> list[str]:
    command = site.stack.edge.command
    return command[next(i for i, part in enumerate(command) if part.endswith("tidegate-edge")) :]


def is_told(*machines: Machine) -> bool:
    return any("enroll" in machine.word() for machine in machines)


def take_turns(one: Machine, two: Machine, chance: random.Random) -> None:
    """One runs at a time, each until it has met the cloud, ended softly or by force."""
    for turn in range(8):
        machine = (two, one)[turn % 2]
        machine.half.start()
        target = machine.heard.acknowledged + chance.randrange(20, 200)
        await_until("it meets the cloud", machine.is_settled, 60)
        await_until("it collects", lambda m=machine, t=target: m.heard.acknowledged >= t, 60)  # type: ignore[misc]
        if is_told(machine):
            return
        machine.half.kill() if chance.random() < 0.5 else machine.half.stop()
    pytest.fail("eight changes of machine, and nobody was told")


def run_at_once(one: Machine, two: Machine, chance: random.Random) -> None:
    """Both run; who was thrown out is started again at once, as an impatient operator would.

    Left alone it would wait half a minute each time: how long that takes depends on the machine.
    """
    for machine in chance.sample([one, two], 2):
        machine.half.start()
    for _ in range(CHANGES_MAX):
        await_until("one of them is thrown out or told", lambda: is_out(one) or is_out(two), 120)
        if is_told(one, two):
            return
        thrown = one if is_out(one) else two
        thrown.half.kill()
        thrown.half.start()
        await_until("it meets the cloud again", thrown.is_settled, 120)
    pytest.fail(f"{CHANGES_MAX} times one threw the other out, and nobody was told")


def is_out(machine: Machine) -> bool:
    """Whether the cloud has refused it."""
    return bool(machine.word().strip())


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("together", [take_turns, run_at_once])
def test_two_gateways_of_one_card_are_told_apart_and_both_are_kept(
    new_site: Callable[..., Site],
    tmp_path: Path,
    together: Callable[[Machine, Machine, random.Random], None],
) -> None:
    site = new_site(edge_environment=(boot_id(tmp_path, "original"),))
    site.open()
    await_until("something is stored", lambda: site._stored() > 0, 60)
    site.stack.edge.stop()
    assert site.publisher is not None
    original = Machine(site.stack.home("edge"), site.stack.edge, site.heard, site.publisher)
    shared = {n for n, packet_id in enumerate(site.heard.first) if packet_id >= 0}
    copy = copied(site, tmp_path)
    try:
        together(original, copy, random.Random(7))
        assert is_told(original, copy), "the operator is told what to do"
    finally:
        for machine in (original, copy):
            machine.half.kill()
    history = site.history()
    for machine in (original, copy):
        assert (found := acknowledged(machine)), "each machine took part"
        assert found - set(history) - kept(machine, site.stack.gateway) == set()
    doubled = {n for n, times in history.items() if times > 1}
    assert {n for n in doubled if history[n] - 1 > original.heard.excused(n)} == set()
    assert max(map(len, owners(site, shared).values())) == 1, "an epoch holds blocks of both"
    do_as_told(site, original, copy)
    history = site.history()
    for machine in (original, copy):
        assert acknowledged(machine) - set(history) == set(), "what was on the card has arrived"
    assert max(map(len, owners(site, shared).values())) == 1, "an epoch holds blocks of both"


def acknowledged(machine: Machine) -> set[int]:
    return {n for n, acked in enumerate(machine.heard.acked) if acked}


def do_as_told(site: Site, original: Machine, copy: Machine) -> None:
    """The operator gives the copy a name of its own and pardons the other; both deliver all."""
    cloud = str(site.stack.home("cloud"))
    token = run("tidegate-cloud", "--home", cloud, "token", "create", "the-copy").split()[-1]
    run("tidegate-edge", "--home", str(copy.home), "enroll", "--rename", token)
    run("tidegate-cloud", "--home", cloud, "gateways", "pardon", site.stack.gateway)
    await_until("the pardon is carried out", lambda: not _pardons(site), 60)
    for machine in (original, copy):
        machine.publisher.stop()
        machine.half.start()
    try:
        for machine in (original, copy):
            await_until("it has delivered all", machine.is_drained, 180)
        await_until("all is archived", lambda: _is_archived(site), 60)
    finally:
        for machine in (original, copy):
            machine.half.kill()


def _pardons(site: Site) -> tuple[str, ...]:
    """What was asked and is not carried out: a gateway that asks too early is told to wait long."""
    with closing(Quarantine(site.stack.home("cloud") / "journal" / "quarantine.db")) as apart:
        return apart.pardons()


def _is_archived(site: Site) -> bool:
    said = site.stack.try_get("/api/v1/status")
    return said is not None and said["journal"]["head"] == said["journal"]["archived"]


def kept(machine: Machine, gateway: str) -> set[int]:
    """Whose messages are in its buffer, as the product would deliver them."""
    keys = find_key(machine.home / "keys" / "buffer.key", {})
    store = BufferWorld(machine.home, random.Random(1), keys, gateway).open()
    try:
        world = BufferWorld(machine.home, random.Random(1), keys, gateway)
        return {int(value) for _, _, value in world.drained(store)}
    finally:
        store.close()


def owners(site: Site, shared: set[int]) -> dict[tuple[str, int], set[bool]]:
    """For each epoch of the journal, whether blocks of the original or of the copy are in it.

    What the original had heard before it was copied (``shared``) counts for neither.
    """
    found: dict[tuple[str, int], set[bool]] = {}
    folder = site.stack.home("cloud") / "journal"
    with JournalReader(folder) as reader:
        for entry in reader.iterate(list_segments(folder)[0].first - 1):
            rows = values_of(read_block(entry.data)[2])
            whose = {int(value) >= FIRST_OF_COPY for *_, value in rows if int(value) not in shared}
            assert len(whose) <= 1, "a block holds readings of both"
            found.setdefault((entry.gateway, entry.epoch), set()).update(whose)
    return found
