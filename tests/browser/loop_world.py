"""A fleet whose pumps share one way to break: three halls, a gateway each, one broker, one cloud.

Every pump hums; a worn bearing knocks at every fourth turn while the hum swells. A kick is another
matter: the default model finds it as strange, and only a person knows that nothing was broken.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from deploy.demo import tally
from deploy.demo.stack import BIN, Half, Stack, run, wait_until
from tests.edge.detect.listener import Listener

METRIC: Final = "vibration"
STEP_MS: Final = 5_000
BEGINS_S: Final = 86_400
"""Before now: the pumps' clock then runs through some hours, as quickly as they are published."""
WORN: Final = 48
"""Readings of one occurrence."""

F8 = NDArray[np.float64]


@dataclass
class Pump:
    """One pump, its past in the order of time; nothing of it but its seed is chance."""

    seed: int
    values: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = np.random.default_rng(self.seed)

    def hum(self, readings: int) -> range:
        """It runs well; says which of its readings that were."""
        return self._add(self._hum(readings))

    def wear(self) -> range:
        """A bearing is worn, for a while."""
        knocks = np.where(np.arange(WORN) % 4 == 0, 2.0, 0.0)
        knocks *= self._chance.uniform(0.8, 1.2, WORN)
        return self._add(self._hum(WORN) + knocks + np.linspace(0.1, 0.5, WORN))

    def kick(self) -> range:
        """Somebody runs a trolley into it."""
        return self._add(self._hum(2) + np.array([0.7, -0.5]))

    def _hum(self, readings: int) -> F8:
        at = len(self.values) + np.arange(readings)
        swell = 0.2 * np.sin(2 * np.pi * at / 720)
        return 2.0 + swell + self._chance.normal(0, 0.05, readings)

    def _add(self, values: F8) -> range:
        first = len(self.values)
        self.values += values.round(4).tolist()
        return range(first, len(self.values))


@dataclass
class Hall:
    """A gateway with the one pump that it hears."""

    name: str
    home: Path
    edge: Half
    pump: Pump

    @property
    def device(self) -> str:
        """As the gateway calls the pump."""
        return f"{self.name}/pump"

    def tidegate(self, *arguments: str) -> str:
        """A command typed at the gateway; gives what it printed."""
        return run("tidegate-edge", "--home", str(self.home), *arguments)

    def settle(self, broker: str) -> None:
        """Hear this hall alone, and know that its pumps are pumps."""
        (self.home / "edge.toml").write_text(
            f'[gateway]\nname = "{self.name}"\n\n[broker]\nurl = "{broker}"\n'
            f'topics = ["{self.name}/#"]\n\n'
            # What keeps the clock of a machine for tests right is none of the gateway's business.
            '[clock]\ntrust = "always"\n'
        )
        (self.home / "rules.toml").write_text(
            f'[[topic]]\ntemplate = "{self.name}/#"\nlabels = {{ class = "pump" }}\n'
        )

    def status(self) -> dict[str, Any]:
        """What the agent says of itself."""
        told: dict[str, Any] = json.loads(self.tidegate("status", "--json"))
        return told

    def model(self, name: str) -> dict[str, Any]:
        """How a model does here, in service or tried; nothing where it is not."""
        found = [one for one in self.status()["models"] if one["name"] == name]
        return found[0] if found else {}

    @property
    def is_drained(self) -> bool:
        """Whether all that it heard is in the cloud."""
        status = self.status()
        return status["ingest"]["waiting"] == 0 and status["buffer"]["rows"] == 0


