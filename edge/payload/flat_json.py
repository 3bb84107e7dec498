"""Pure: JSON objects, `plant/pump1` → `{"ts":1700000000.123,"flow":3.2,"ok":true}`.

The topic is the device, every key a metric; nested maps and lists flatten with dots
(`{"DS18B20":{"Temperature":20.6}}` → `DS18B20.Temperature`, `{"power":[1,2]}` → `power.0`,
`power.1`). The first of the keys `ts`, `timestamp`, `time` at the top, in any case, that holds a
time gives the readings' time.
"""

from collections.abc import Sequence

from edge.payload.offer import NAME_CHARS_MAX, OBJECT_RANK, Convention, Flat, Names, Offer
from edge.payload.said import Channel, ReadingLimits, Said, Unreadable
from edge.payload.timestamp import Undated, time_us
from edge.payload.value import gauge, say

TIME_KEYS = ("ts", "timestamp", "time")
_SUFFIX_MAX = 64
_EXACT = 1 << 53


def read(offer: Offer) -> Flat | None:
    """What a JSON object says; None for anything else.

    Raises:
        Unreadable: JSON that is broken, too deep or too long, or is a list.
    """
    if offer.opening not in (b"{", b"["):
        return None
    tree = offer.tree()
    if not isinstance(tree, dict):
        raise Unreadable("a JSON list: no convention reads it")
    names = offer.known.of(Plain).names.__getitem__
    return Flat(offer.topic, tree, names, clock_of(tree), offer.known.zone)


class Plain:
    """Names of values that have no unit and no other name but their place."""

    def __init__(self) -> None:
        self.names = Names(gauge)


def clock_of(tree: dict[str, object]) -> str | None:
    """The key at the top that holds the message's time; None when none does."""
    present = {key.lower(): key for key in tree if key[:1] in "tT" and key.lower() in TIME_KEYS}
    for name in TIME_KEYS if present else ():
        key = present.get(name)
        if key is not None and time_us(tree[key]) is not Undated.NOT_A_TIME:
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
