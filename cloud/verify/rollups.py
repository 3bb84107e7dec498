"""Do the rollups account for the readings? Counted again, beside what `readings` hold.

Where retention removed readings, a rollup accounts for more: days of a series in its hull
(`cloud.retention.rules`) are left out on both sides.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from cloud.errors import StorageError
from cloud.lake.table.schema import READINGS, ROLLUPS, TableSpec, is_whole
from cloud.lake.table.state import State, look
from cloud.ledger.of_lake import Key, counted_outside, unsound_in, unsure_in
from cloud.retention.rules import Hulls

_UNSURE: Final = "of a former version or of late readings, leave some questions to the readings"
_REBUILD: Final = "`tidegate-cloud rebuild` makes it again"

Counted = TypeVar("Counted", bound=Counter[Any])


class Told(Protocol):
    """Takes what is found (`cloud.verify.whole.Verdict`)."""

    notes: list[str]

    def blame(self, fault: str) -> None:
        """History is not whole."""


def compare_rollups(
    lake: Path, tables: Mapping[str, State], hulls: Hulls, rows: Counter[Key], told: Told
) -> None:
    """Tell what rollups do not account for; ``rows`` are those of `readings`."""
    readings = tables[READINGS.name]
    of_gateway: Counter[str] = Counter()
    for (gateway, _), count in rows.items():
        of_gateway[gateway] += count
    if hulls:
        found = _counted(lake, READINGS, readings, hulls, told)
        if found is None:
            return
        of_gateway = found
    for spec in ROLLUPS:
        state = tables[spec.name]
        standing = (state.offset, state.released, state.corrected)
        if standing != (readings.offset, readings.released, readings.corrected):
            told.notes.append(f"{spec.name} is at {state.offset}, not compared")
            continue
        found = _counted(lake, spec, state, hulls, told)
        if found is None:
            continue
        for gateway in sorted(found.keys() | of_gateway.keys()):
            is_short = is_whole(spec) and found[gateway] < of_gateway[gateway]
            if is_short or found[gateway] > of_gateway[gateway]:
                text = f"{spec.name} accounts for {found[gateway]:,} of {of_gateway[gateway]:,}"
                told.blame(f"{gateway}: {text} readings")


def total_of(parts: Mapping[str, Counted]) -> Counted:
    """The sum of counters by file."""
    total: Any = Counter()
    for part in parts.values():
        total.update(part)
    return total  # type: ignore[no-any-return]


def _counted(
    lake: Path, spec: TableSpec, state: State, hulls: Hulls, told: Told
) -> Counter[str] | None:
    """What a table accounts for by gateway; None when that cannot be told."""
    paths = [Path(path) for path in state.files.paths()]
    try:
        found = total_of({str(path): counted_outside(path, spec, hulls) for path in paths})
        is_rollup = spec is not READINGS
        unsure = sum(unsure_in(path, spec) for path in paths) if is_rollup else 0
        unsound = sum(unsound_in(path, spec) for path in paths)
    except FileNotFoundError as error:
        if look(lake, spec).files.version != state.files.version:
            told.notes.append(f"{spec.name} was merged meanwhile, not compared ({error})")
        else:
            gone = next((path for path in paths if not path.exists()), lake / spec.name)
            told.blame(f"{gone} is missing: {_REBUILD}")
        return None
    except StorageError as error:
        told.blame(f"{spec.name}: {error.tried}: {error.cause}: {_REBUILD}")
        return None
    if unsound:
        told.blame(f"{spec.name}: bins of {unsound:,} rows count other readings: {_REBUILD}")
    if unsure:
        text = f"{spec.name}: {unsure:,} rows, {_UNSURE}"
        told.notes.append(f"{text}; `tidegate-cloud rebuild` makes them whole")
    return found