@dataclass
class Fleet:
    """Three halls, and the cloud as a person meets it who has the page and a command line."""

    stack: Stack
    names: tuple[str, ...]
    halls: list[Hall] = field(init=False, default_factory=list)
    ear: Listener = field(init=False)

    def __post_init__(self) -> None:
        self.begins_ms = round((time.time() - BEGINS_S) * 1000)
        self.stack.gateway = self.names[0]
        for number, name in enumerate(self.names):
            home, half = self.stack.folder / name, self.stack.edge
            if number:
                command = [str(BIN / "tidegate-edge"), "--home", str(home), "run"]
                half = Half(command, self.stack.folder / f"{name}.log")
            else:
                home = self.stack.home("edge")
            self.halls.append(Hall(name, home, half, Pump(number)))

    def begin(self) -> None:
        """Start everything; every gateway is enrolled and connected then."""
        self.stack.prepare()
        self.stack.start_cloud()
        for hall in self.halls:
            if hall is not self.halls[0]:
                hall.tidegate("init", "--name", hall.name)
            hall.settle(self.stack.broker.url)
            hall.tidegate("enroll", self.cloud("token", "create", hall.name).split()[-1])
            hall.edge.start()
        self.ear = Listener(self.stack.broker.port)
        wait_until("all gateways are here", lambda: len(self.here()) == len(self.halls))

    def here(self) -> list[str]:
        """The gateways that are connected now."""
        found = self.stack.get("/api/v1/gateways")["gateways"]
        return [one["name"] for one in found if one["connected"]]

    def cloud(self, *arguments: str) -> str:
        """A command typed at the cloud; gives what it printed."""
        return run("tidegate-cloud", "--home", str(self.stack.home("cloud")), *arguments)

    def at_us(self, reading: int) -> int:
        """When a pump's reading was taken."""
        return (self.begins_ms + reading * STEP_MS) * 1000

    def publish(self, parts: Iterable[tuple[Hall, range]]) -> None:
        """Have readings of pumps be acknowledged by the broker, each with its own time."""
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.max_inflight_messages_set(1000)
        client.connect("127.0.0.1", self.stack.broker.port)
        client.loop_start()
        sent = [
            client.publish(hall.device, self._payload(hall, at), qos=1)
            for hall, readings in parts
            for at in readings
        ]
        for info in sent:
            info.wait_for_publish(60)
            assert info.is_published()
        client.disconnect()
        client.loop_stop()

    def _payload(self, hall: Hall, at: int) -> str:
        return json.dumps({"ts": self.begins_ms + at * STEP_MS, METRIC: hall.pump.values[at]})

    def episodes(self, hall: Hall, readings: range, model: str = "") -> list[dict[str, Any]]:
        """What the cloud has of a hall's pump that meets these readings."""
        asked = {"gateway": hall.name, "device": hall.device, "limit": 1000, "model": model}
        asked |= {"from": self.at_us(readings.start), "to": self.at_us(readings.stop)}
        given = urlencode({name: value for name, value in asked.items() if value})
        return list(self.stack.get(f"/api/v1/episodes?{given}")["episodes"])

    def alerts(self, hall: Hall, model: str) -> list[dict[str, Any]]:
        """What the local broker was told of a hall's pump by a model: its name, or name@version."""
        told = self.ear.below(f"tidegate/anomaly/{hall.name}/{hall.device}/{METRIC}")
        return [one for one in told if model in (one["model"], one["model"].partition("@")[0])]

    def running(self, model: str) -> dict[str, dict[str, Any]]:
        """What each gateway told the cloud of a model."""
        told = self.stack.get(f"/api/v1/models/running?name={model}")["running"]
        return {one["gateway"]: one for one in told}

    def is_whole(self) -> bool:
        """Whether the tables hold all that pumps ever said."""
        cloud = self.stack.try_get("/api/v1/status")
        return (
            cloud is not None
            and cloud["history"]["readings"] >= sum(len(one.pump.values) for one in self.halls)
            and cloud["journal"]["head"] == cloud["journal"]["archived"]
            and all(hall.is_drained for hall in self.halls)
        )

    def history(self, hall: Hall) -> list[tuple[int, float | None]]:
        """Time and value of every reading of a hall's pump, in their order."""
        (series,) = self.stack.get(f"/api/v1/series?device={hall.device}")["series"]
        return [(at, value) for at, value, _ in tally.raw(self.stack, series["id"])]

    def published(self, hall: Hall) -> list[tuple[int, float]]:
        """The same, as it was said."""
        return [(self.at_us(at), value) for at, value in enumerate(hall.pump.values)]

    def close(self) -> None:
        """End all processes, gateways first."""
        if hasattr(self, "ear"):
            self.ear.close()
        for hall in self.halls[1:]:
            hall.edge.end()
        self.stack.close()
