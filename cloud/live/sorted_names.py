"""What names alone say of series, kept for searches, and grown when series come.

Lists and columns stand in the order of the book, to whose end new series come, so that they are
only added to; ``order`` and ``keys`` are in the order of names. A hundred thousand names are
read once; one that comes costs a merge of what is sorted already.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud.lake.names import Name

Key = tuple[str, str, str, str]
"""Gateway, device, metric and id (hex): the order of the catalogue."""
Codes = dict[str, int]
"""Texts that many series share, by the number that stands for each."""


@dataclass(frozen=True, slots=True)
class SortedNames:
    """All names up to a moment; nothing of it changes, but lists and codes may have more behind.

    ``texts`` are what a part is searched in, ``paths`` what a pattern must fit, both folded.
    The devices are in the order of names: those of ``devices[i]`` begin at ``starts[i]``.
    """

    names: Sequence[Name]
    former: Mapping[int, str]
    sorted: Sequence[tuple[Key, int]]
    order: NDArray[np.int64]
    keys: Sequence[Key]
    texts: list[str]
    paths: list[str]
    ids: NDArray[np.int64]
    kinds: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.int64]]
    codes: Mapping[str, Codes]
    devices: Sequence[tuple[str, str]]
    starts: NDArray[np.int64]


CODED = ("device", "metric", "unit", "labels")
"""What of a name is searched by its code: few of them are different."""
_NONE = np.empty(0, np.int64)


def begun(former: Mapping[int, str]) -> SortedNames:
    """No names yet; ``former`` are those under which some will be found beside their own."""
    columns = dict.fromkeys(CODED, _NONE)
    codes: Mapping[str, Codes] = {column: {} for column in CODED}
    ends = np.zeros(1, np.int64)
    return SortedNames([], former, [], _NONE, [], [], [], _NONE, _NONE, columns, codes, [], ends)


def is_continued(held: SortedNames, names: Sequence[Name]) -> bool:
    """Whether what is held and these names begin alike, as far as the shorter of them goes.

    A book puts series that operations joined behind all others: when one comes they move, the
    last of them too.
    """
    count = min(len(held.names), len(names))
    return count == 0 or names[count - 1] == held.names[count - 1]


def grown(held: SortedNames, names: Sequence[Name]) -> SortedNames:
    """What is held, and the names that came behind it."""
    count = len(held.names)
    new = names[count:]
    for name in new:
        path = f"{name.gateway}/{name.device}/{name.metric}".casefold()
        more = held.former.get(name.id, "").casefold()
        held.paths.append(path)
        held.texts.append(f"{path} {name.labels.casefold()} {more}" if more else
                          f"{path} {name.labels.casefold()}")  # fmt: skip
    keyed = [
        ((n.gateway, n.device, n.metric, f"{n.id:016x}"), count + i) for i, n in enumerate(new)
    ]
    keyed = sorted([*held.sorted, *sorted(keyed)])  # two runs: a merge, not a sort
    keys = [key for key, _ in keyed]
    order = np.array([at for _, at in keyed], np.int64)
    ids = np.concatenate([held.ids, np.array([n.id for n in new], np.int64)])
    kinds = np.concatenate([held.kinds, np.array([n.kind for n in new], np.int64)])
    columns = {
        column: np.concatenate([held.columns[column], _coded(held.codes[column], new, column)])
        for column in CODED
    }
    starts = [i for i, key in enumerate(keys) if not i or key[:2] != keys[i - 1][:2]]
    devices = [keys[i][:2] for i in starts]
    ends = np.array([*starts, len(keys)], np.int64)
    return SortedNames(
        names, held.former, keyed, order, keys, held.texts, held.paths, ids, kinds, columns,
        held.codes, devices, ends,
    )  # fmt: skip


def _coded(codes: Codes, names: Sequence[Name], column: str) -> NDArray[np.int64]:
    texts = (getattr(name, column) for name in names)
    return np.array([codes.setdefault(text, len(codes)) for text in texts], np.int64)
