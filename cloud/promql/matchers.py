"""Pure: which values of a label are meant: `=`, `!=`, and `=~`, `!~` for the whole of a value.

Patterns are RE2's, as they are in Prometheus: the time one takes is in proportion to what it is
held against, whatever it says. A label that a series does not have is empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

PATTERN_CHARS_MAX: Final = 1_000


class BadPattern(ValueError):  # noqa: N818 - the caller's fault
    """A pattern that RE2 does not take, or one that is too long; the argument says why."""


class Operator(Enum):
    """How a value is compared; the value is how it is written."""

    EQUAL = "="
    UNEQUAL = "!="
    MATCHES = "=~"
    DIFFERS = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition for series. BadPattern when it is made of a pattern that is none."""

    label: str
    operator: Operator
    value: str

    def __post_init__(self) -> None:
        if self.operator in (Operator.MATCHES, Operator.DIFFERS):
            check(self.value)

    @property
    def takes_empty(self) -> bool:
        """Whether series without the label fulfil it."""
        return bool(self.accepts([""])[0])

    def accepts(self, values: Sequence[str]) -> NDArray[np.bool_]:
        """Which of these values fulfil it."""
        if self.operator in (Operator.EQUAL, Operator.UNEQUAL):
            same = np.fromiter((each == self.value for each in values), bool, len(values))
            return same if self.operator is Operator.EQUAL else ~same
        held = pa.array(values, pa.string())
        found = pc.match_substring_regex(held, _whole(self.value))
        fits: NDArray[np.bool_] = found.to_numpy(zero_copy_only=False).astype(bool)
        return fits if self.operator is Operator.MATCHES else ~fits


def _whole(pattern: str) -> str:
    """The pattern for all of a value, whose `.` is any character."""
    return f"^(?s:{pattern})$"


def check(pattern: str) -> None:
    r"""BadPattern when it cannot be used.

    By itself, so that no `)` closes what surrounds it; and surrounded, which a `\Q` would quote.
    """
    if len(pattern) > PATTERN_CHARS_MAX:
        raise BadPattern(f"a pattern of {len(pattern)} characters; {PATTERN_CHARS_MAX} are allowed")
    try:
        for each in (pattern, _whole(pattern)):
            pc.match_substring_regex(pa.array([""], pa.string()), each)
    except pa.ArrowInvalid as error:
        raise BadPattern(str(error).removeprefix("Invalid regular expression: ")) from None
    except UnicodeEncodeError:
        raise BadPattern("a pattern that is no text") from None
