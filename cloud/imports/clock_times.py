"""Times of files: instants, local times of a zone, or numbers of a unit, as µs UTC.

Nothing is guessed where a guess could be wrong by an hour: a local time needs a zone, one that the
clocks skipped is refused, and so is one that came twice until the operator says which is meant.
"""

import difflib
import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cloud.errors import OperatorError
from cloud.imports.piece import Reason, Times

FIRST_US: Final = 0
LAST_US: Final = 4_102_444_800_000_000
"""2100-01-01: what lies beyond was read in a wrong unit."""
DAY_US: Final = 86_400_000_000
TABLES_END_US: Final = 2_114_380_800_000_000
"""2037-01-01: Arrow (26) goes on with the last rule of its tables, so without summer time."""
_LOCAL: Final = pa.timestamp("us")
_INSTANT: Final = pa.timestamp("us", "UTC")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}(?:\.[0-9]{0,9})?")

Problems = NDArray[np.uint8]
"""0, or 1 + the place of a `Reason` in `REASONS`."""
REASONS: Final = tuple(Reason)


class Unit(Enum):
    """Of times that are numbers; `auto` tells by their size, as dates do not overlap."""

    AUTO = "auto"
    S = "s"
    MS = "ms"
    US = "us"
    NS = "ns"


class Ambiguous(Enum):
    """What a local time means that came twice, when clocks were set back."""

    REJECT = "reject"
    EARLIEST = "earliest"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class TimeRule:
    """How to read times. ``zone``: of local times, ``format``: strptime's, empty for ISO 8601."""

    zone: str = ""
    unit: Unit = Unit.AUTO
    format: str = ""
    ambiguous: Ambiguous = Ambiguous.REJECT

    def __post_init__(self) -> None:
        known = zoneinfo.available_timezones()
        if self.zone and self.zone not in known:
            near = difflib.get_close_matches(self.zone, sorted(known), 1, 0.4)
            hint = f"did you mean {near[0]}?" if near else "as in Europe/Berlin, or UTC"
            raise OperatorError("take --zone", f"there is no zone {self.zone!r}", hint)


def read_times(column: pa.Array, rule: TimeRule) -> tuple[Times, Problems]:
    """Times in µs UTC, and what is wrong with each that is none."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _of_timestamps(column, rule)
    if pa.types.is_integer(kind):
        whole = pc.fill_null(column.cast(pa.int64(), safe=False), 0).to_numpy(zero_copy_only=False)
        ts, problems = _of_whole(whole, rule.unit)
        return _checked(ts, problems, column)
    if pa.types.is_floating(kind):
        parts = pc.fill_null(column.cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False)
        ts, problems = _of_parts(parts, rule.unit)
        return _checked(ts, problems, column)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _of_strings(column, rule)
    raise OperatorError(
        "read the time column", f"it holds {kind}", "times are timestamps, numbers or texts"
    )


def said(reason: Reason) -> int:
    """The problem that stands for a reason."""
    return REASONS.index(reason) + 1


def _checked(ts: Times, problems: Problems, column: pa.Array) -> tuple[Times, Problems]:
    out = (problems == 0) & ((ts < FIRST_US) | (ts >= LAST_US))
    problems[out] = said(Reason.OUT_OF_RANGE)
    if column.null_count:
        problems[column.is_null().to_numpy(zero_copy_only=False)] = said(Reason.NO_TIME)
    return ts, problems


def _of_timestamps(column: pa.Array, rule: TimeRule) -> tuple[Times, Problems]:
    is_local = column.type.tz is None
    column = column.cast(_LOCAL if is_local else _INSTANT, safe=False)
    ts = pc.fill_null(column.cast(pa.int64()), 0).to_numpy(zero_copy_only=False).copy()
    problems = np.zeros(len(ts), np.uint8)
    if is_local:
        ts, problems = _to_utc(ts, rule)
    return _checked(ts, problems, column)


def _to_utc(local: Times, rule: TimeRule) -> tuple[Times, Problems]:
    """Instants of local times, by the zone's rules of that day."""
    problems = np.zeros(len(local), np.uint8)
    if not rule.zone:
        problems[:] = said(Reason.NO_ZONE)
        return local, problems
    out = (local < FIRST_US - DAY_US) | (local >= LAST_US + DAY_US)
    column = pa.array(np.where(out, 0, local)).cast(_LOCAL)
    both: list[Times] = [
        pc.assume_timezone(column, rule.zone, ambiguous=which, nonexistent=which)
        .cast(pa.int64())
        .to_numpy(zero_copy_only=False)
        for which in ("earliest", "latest")
    ]
    both = _corrected(local, both, rule.zone) if (local >= TABLES_END_US).any() else both
    differ = both[0] != both[1]
    if differ.any():
        # A skipped time has no instant whose local time it is; one that came twice has two.
        back = pc.local_timestamp(pa.array(both[0]).cast(_INSTANT).cast(_zoned(rule.zone)))
        never = differ & (back.cast(pa.int64()).to_numpy(zero_copy_only=False) != local)
        problems[never] = said(Reason.NEVER)
        if rule.ambiguous is Ambiguous.REJECT:
            problems[differ & ~never] = said(Reason.TWICE)
    ts = both[1] if rule.ambiguous is Ambiguous.LATEST else both[0]
    problems[out] = said(Reason.OUT_OF_RANGE)
    return ts.copy(), problems


