"""Pure: lists of tags, as OPC servers and IoT platforms send them.

Kepware's IoT Gateway: `{"timestamp":…,"values":[{"id":"Line.Motor.Speed","v":42,"q":true,"t":…}]}`:
the topic is the device, the tag the metric; a value of bad quality is a gap. ThingsBoard:
`{"ts":…,"values":{"temperature":42}}`, and its gateways' `{"Device A":[{"ts":…,"values":{…}}]}`,
whose keys are the devices.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from edge.payload.flat_json import clock_of, flatten
from edge.payload.offer import NAME_CHARS_MAX, SHAPE_RANK, Convention, Flat, Offer
from edge.payload.said import Said
from edge.payload.value import gauge, say

_ROWS_MAX: Final = 4096
_VALUES: Final = b'"values"'


def read(offer: Offer) -> Sequence[Said] | None:
    """What a list of tags says, a part for each device and time; None for anything else.

    Raises:
        Unreadable: broken JSON.
    """
    if offer.opening != b"{" or _VALUES not in offer.payload:
        return None
    tree = offer.mapping()
    values = tree.get("values")
    if isinstance(values, list):
        return _tags(offer, tree, values)
    if isinstance(values, dict):
        return [_row(offer, offer.topic, tree)] if _is_row(tree) else None
    if not tree or not all(isinstance(rows, list) and rows for rows in tree.values()):
        return None
    rows = list(_rows(tree))
    if not rows or len(rows) > _ROWS_MAX or not all(_is_row(row) for _, row in rows):
        return None
    return [_row(offer, device, row) for device, row in rows]


def _rows(tree: dict[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    for device, rows in tree.items():
        for row in rows if isinstance(rows, list) else ():
            yield (device, row if isinstance(row, dict) else {})


def _is_row(tree: dict[str, object]) -> bool:
    """Whether it is a time and a map of values, and nothing else."""
    return isinstance(tree.get("values"), dict) and tree.keys() <= {"ts", "timestamp", "values"}


def _row(offer: Offer, device: str, row: dict[str, object]) -> Said:
    said = Said(device)
    _date(offer, said, row)
    values = row["values"]
    flat = Flat(device, {}, gauge)
    for key, value in values.items() if isinstance(values, dict) else ():
        if isinstance(value, dict | list):
            flatten(said, key, value, flat, offer.limits, 3)
        else:
            say(said, key, value, offer.limits)
    return said


def _tags(offer: Offer, tree: dict[str, object], tags: list[object]) -> Sequence[Said] | None:
    """Kepware's list; None when it is another."""
    if not tags or not all(isinstance(tag, dict) and "id" in tag and "v" in tag for tag in tags):
        return None
    told: dict[int | None, Said] = {}
    for tag in tags:
        assert isinstance(tag, dict)
        said = Said(offer.topic)
        _date(offer, said, {"t": tag.get("t")} if "t" in tag else tree)
        said = told.setdefault(said.at_us, said)
        name = tag["id"]
        if not isinstance(name, str) or len(name) > NAME_CHARS_MAX:
            said.faults.append("a tag without a name, or with one that is too long")
        elif tag.get("q") is False:
            said.missing += 1
        elif isinstance(tag["v"], dict | list):
            flatten(said, name, tag["v"], Flat(offer.topic, {}, gauge), offer.limits, 4)
        else:
            say(said, name, tag["v"], offer.limits)
    return list(told.values())


def _date(offer: Offer, said: Said, tree: dict[str, object]) -> None:
    clock = "t" if "t" in tree else clock_of(tree)
    if clock is not None:
        offer.date(said, tree[clock])


CONVENTION = Convention("tag-values", SHAPE_RANK, read)
