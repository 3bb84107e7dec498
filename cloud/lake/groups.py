"""Pure: which blocks of a pass are decoded together.

A backlog is taken in large passes, whose rows would not fit into memory at once. Blocks are of one
gateway each, and the tables are ordered by gateway first: blocks of some gateways, decoded by
themselves, give rows that stand before or behind those of all others. So the files of a large pass
do not overlap, and what it covers needs no sorting later.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from cloud.journal.contract import Entry
from cloud.lake.embedded import TEXTS_BYTES_MAX
from protos.block import MalformedBlock, read_header
from protos.limits import TEXT_BYTES_MAX, TEXTS_EXPANDED_BYTES_MAX
from protos.records import Kind

_READINGS: Final = (Kind.NUMBERS, Kind.TEXTS)


def in_groups(entries: Sequence[Entry], rows_max: int) -> tuple[list[list[Entry]], int]:
    """The first entries in groups of gateways, in the tables' order; and how many they are.

    One entry at least. No group has more than ``rows_max`` rows, as headers promise, or texts that
    may come to more than TEXTS_BYTES_MAX, unless an entry has by itself; nor have all of them
    together so many rows of rare tables.
    """
    rows: Counter[str] = Counter()
    texts: Counter[str] = Counter()
    rare, count = 0, 0
    for entry in entries:
        promised = _promised(entry)
        more = sum(promised.values())
        own = promised.get(Kind.TEXTS, 0)
        size = min(own * TEXT_BYTES_MAX, TEXTS_EXPANDED_BYTES_MAX)
        rare += more - sum(promised.get(kind, 0) for kind in _READINGS)
        gateway = entry.gateway
        is_over = rows[gateway] + more > rows_max or texts[gateway] + size > TEXTS_BYTES_MAX
        if count and (is_over or rare > rows_max):
            break
        rows[gateway] += more
        texts[gateway] += size
        count += 1
    place = _places(rows, texts, rows_max)
    groups: list[list[Entry]] = [[] for _ in range(max(place.values(), default=0) + 1)]
    for entry in entries[:count]:
        groups[place[entry.gateway]].append(entry)
    return groups, count


def _places(rows: Counter[str], texts: Counter[str], rows_max: int) -> dict[str, int]:
    """The number of each gateway's group: neighbours together, groups of about one size."""
    total = sum(rows.values())
    target = -(-total // max(-(-total // rows_max), 1))
    place: dict[str, int] = {}
    number = held = held_texts = 0
    for gateway in sorted(rows):
        is_over = held + rows[gateway] > rows_max or held_texts + texts[gateway] > TEXTS_BYTES_MAX
        if place and (is_over or held >= target):
            number, held, held_texts = number + 1, 0, 0
        place[gateway] = number
        held += rows[gateway]
        held_texts += texts[gateway]
    return place


def _promised(entry: Entry) -> dict[Kind, int]:
    try:
        return dict(read_header(entry.data)[0].rows)
    except MalformedBlock:
        return {}  # `decode` will say so
