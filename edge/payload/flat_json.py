"""Pure: JSON objects, `plant/pump1` → `{"ts":1700000000.123,"flow":3.2,"ok":true}`.

The topic is the device, every key a metric; nested maps and lists flatten with dots
(`{"DS18B20":{"Temperature":20.6}}` → `DS18B20.Temperature`, `{"power":[1,2]}` → `power.0`,
`power.1`). The first of `TIME_KEYS` at the top, in any case, that holds a time gives the readings'
time. A `unit` beside a `value` is its unit. A list of objects that have a time each is so many
messages.
"""

from collections.abc import Sequence
from datetime import UTC

from edge.payload.offer import NAME_CHARS_MAX, OBJECT_RANK, Answer, Convention, Flat, Names, Offer
from edge.payload.said import Channel, ReadingLimits, Said, Unreadable
from edge.payload.timestamp import Undated, time_us
from edge.payload.value import gauge, say
from protos.limits import UNIT_BYTES_MAX

TIME_KEYS = (
    "ts", "timestamp", "time", "datetime", "sourcetimestamp", "measured_at", "measuredat",
    "recorded_at", "dateutc", "utctime", "timestamp_utc", "epoch", "unixtime", "tst", "_timestamp",
    "lastupdate", "last_update", "gatewaytime", "date",
)  # fmt: skip
"""The sensor's own time before that of who forwarded it."""
_RANKS = {name: rank for rank, name in enumerate(TIME_KEYS)}
_OF_UTC = ("dateutc", "utctime", "timestamp_utc")
UNIT_KEYS = ("unit", "units", "unit_of_measurement", "uom")
ROWS_MAX = 4096
_SUFFIX_MAX = 64
_EXACT = 1 << 53


def read(offer: Offer) -> Answer:
    """What a JSON object, or a list of objects with times, says; None for anything else.

    Raises:
        Unreadable: JSON that is broken, too deep or too long, or is another list.
    """
    if offer.opening not in (b"{", b"["):
        return None
    tree = offer.tree()
    if isinstance(tree, dict):
        return _flat(offer, tree)
    rows = [row for row in tree if isinstance(row, dict)] if isinstance(tree, list) else []
    if not rows or len(rows) < len(tree) or not all(map(clock_of, rows)):  # type: ignore[arg-type] # it is a list
        raise Unreadable("a JSON list: no convention reads it")
    if len(rows) > ROWS_MAX:
        raise Unreadable(f"a JSON list of {len(rows)} objects is over {ROWS_MAX}")
    return [said for row in rows for said in tell(offer, _flat(offer, row))]


def _flat(offer: Offer, tree: dict[str, object]) -> Flat:
    clock, zone = clock_of(tree), offer.known.zone
    if clock is not None and clock.lower() in _OF_UTC:
        zone = UTC
    if "value" in tree:
        key = next((key for key in UNIT_KEYS if key in tree), "")
        unit = tree.get(key)
        if isinstance(unit, str) and len(unit.encode(errors="replace")) <= UNIT_BYTES_MAX:
            return Flat(offer.topic, tree, _Measured(key, unit), clock, zone, (key,))
    return Flat(offer.topic, tree, offer.known.of(Plain).names.__getitem__, clock, zone)


class _Measured:
    """Names of values where one of them, `value`, has its unit beside it."""

    __slots__ = ("_key", "_unit")

    def __init__(self, key: str, unit: str) -> None:
        self._key = key
        self._unit = unit

    def __call__(self, path: str) -> Channel | None:
        if path == self._key:
            return None
        return gauge(path, self._unit if path == "value" else "")


class Plain:
    """Names of values that have no unit and no other name but their place."""

    def __init__(self) -> None:
        self.names = Names(gauge)


def clock_of(tree: dict[str, object]) -> str | None:
    """The key at the top that holds the message's time; None when none does."""
    found = [key for key in tree if key in _RANKS or key.lower() in _RANKS]
    if len(found) > 1:
        found.sort(key=lambda key: _RANKS[key.lower()])
    for key in found:
        if time_us(tree[key]) is not Undated.NOT_A_TIME:
            return key
    return None


def tell(offer: Offer, flat: Flat) -> Sequence[Said]:
    """What a plain tree says, value by value."""
    said = Said(flat.device)
    clock = flat.clock
    if clock is not None and not offer.date(said, flat.tree.get(clock), flat.zone):
        clock = None
    name, numbers = flat.name, said.numbers
    for key, value in flat.tree.items():
        if isinstance(value, dict | list):
            flatten(said, key, value, flat, offer.limits, 2)
        elif key != clock:
            channel = name(key)
            if channel is None:
                continue
            kind = type(value)
            if kind is float:  # most values, kept short; JSON has no NaN
                numbers.append((channel, value))  # type: ignore[arg-type] # it is a float
            elif kind is int and -_EXACT < value < _EXACT:  # type: ignore[operator] # an int
                numbers.append((channel, float(value)))  # type: ignore[arg-type]
            else:
                say(said, channel, value, offer.limits)
    return (said,)


def flatten(
    said: Said,
    path: str,
    tree: dict[str, object] | list[object],
    flat: Flat,
    limits: ReadingLimits,
    depth: int,
) -> None:
    """Add the values of a map or list within ``path``, which is ``depth`` maps deep."""
    if depth > limits.depth_max:
        said.faults.append(f"nested deeper than {limits.depth_max} at {path[:_SUFFIX_MAX]!r}")
        return
    if len(path) > NAME_CHARS_MAX:  # each value within would repeat it
        told = f"a name over {NAME_CHARS_MAX} characters at {path[:_SUFFIX_MAX]!r}"
        said.faults.append(told)
        return
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in pairs:
        name = f"{path}.{key}"
        if isinstance(value, dict | list):
            flatten(said, name, value, flat, limits, depth + 1)
        else:
            channel: Channel | None = flat.name(name)
            if channel is not None:
                say(said, channel, value, limits)


CONVENTION = Convention("json", OBJECT_RANK, read)
