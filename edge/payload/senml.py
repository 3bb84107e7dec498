"""Pure: SenML (RFC 8428), JSON and CBOR: `[{"bn":"urn:dev:ow:10e2073a01080063:","n":"a","v":1}]`.

The base name is the device and the name the metric; without a base name a URN is the device, else
the topic is. Base time, value, sum and unit count from where they stand. Times below 2**28 are
relative to the arrival. A sum (`s`) is a counter, `METRIC.sum`. CBOR labels: bver −1, bn −2, bt −3,
bu −4, bv −5, bs −6, n 0, u 1, v 2, vs 3, vb 4, s 5, t 6, ut 7, vd 8.
"""

from collections.abc import Sequence
from typing import Final

from edge.payload import cbor
from edge.payload.offer import SHAPE_RANK, Convention, Offer
from edge.payload.said import COUNTER, Said, Unreadable
from edge.payload.value import NOTHING, finite, gauge, say

_CBOR: Final = {
    -1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs", 0: "n", 1: "u", 2: "v", 3: "vs",
    4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd",
}  # fmt: skip
_KNOWN: Final = frozenset(_CBOR.values())
_VALUES: Final = frozenset({"v", "vs", "vb", "vd", "s"})
_SIGNS: Final = frozenset({"bn", "n", "bt", "bver", "bu", "u", "t"})
_VERSION_MAX: Final = 10
_RELATIVE_BELOW: Final = 1 << 28
_LIST_HEADS: Final = frozenset(range(0x80, 0xA0))


def read(offer: Offer) -> Sequence[Said] | None:
    """What a SenML pack says, a part for each device and time; None for anything else.

    Raises:
        Unreadable: truncated CBOR, a version or a field that must be understood and is not.
    """
    records = _records(offer)
    if records is None:
        return None
    pack = _Pack(offer)
    for record in records:
        pack.take(record)
    return pack.told()


def _records(offer: Offer) -> list[dict[str, object]] | None:
    head = offer.payload[:1]
    if offer.opening == b"[":
        tree = offer.tree()
    elif head and head[0] in _LIST_HEADS:
        tree = cbor.decode(offer.payload)
        if isinstance(tree, list):
            tree = [
                {_CBOR.get(key, str(key)) if isinstance(key, int) else key: value
                 for key, value in record.items()}
                if isinstance(record, dict) else record
                for record in tree
            ]  # fmt: skip
    else:
        return None
    if not isinstance(tree, list) or not tree:
        return None
    if not all(isinstance(record, dict) for record in tree):
        return None
    keys = {key for record in tree for key in record}
    return tree if keys & _VALUES and (keys & _SIGNS or keys <= _KNOWN) else None


class _Pack:
    """One pack under way, with its base fields."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._name = self._base = self._unit = ""
        self._time = self._value = self._sum = 0.0
        self._said: dict[tuple[str, int | None], Said] = {}

    def told(self) -> Sequence[Said]:
        """What was said, in order of first mention."""
        return tuple(self._said.values())

    def take(self, record: dict[str, object]) -> None:
        """Add one record; base fields hold from here on."""
        unknown = next((key for key in record if key.endswith("_") and key not in _KNOWN), None)
        if unknown is not None:
            raise Unreadable(f"SenML's field {unknown[:40]!r} must be understood, and is not")
        if _number(record, "bver") > _VERSION_MAX:
            raise Unreadable("SenML of a version over 10")
        if "bn" in record:
            self._name = _text(record, "bn")
            self._base = self._name.rstrip(":/_.#") or self._name  # one text for all its records
        self._unit = _text(record, "bu") if "bu" in record else self._unit
        self._time = _number(record, "bt") if "bt" in record else self._time
        self._value = _number(record, "bv") if "bv" in record else self._value
        self._sum = _number(record, "bs") if "bs" in record else self._sum
        if not _VALUES & record.keys():
            return
        said = self._at(_text(record, "n"), self._time + _number(record, "t"))
        self._say(said, self._metric(_text(record, "n")), record)

    def _at(self, name: str, time_s: float) -> Said:
        device, at_us = self._device(name), None
        if time_s and abs(time_s) < _RELATIVE_BELOW:
            at_us = self._offer.arrival_us + round(time_s * 1e6)
        probe = Said(device, at_us=at_us)
        if time_s >= _RELATIVE_BELOW:
            self._offer.date(probe, time_s)
        return self._said.setdefault((device, probe.at_us), probe)

    def _device(self, name: str) -> str:
        if self._name:
            return self._base
        return name if name.startswith("urn:") else self._offer.topic

    def _metric(self, name: str) -> str:
        return "value" if not self._name and name.startswith("urn:") else name or "value"

    def _say(self, said: Said, metric: str, record: dict[str, object]) -> None:
        unit = _text(record, "u") if "u" in record else self._unit
        limits = self._offer.limits
        if "v" in record:
            value = record["v"]
            number = finite(value) if self._value else None
            if number is not None:
                value = self._value + number
            say(said, gauge(metric, unit), value, limits)
        for key in ("vs", "vb", "vd"):
            if key in record:
                value = record[key]
                say(said, metric, value.hex() if isinstance(value, bytes) else value, limits)
        if "s" in record:
            channel = (f"{metric}.sum", COUNTER, unit, NOTHING)
            say(said, channel, self._sum + _number(record, "s"), limits)


def _text(record: dict[str, object], key: str) -> str:
    value = record.get(key, "")
    if not isinstance(value, str):
        raise Unreadable(f"SenML's {key} is no text")
    return value


def _number(record: dict[str, object], key: str) -> float:
    number = finite(record.get(key, 0))
    if number is None:
        raise Unreadable(f"SenML's {key} is no number")
    return number


CONVENTION = Convention("senml", SHAPE_RANK, read)
