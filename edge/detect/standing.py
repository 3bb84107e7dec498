"""Pure: what is told on the local broker of episodes: what happened, and how each device stands.

Topics, below the prefix of the settings and the gateway's name:

- `DEVICE/METRIC`: what happened, at QoS 1: `opened` and `ended`, once each for an episode.
- `DEVICE/$state`: how the device stands, retained: `ON` with its open episodes, or `OFF`.

For Home Assistant each device that ever had an episode is announced as a problem sensor with these
episodes as attributes (its MQTT discovery). In quiet times nothing is told of what opens; what is
still open afterwards is told then. What ends was told, or is not told either.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from edge.detect.found import Occurrence
from protos.records import EpisodeState

STATE_LEVEL: Final = "$state"
SHOWN_MAX: Final = 16
"""Episodes told of one device; `count` says how many there are."""
DEVICES_MAX: Final = 4096
"""Devices whose state is held; the one that was told of longest ago is forgotten first."""
DISCOVERY_NODE: Final = "tidegate_"
_NO_TOPIC: Final = {ord("+"): "_", ord("#"): "_", 0: "_"}
_NO_ID: Final = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Message:
    """One message to be published at QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Naming:
    """How topics are called. ``discovery`` is Home Assistant's prefix; empty: nothing for it."""

    gateway: str
    prefix: str
    discovery: str = "homeassistant"
    version: str = ""

    @property
    def root(self) -> str:
        """What all topics of this gateway begin with."""
        return f"{self.prefix}/{self.gateway}/".translate(_NO_TOPIC)

    def event(self, device: str, metric: str) -> str:
        """Topic of what happened."""
        return self.root + f"{device}/{metric}".translate(_NO_TOPIC)

    def state(self, device: str) -> str:
        """Topic of how a device stands."""
        return self.root + f"{device}/{STATE_LEVEL}".translate(_NO_TOPIC)

    def announcement(self, device: str) -> Message:
        """The discovery of a device's problem sensor, as Home Assistant takes it."""
        node = f"{DISCOVERY_NODE}{_id(self.gateway)}"
        object_ = _id(device)
        topic, state = f"{self.discovery}/binary_sensor/{node}/{object_}/config", self.state(device)
        told = {
            "name": "Anomaly",
            "unique_id": f"{node}_{object_}_anomaly",
            "device_class": "problem",
            "state_topic": state,
            "value_template": "{{ value_json.state }}",
            "json_attributes_topic": state,
            "qos": 1,
            "device": {
                "identifiers": [f"{node}_{object_}"],
                "name": device,
                "manufacturer": "Tidegate",
                "model": f"seen by {self.gateway}",
            },
            "origin": {"name": "Tidegate", "sw_version": self.version},
        }
        return Message(topic, msgspec.json.encode(told), retain=True)


@dataclass(slots=True)
class Standing:
    """How the devices of one gateway stand; for one task.

    Args:
        naming: how topics are called.
        is_quiet: whether it is a quiet time.
    """

    naming: Naming
    is_quiet: Callable[[], bool]
    _open: dict[str, dict[bytes, Occurrence]] = field(init=False, default_factory=dict)
    _held: dict[bytes, Occurrence] = field(init=False, default_factory=dict)

    def resume(self, occurrences: Sequence[Occurrence]) -> list[Message]:
        """Take up what was open before a restart, which was told then: states alone."""
        for one in occurrences:
            self._open.setdefault(one.series.device, {})[one.change.id] = one
        return [told for device in self._open for told in self._stand(device)]

    def take(self, one: Occurrence) -> list[Message]:
        """What is to be told of a change."""
        change, device = one.change, one.series.device
        opens = change.state is EpisodeState.OPENED
        if change.id in self._held or (opens and self.is_quiet()):
            if change.state is EpisodeState.CLOSED:
                del self._held[change.id]
            else:
                self._held[change.id] = one
            return []
        mine = self._open.pop(device, {})
        self._open[device] = mine  # the newest last
        if change.state is EpisodeState.CLOSED:
            mine.pop(change.id, None)
        else:
            mine[change.id] = one
        if len(self._open) > DEVICES_MAX:
            del self._open[next(iter(self._open))]
        event = [] if change.state is EpisodeState.UPDATED else [self._event(one)]
        return [*event, *self._stand(device)]

    def after_quiet(self) -> list[Message]:
        """What opened in a quiet time that is over, and is still open."""
        if not self._held or self.is_quiet():
            return []
        held, self._held = self._held, {}
        told = []
        for one in held.values():
            mine = self._open.setdefault(one.series.device, {})
            mine[one.change.id] = one
            told += [self._event(one), *self._stand(one.series.device)]
        return told

    def states(self) -> list[Message]:
        """How every device stands."""
        return [told for device in self._open for told in self._stand(device)]

    def is_wrong(self, topic: str, payload: bytes) -> Message | None:
        """What puts right a state that the broker kept from an earlier run; None: it is right."""
        if not topic.startswith(self.naming.root) or not topic.endswith(f"/{STATE_LEVEL}"):
            return None
        if any(self.naming.state(device) == topic for device in self._open):
            return None
        try:
            told = msgspec.json.decode(payload)
        except msgspec.DecodeError:
            told = None
        if isinstance(told, dict) and told.get("state") == "OFF":
            return None
        device = topic.removeprefix(self.naming.root).removesuffix(f"/{STATE_LEVEL}")
        return Message(topic, msgspec.json.encode(self._state(device, {})), retain=True)

    def _event(self, one: Occurrence) -> Message:
        change = one.change
        event = "ended" if change.state is EpisodeState.CLOSED else "opened"
        told = {"event": event, "gateway": self.naming.gateway, "device": one.series.device}
        payload = msgspec.json.encode({**told, **_told(one)})
        return Message(self.naming.event(one.series.device, one.series.metric), payload)

    def _stand(self, device: str) -> list[Message]:
        state = self._state(device, self._open[device])
        told = Message(self.naming.state(device), msgspec.json.encode(state), retain=True)
        return [self.naming.announcement(device), told] if self.naming.discovery else [told]

    def _state(self, device: str, open_: dict[bytes, Occurrence]) -> dict[str, Any]:
        shown = list(open_.values())[:SHOWN_MAX]
        return {
            "state": "ON" if open_ else "OFF",
            "gateway": self.naming.gateway,
            "device": device,
            "count": len(open_),
            "episodes": [_told(one) for one in shown],
        }


def _told(one: Occurrence) -> dict[str, Any]:
    """An episode as JSON; times are µs UTC, as everywhere in the product."""
    change = one.change
    return {
        "id": change.id.hex(),
        "metric": one.series.metric,
        "from": change.start,
        "to": change.end,
        "peak_ts": change.peak_ts,
        "peak": change.peak,
        "value": change.value,
        "threshold": change.threshold,
        "model": change.detector,
        "points": change.points,
        "series": [key.metric for key in one.channels],
    }


def _id(name: str) -> str:
    """A name as a level of a discovery topic: plain letters, and what tells it from its like."""
    plain = _NO_ID.sub("_", name)
    if plain == name:
        return plain
    return f"{plain[:48]}_{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"
