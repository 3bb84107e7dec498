"""An operator's first day on the real system: a cloud, two gateways, their sensors, one stopped."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from deploy.demo import sensors
from deploy.demo.__main__ import RECORDING
from deploy.demo.stack import BIN, Half, Stack, run, wait_until
from protos.model_key import save_key
from tests.cloud.notify.told_world import Hook
from tests.rollout.models_made import KEY, graph, packed

RECORDED = 7267
"""Readings of the recording: ten months of a server room, with gaps."""
SECOND_GATEWAY = "pump-house"
_TOPICS = {
    "greenhouse-1": '["greenhouse/#", "plant/server-room"]',
    SECOND_GATEWAY: '["plant/pump1", "plant/pump2", "plant/pump3", "tank/#"]',
}


@dataclass
class Day:
    """The stack of the demo, and a second gateway beside the same broker."""

    stack: Stack
    silent_s: float = 5.0
    """After how long a gateway that is not heard is told of."""
    second: Half = field(init=False)
    hook: Hook = field(init=False, default_factory=Hook)

    def __post_init__(self) -> None:
        command = [str(BIN / "tidegate-edge"), "--home", str(self.home), "run"]
        self.second = Half(command, self.stack.folder / "second.log")

    @property
    def home(self) -> Path:
        """The home of the second gateway."""
        return self.stack.folder / "second"

    def begin(self) -> None:
        """A cloud that no gateway knows yet, and somebody whom it tells."""
        self.stack.prepare()
        self.hook.__enter__()
        settings = self.stack.home("cloud") / "cloud.toml"
        settings.write_text(
            settings.read_text()
            + "\n[notify]\nlook_s = 1.0\ngroup_s = 2.0\n"
            + f'[notify.channels.ops]\nkind = "webhook"\nurl = "http://127.0.0.1:{self.hook.port}"\n'
            + f'[notify.rules.silence]\non = "silence"\nsilent_s = {self.silent_s}\n'
            + 'severity = "critical"\n'
        )
        self.stack.start_cloud()

    def enrol(self) -> None:
        """Both gateways join, and hear their part of the broker."""
        self._settle(self.stack.home("edge"), self.stack.gateway)
        self.stack.enroll()
        self.stack.start_edge()
        run("tidegate-edge", "--home", str(self.home), "init", "--name", SECOND_GATEWAY)
        self._settle(self.home, SECOND_GATEWAY)
        cloud = str(self.stack.home("cloud"))
        token = run("tidegate-cloud", "--home", cloud, "token", "create", SECOND_GATEWAY)
        run("tidegate-edge", "--home", str(self.home), "enroll", token.split()[-1])
        self.second.start()
        wait_until("both gateways are here", lambda: len(self.here()) == 2)

    def live(self, seconds: float) -> None:
        """Sensors publish for a while; the recording is played beside them."""
        with ThreadPoolExecutor(1) as pool:  # the browser has a loop in this thread
            pool.submit(asyncio.run, _publish(self.stack.broker.port, seconds)).result()
        home = str(self.stack.home("edge"))
        topic = ("--topic", "plant/server-room", "--times", "max")
        run("tidegate-edge", "--home", home, "replay", str(RECORDING), *topic, seconds=180)
        wait_until("all of it is in the lake", self._is_archived, 120)

    def publish(self) -> None:
        """A model is signed by the cloud's own key, and begun in shadow on every gateway."""
        home = self.stack.home("cloud")
        save_key(home / "model.key", KEY)
        file = self.stack.folder / "spread-1.tgm"
        file.write_bytes(packed(graph(), "1"))
        model = ("tidegate-cloud", "--home", str(home), "model")
        run(*model, "publish", str(file))
        run(*model, "rollout", "spread", "--share", "1")

    def stop_second(self) -> None:
        """The second gateway goes away, and the cloud has seen that."""
        self.second.stop()
        wait_until("it is gone", lambda: SECOND_GATEWAY not in self.here())

    def here(self) -> list[str]:
        """The gateways that are connected now."""
        found = self.stack.get("/api/v1/gateways")["gateways"]
        return [one["name"] for one in found if one["connected"]]

    def series(self, device: str) -> str:
        """The id of the one series of a device."""
        (found,) = self.stack.get(f"/api/v1/series?device={device}")["series"]
        return str(found["id"])

    def close(self) -> None:
        """End all processes."""
        if self.second.process is not None and self.second.process.poll() is None:
            self.second.stop(30)
        self.stack.close()
        if self.hook.server is not None:
            self.hook.__exit__()

    def _is_archived(self) -> bool:
        status = self.stack.get("/api/v1/status")
        (room,) = self.stack.get("/api/v1/series?device=plant/server-room")["series"] or [{}]
        return (
            room.get("readings", 0) >= RECORDED
            and status["journal"]["head"] == status["journal"]["archived"]
        )

    def _settle(self, home: Path, name: str) -> None:
        (home / "edge.toml").write_text(
            f'[gateway]\nname = "{name}"\n\n[broker]\nurl = "{self.stack.broker.url}"\n'
            f"topics = {_TOPICS[name]}\n\n"
            # What keeps the clock of a machine for tests right is none of the gateway's business.
            '[clock]\ntrust = "always"\n'
        )


async def _publish(port: int, seconds: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stop.set)
    await sensors.publish(port, sensors.Told(), stop)
