"""Pure: an operation on series: who did when what to which, and since which event time.

Operations are kept for ever in the order they were made; undoing one is another. Each carries the
names of the stored series that it speaks of, so that it means the same whatever history holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from fractions import Fraction
from typing import Any, Final

from cloud.lake.names import Name
from cloud.series.units import Factor

BEGINNING: Final = -(1 << 63)
END: Final = (1 << 63) - 1
"""Event times, µs, before and after all others."""


class OperationKind(Enum):
    """What is done; the value is its name on the wire and in the registry."""

    RENAME = "rename"
    """`series` is called otherwise from now on, all its history with it."""
    REPLACE = "replace"
    """From `from_us` on `series` is read from `other`, which is no series of its own any more."""
    MERGE = "merge"
    """Readings of `other` in [from, to) belong to `series` beside its own."""
    UNIT = "unit"
    """All of `series` is shown in `unit`."""
    MEASURED = "measured"
    """What was stored in [from, to) is in `unit`, whatever its gateway said."""
    RETIRE = "retire"
    """`series` ended at `from_us`: its history stays, lists leave it out."""
    UNDO = "undo"
    """The operation `target` counts no more."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of the log; what a kind does not need is left as it is by default.

    ``names`` are the stored series ``series`` and ``other``. ``factor`` is the operator's word on
    how a value of unit ``between[0]`` becomes one of ``between[1]``, None where units say it.
    """

    id: str
    kind: OperationKind
    created_us: int
    author: str
    note: str
    series: int = 0
    other: int = 0
    from_us: int = BEGINNING
    to_us: int = END
    device: str = ""
    metric: str = ""
    unit: str = ""
    factor: Factor | None = None
    between: tuple[str, str] = ("", "")
    target: str = ""
    names: tuple[Name, ...] = ()

    def says_as(self, other: "Operation") -> bool:
        """Whether both say the same, whenever they were made."""
        return _plain(self) == _plain(other)


def _plain(each: Operation) -> Operation:
    """What was asked for: nobody says when `now` is."""
    is_now = each.kind is OperationKind.RETIRE and each.from_us == each.created_us
    since = BEGINNING if is_now else each.from_us
    return replace(each, created_us=0, from_us=since, names=(), between=("", ""))


class CannotApply(Exception):  # noqa: N818 - the caller's fault
    """An operation that cannot be: why, what to do, and of which operation it is said."""

    def __init__(self, cause: str, hint: str, operation: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.hint = hint
        self.operation = operation


_NAME: Final = tuple(field.name for field in fields(Name))


def packed(operation: Operation) -> dict[str, Any]:
    """What one says, as JSON has it: the reverse of `unpacked`; ids are hexadecimal."""
    names = [{name: getattr(each, name) for name in _NAME} for each in operation.names]
    factor = operation.factor
    return {
        "series": f"{operation.series:016x}",
        "other": f"{operation.other:016x}",
        "from_us": operation.from_us,
        "to_us": operation.to_us,
        "device": operation.device,
        "metric": operation.metric,
        "unit": operation.unit,
        "factor": None if factor is None else [str(factor.a), str(factor.b)],
        "between": list(operation.between),
        "target": operation.target,
        "names": [each | {"id": f"{each['id']:016x}"} for each in names],
    }


def unpacked(told: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that `packed` told. ValueError, KeyError when they are damaged."""
    factor = told["factor"]
    return {
        **told,
        "series": int(told["series"], 16),
        "other": int(told["other"], 16),
        "factor": None if factor is None else Factor(Fraction(factor[0]), Fraction(factor[1])),
        "between": (told["between"][0], told["between"][1]),
        "names": tuple(Name(**(each | {"id": int(each["id"], 16)})) for each in told["names"]),
    }
