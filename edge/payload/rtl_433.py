"""Pure: rtl_433: `rtl_433/HOST/events` → `{"model":"Acurite-Tower","id":12,"temperature_C":3.5}`.

`MODEL/id` is the device, and the channel, which is set by a switch on it, a label. The same values
come on topics of their own below `devices/`; each is taken from the way that it came by first, for
as long as that one speaks. Names end in their units.
"""

from collections.abc import Sequence
from typing import Final

from edge.payload import scalar
from edge.payload.flat_json import clock_of, flatten
from edge.payload.offer import NAME_CHARS_MAX, TOPIC_RANK, Answer, Convention, Flat, Offer
from edge.payload.said import Channel, Labels, NotData, Repeated, Said
from edge.payload.value import gauge, say

_NO_READING: Final = frozenset({
    "time", "model", "id", "mic", "mod", "freq", "freq1", "freq2", "channel", "protocol", "type",
    "subtype", "brand", "test", "sequence_num", "rid", "raw_msg", "message_type",
})  # fmt: skip
_UNITS: Final = {
    "humidity": "%", "moisture": "%", "rssi": "dB", "snr": "dB", "noise": "dB", "uv": "", "uvi": "",
}  # fmt: skip
_SUFFIXES: Final = (
    ("_hPa", "hPa"), ("_kPa", "kPa"), ("_PSI", "psi"), ("_mm_h", "mm/h"), ("_in_h", "in/h"),
    ("_mm", "mm"), ("_in", "in"), ("_m_s", "m/s"), ("_km_h", "km/h"), ("_mi_h", "mi/h"),
    ("_deg", "°"), ("_lux", "lx"), ("_klux", "klx"), ("_ppm", "ppm"), ("_ug_m3", "µg/m³"),
    ("_cm", "cm"), ("_km", "km"), ("_kWh", "kWh"), ("_W", "W"), ("_kW", "kW"), ("_V", "V"),
    ("_mV", "mV"), ("_A", "A"), ("_pct", "%"), ("_C", "°C"), ("_F", "°F"), ("_dB", "dB"),
)  # fmt: skip
"""By rtl_433's own rule for the names of its fields."""
_WAY_JSON, _WAY_SINGLE = "events", "devices"


def read(offer: Offer) -> Answer:
    """What a radio sensor says; None for anything else.

    Raises:
        NotData: what tells of the sensor or of the radio.
        Repeated: another topic told it.
        Unreadable: no JSON where there should be.
    """
    levels = offer.levels
    if levels[0] != "rtl_433" or len(levels) < 3:
        return None
    if offer.opening == b"{":
        return _event(offer)
    if "devices" in levels[1:-2]:
        return _single(offer, levels[levels.index("devices") + 1 :])
    return None


def _event(offer: Offer) -> Answer:
    tree = offer.mapping()
    model = tree.get("model")
    if not isinstance(model, str) or not model:
        return None
    device = "/".join([model, *_text(tree.get("id"))])
    labels: Labels = tuple(("channel", text) for text in _text(tree.get("channel")))
    if not offer.known.comes_by(("rtl_433", device, labels), _WAY_JSON, offer.arrival_us):
        raise Repeated("topics below devices/ told it")
    said, naming = Said(device), _Naming(labels)
    clock = clock_of(tree)
    if clock is not None:
        offer.date(said, tree[clock])
    flat = Flat(device, {}, naming)
    for key, value in tree.items():
        if isinstance(value, dict | list):
            flatten(said, key, value, flat, offer.limits, 2)
        elif (channel := naming(key)) is not None and not _is_double(key, tree):
            say(said, channel, value, offer.limits)
    if not said.numbers and not said.texts and not said.faults and not said.missing:
        raise NotData("a sensor that says nothing but its name")
    return (said,)


def _single(offer: Offer, levels: list[str]) -> Sequence[Said]:
    """One value with a topic of its own: `MODEL/[CHANNEL/]ID/NAME`."""
    model, *between, key = levels
    device = "/".join([model, *between[-1:]])
    labels: Labels = (("channel", between[0]),) if len(between) > 1 else ()
    channel = _Naming(labels)(key)
    if channel is None:
        raise NotData("what tells of the sensor or of the radio")
    if not offer.known.comes_by(("rtl_433", device, labels), _WAY_SINGLE, offer.arrival_us):
        raise Repeated("events told it")
    return (scalar.value(offer, device, channel),)


def _text(value: object) -> tuple[str, ...]:
    is_name = isinstance(value, str | int) and not isinstance(value, bool)
    return (str(value)[:NAME_CHARS_MAX],) if is_name else ()


def _is_double(key: str, tree: dict[str, object]) -> bool:
    """Whether the same temperature stands there in Celsius as well."""
    return key.endswith("_F") and f"{key[:-1]}C" in tree


class _Naming:
    """Names of one sensor's values."""

    __slots__ = ("_labels",)

    def __init__(self, labels: Labels) -> None:
        self._labels = labels

    def __call__(self, path: str) -> Channel | None:
        if path in _NO_READING:
            return None
        unit = _UNITS.get(path)
        if unit is None:
            unit = next((unit for end, unit in _SUFFIXES if path.endswith(end)), "")
        return gauge(path, unit, self._labels)


CONVENTION = Convention("rtl-433", TOPIC_RANK, read)
