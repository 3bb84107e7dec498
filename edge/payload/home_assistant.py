"""Pure: Home Assistant MQTT discovery: `<prefix>/<component>/[<node>/]<object>/config`.

Such a message is no reading: it tells names, units and classes of the values on other topics. Both
forms are read: one entity a message, and `<prefix>/device/…/config` with a map of components; keys
may be abbreviated, and `~` stands for a base topic. A `value_template` may be `{{ value }}` or a
path within `value_json`, with filters that change no meaning; any other is a reject with its name,
once, though a broker sends it again at every connection.
"""

import re
from collections.abc import Iterator
from typing import Final

from edge.payload.discovery import Discovered, Entity
from edge.payload.offer import TOPIC_RANK, Convention, Offer
from edge.payload.said import NotData, Unreadable

COMPONENTS: Final = frozenset({
    "alarm_control_panel", "binary_sensor", "button", "camera", "climate", "cover", "date",
    "datetime", "device", "device_automation", "device_tracker", "event", "fan", "humidifier",
    "image", "lawn_mower", "light", "lock", "notify", "number", "scene", "select", "sensor",
    "siren", "switch", "tag", "text", "time", "update", "vacuum", "valve", "water_heater",
})  # fmt: skip
_SHORT: Final = {
    "stat_t": "state_topic", "unit_of_meas": "unit_of_measurement", "val_tpl": "value_template",
    "stat_val_tpl": "state_value_template", "dev": "device", "dev_cla": "device_class",
    "stat_cla": "state_class", "uniq_id": "unique_id", "obj_id": "object_id", "cmps": "components",
    "p": "platform", "avty_t": "availability_topic", "avty": "availability", "t": "topic",
    "ids": "identifiers", "o": "origin",
}  # fmt: skip
_WORDS: Final = {"state_topic", "components", "command_topic", "topic", "availability_topic"}
_TEMPLATE = re.compile(
    r"\{\{-?\s*value(?P<json>_json)?(?P<path>(?:\.[A-Za-z_]\w*|\.[0-9]+|\[\s*(?:'[^'\]]*'|\"[^\"\]]*\"|[0-9]+)\s*\])*)"
    r"(?P<filters>(?:\s*\|\s*(?:float|int|round|string|is_defined|default)(?:\([^(){}|]*\))?)*)\s*-?\}\}"
)
_STEP = re.compile(r"\.(\w+)|\[\s*(?:'([^']*)'|\"([^\"]*)\"|([0-9]+))\s*\]")


def read(offer: Offer) -> None:
    """Learn from a discovery message.

    Raises:
        NotData: it was one, and is no reading.
        Unreadable: it is one with a template that is no path, or is no JSON.
    """
    if learn(offer):
        raise NotData("Home Assistant discovery: configuration of other topics")
    if offer.known.of(Discovered).is_will(offer.topic):
        raise NotData("a last will: the state of a connection")


def learn(offer: Offer) -> bool:
    """Take the names and units that a discovery message tells; False: it is none."""
    levels = offer.levels
    if levels[-1] != "config" or len(levels) < 4 or COMPONENTS.isdisjoint(levels[-4:-2]):
        return False
    if not offer.payload.strip():
        return True  # an entity that was taken away
    config = _long(offer.mapping())
    device = _device(config)
    discovered = offer.known.of(Discovered)
    problems: list[str] = []
    for entity in _entities(config):
        problem = _add(discovered, entity, device)
        if problem and not discovered.was_told(offer.topic, problem):
            problems.append(problem)
    if problems:
        raise Unreadable(problems[0])
    return _WORDS & config.keys() != set() or "device" in levels


def _entities(config: dict[str, object]) -> Iterator[dict[str, object]]:
    components = config.get("components")
    if not isinstance(components, dict):
        yield config
        return
    shared = {
        key: value
        for key, value in config.items()
        if key in ("state_topic", "availability_topic", "availability", "~")
    }
    for component in components.values():
        if isinstance(component, dict):
            yield {**shared, **_long(component, str(config.get("~", "")))}


def _long(config: dict[str, object], base: str = "") -> dict[str, object]:
    """The same with whole keys, and with the base topic in its places."""
    long: dict[str, object] = {_SHORT.get(key, key): value for key, value in config.items()}
    base = str(long.get("~", base))
    for key, value in long.items():
        if not key.endswith("topic") or not isinstance(value, str) or not base:
            continue
        if value.startswith("~"):
            long[key] = base + value[1:]
        elif value.endswith("~"):
            long[key] = value[:-1] + base
    return long


def _device(config: dict[str, object]) -> str:
    device = config.get("device")
    if not isinstance(device, dict):
        return ""
    named: object = device.get("name")
    if isinstance(named, str) and named:
        return named
    ids = device.get("identifiers", device.get("ids"))
    first: object = ids[0] if isinstance(ids, list) and ids else ids
    return first if isinstance(first, str) else ""


def _add(discovered: Discovered, config: dict[str, object], device: str) -> str:
    """Remember one entity; what is wrong with its template, empty when nothing is."""
    for will in _wills(config):
        discovered.add_will(will)
    topic = config.get("state_topic")
    if not isinstance(topic, str) or not topic:
        return ""
    template = config.get("value_template", config.get("state_value_template"))
    path: str | None = "" if template is None else value_path(str(template))
    if path is None:
        return f"value_template {str(template)[:120]!r} is not a path within value_json"
    name, unit = config.get("name"), config.get("unit_of_measurement")
    discovered.add(
        topic,
        path,
        Entity(
            device,
            name if isinstance(name, str) else "",
            unit if isinstance(unit, str) else "",
            config.get("state_class") == "total_increasing",
        ),
    )
    return ""


def _wills(config: dict[str, object]) -> Iterator[str]:
    topic = config.get("availability_topic")
    if isinstance(topic, str) and topic != config.get("state_topic"):
        yield topic
    several = config.get("availability")
    for one in several if isinstance(several, list) else ():
        told = _long(one, str(config.get("~", ""))).get("topic") if isinstance(one, dict) else None
        if isinstance(told, str) and told != config.get("state_topic"):
            yield told


def value_path(template: str) -> str | None:
    """The dotted path that a template takes its value from, empty for the whole payload.

    None when the template does anything else.
    """
    match = _TEMPLATE.fullmatch(template.strip())
    if match is None or (match["path"] and not match["json"]):
        return None
    steps = _STEP.findall(match["path"])
    return ".".join(next(part for part in step if part) for step in steps if any(step))


CONVENTION = Convention("home-assistant", TOPIC_RANK, read, learn)