def _corrected(local: Times, both: list[Times], zone: str) -> list[Times]:
    """The same by Python's own rules for years that Arrow's tables of zones do not reach."""
    rules, (earliest, latest) = zoneinfo.ZoneInfo(zone), (one.copy() for one in both)
    for at in np.flatnonzero((local >= TABLES_END_US) & (local < LAST_US + DAY_US)).tolist():
        moment = _EPOCH.replace(tzinfo=rules) + timedelta(microseconds=int(local[at]))
        folds = [(moment.replace(fold=fold) - _EPOCH) // _US for fold in (0, 1)]
        earliest[at], latest[at] = min(folds), max(folds)
    return [earliest, latest]


def _zoned(zone: str) -> pa.DataType:
    return pa.timestamp("us", zone)


def _of_whole(whole: Times, unit: Unit) -> tuple[Times, Problems]:
    problems = np.zeros(len(whole), np.uint8)
    most = LAST_US // 1_000_000
    if unit is not Unit.AUTO:
        scale = {Unit.S: 1_000_000, Unit.MS: 1000, Unit.US: 1, Unit.NS: 1}[unit]
        whole = np.floor_divide(whole, 1000) if unit is Unit.NS else whole
        fits = np.abs(whole) <= LAST_US // scale
        problems[~fits] = said(Reason.OUT_OF_RANGE)
        return np.where(fits, whole, 0) * scale, problems
    ts = np.where(whole < 10**11, np.minimum(whole, most) * 1_000_000, whole)
    ts = np.where((whole >= 10**11) & (whole < 10**14), whole * 1000, ts)
    ts = np.where(whole >= 10**17, whole // 1000, ts)
    problems[whole < 10**8] = said(Reason.NOT_A_TIME)
    return ts, problems


def _of_parts(parts: NDArray[np.float64], unit: Unit) -> tuple[Times, Problems]:
    problems = np.zeros(len(parts), np.uint8)
    is_bad = ~np.isfinite(parts) | (np.abs(parts) >= 9e18)
    parts = np.where(is_bad, 0.0, parts)
    if unit is Unit.AUTO:
        problems[parts < 1e8] = said(Reason.NOT_A_TIME)
        ts = parts * np.select([parts < 1e11, parts < 1e14, parts < 1e17], [1e6, 1e3, 1.0], 1e-3)
    else:
        ts = parts * {Unit.S: 1e6, Unit.MS: 1e3, Unit.US: 1.0, Unit.NS: 1e-3}[unit]
    out = np.abs(ts) > LAST_US
    problems[out] = said(Reason.OUT_OF_RANGE)
    problems[is_bad] = said(Reason.NOT_A_TIME)
    return np.rint(np.where(out, 0.0, ts)).astype(np.int64), problems


def _of_strings(column: pa.Array, rule: TimeRule) -> tuple[Times, Problems]:
    column = pc.utf8_trim_whitespace(column)
    column = pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
    if rule.format:
        return _of_format(column, rule)
    if rule.unit is not Unit.AUTO or _looks_like_numbers(column):
        numbers = _as_numbers(column, rule)
        return _one_by_one(column, rule) if numbers is None else read_times(numbers, rule)
    found = _try_cast(column, _LOCAL) or _try_cast(column, _INSTANT)
    return _one_by_one(column, rule) if found is None else _of_timestamps(found, rule)


def _looks_like_numbers(column: pa.Array) -> bool:
    first = pc.drop_null(column.slice(0, 64))
    return len(first) > 0 and _NUMBER.fullmatch(first[0].as_py()) is not None


def _as_numbers(column: pa.Array, rule: TimeRule) -> pa.Array | None:
    """The texts as numbers, where each says the same as alone: a float has no nanoseconds."""
    whole = _try_cast(column, pa.int64())
    if whole is not None or rule.unit is Unit.NS:
        return whole
    parts = _try_cast(column, pa.float64())
    is_fine = parts is None or (pc.max(pc.abs(parts)).as_py() or 0.0) >= 1e17
    return None if is_fine else parts


def _try_cast(column: pa.Array, kind: pa.DataType) -> pa.Array | None:
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        return None


def _of_format(column: pa.Array, rule: TimeRule) -> tuple[Times, Problems]:
    if "%f" in rule.format or "%z" in rule.format or "%Z" in rule.format:
        return _one_by_one(column, rule)
    try:
        found = pc.strptime(column, rule.format, "us", error_is_null=True)
    except pa.ArrowInvalid:
        return _one_by_one(column, rule)
    ts, problems = _of_timestamps(found, rule)
    wrong = (found.is_null().to_numpy(zero_copy_only=False)) & column.is_valid().to_numpy(
        zero_copy_only=False
    )
    problems[wrong] = said(Reason.NOT_A_TIME)
    return ts, problems


def _one_by_one(column: pa.Array, rule: TimeRule) -> tuple[Times, Problems]:
    """For columns of mixed forms: each distinct text once, in Python."""
    coded = column.dictionary_encode()
    texts = coded.dictionary.to_pylist()
    ts, is_local, problems = (np.zeros(len(texts) + 1, kind) for kind in (np.int64, bool, np.uint8))
    problems[-1] = said(Reason.NO_TIME)
    for index, text in enumerate(texts):
        ts[index], is_local[index], problems[index] = _read(text, rule)
    local = np.flatnonzero(is_local)
    if len(local):
        ts[local], problems[local] = _to_utc(ts[local], rule)
    out = (problems == 0) & ((ts < FIRST_US) | (ts >= LAST_US))
    problems[out] = said(Reason.OUT_OF_RANGE)
    at = pc.fill_null(coded.indices, len(texts)).to_numpy(zero_copy_only=False)
    return ts[at], problems[at]


def _read(text: str, rule: TimeRule) -> tuple[int, bool, int]:
    """(µs, whether they are local, the problem) of one text."""
    if rule.format:
        return _read_date(text, rule.format)
    if rule.unit is not Unit.AUTO or _NUMBER.fullmatch(text):
        if _WHOLE.fullmatch(text) and abs(int(text)) < 1 << 63:
            ts, problems = _of_whole(np.array([int(text)], np.int64), rule.unit)
        elif _NUMBER.fullmatch(text):
            ts, problems = _of_parts(np.array([float(text)]), rule.unit)
        else:
            return 0, False, said(Reason.NOT_A_TIME)
        return int(ts[0]), False, int(problems[0])
    return _read_date(text, "")


def _read_date(text: str, form: str) -> tuple[int, bool, int]:
    try:
        moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
        is_local = moment.tzinfo is None
        us = (moment.replace(tzinfo=UTC) if is_local else moment) - _EPOCH
    except (ValueError, OverflowError):
        return 0, False, said(Reason.NOT_A_TIME)
    return us // _US, is_local, 0
