"""Pure: Home Assistant MQTT discovery: `<prefix>/<component>/[<node>/]<object>/config`.

Such a message is no reading: it tells names, units and classes of the values on other topics. Both
forms are read: one entity a message, and `<prefix>/device/…/config` with a map of components; keys
may be abbreviated, and `~` stands for a base topic. A `value_template` may be `{{ value }}` or a
path within `value_json`, with filters that change no meaning; any other is a reject with its name,
once, though a broker sends it again at every connection. An entity may have several topics (a
climate's `current_temperature_topic` and its like): each is a value `NAME WHAT`. Topics of commands
and of availability are no readings, and neither is what a state stream tells beside the state.
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
    "ids": "identifiers", "o": "origin", "cmd_t": "command_topic", "pos_t": "position_topic",
    "pos_tpl": "position_template", "curr_temp_t": "current_temperature_topic",
    "curr_temp_tpl": "current_temperature_template", "curr_hum_t": "current_humidity_topic",
    "curr_hum_tpl": "current_humidity_template", "temp_stat_t": "temperature_state_topic",
    "temp_stat_tpl": "temperature_state_template", "mode_stat_t": "mode_state_topic",
    "mode_stat_tpl": "mode_state_template", "act_t": "action_topic", "act_tpl": "action_template",
    "fan_mode_stat_t": "fan_mode_state_topic", "bri_stat_t": "brightness_state_topic",
    "pct_stat_t": "percentage_state_topic", "tilt_status_t": "tilt_status_topic",
    "hum_stat_t": "target_humidity_state_topic", "temp_cmd_t": "temperature_command_topic",
    "mode_cmd_t": "mode_command_topic", "fan_mode_cmd_t": "fan_mode_command_topic",
    "bri_cmd_t": "brightness_command_topic", "pct_cmd_t": "percentage_command_topic",
    "set_pos_t": "set_position_topic", "tilt_cmd_t": "tilt_command_topic",
    "temp_unit": "temperature_unit",
}  # fmt: skip
_PARTS: Final = {
    "current_temperature": "°", "temperature_state": "°", "current_humidity": "%",
    "target_humidity_state": "%", "position": "%", "percentage_state": "%", "mode_state": "",
    "fan_mode_state": "", "action": "", "brightness_state": "", "tilt_status": "%",
}  # fmt: skip
"""Further values of one entity, by what stands before `_topic`; `°` is the entity's own degree."""
_SET: Final = "set_position_topic"
_STREAM: Final = frozenset({
    "unit_of_measurement", "friendly_name", "device_class", "state_class", "icon", "last_changed",
    "last_updated", "attribution", "supported_features", "entity_picture", "options",
})  # fmt: skip
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
    if offer.known.of(Discovered).is_order(offer.topic):
        raise NotData("a command, by its discovery")
    levels = offer.levels
    if levels[0] == "homeassistant" and levels[-1] in _STREAM and levels[1] not in ("status",):
        raise NotData("what a state stream tells beside the state")


def learn(offer: Offer) -> bool:
    """Take the names and units that a discovery message tells; False: it is none."""
    levels = offer.levels
    if levels[-1] != "config" or len(levels) < 4 or COMPONENTS.isdisjoint(levels[-4:-2]):
        return False
    if not offer.payload.strip():
        offer.known.teach(offer.topic, b"")  # an entity that was taken away
        return True
    config = _long(offer.mapping())
    device = _device(config)
    discovered = offer.known.of(Discovered)
    problems: list[str] = []
    for entity in _entities(config):
        problem = _add(discovered, entity, device)
        if problem and not discovered.was_told(offer.topic, problem):
            problems.append(problem)
    offer.known.teach(offer.topic, offer.payload)
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
    for key, order in config.items():
        if (key.endswith("command_topic") or key == _SET) and isinstance(order, str):
            discovered.add_order(order)
    for part in _PARTS:
        _add_part(discovered, config, device, part)
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


def _add_part(discovered: Discovered, config: dict[str, object], device: str, part: str) -> None:
    """Remember a further value of an entity; of one whose template is no path nothing is known."""
    topic, template = config.get(f"{part}_topic"), config.get(f"{part}_template")
    path = "" if template is None else value_path(str(template))
    if not isinstance(topic, str) or not topic or path is None:
        return
    name, unit = config.get("name"), _PARTS[part]
    what = part.removesuffix("_state").replace("_", " ")
    metric = f"{name} {what}" if isinstance(name, str) and name else what
    if unit == "°":
        unit = f"°{config['temperature_unit']}" if config.get("temperature_unit") else ""
    discovered.add(topic, path, Entity(device, metric, unit))


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
