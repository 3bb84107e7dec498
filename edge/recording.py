"""A recorded CSV as messages: what a sensor would have published, row by row.

The first column is the time (ISO 8601, taken as UTC without an offset; or seconds since 1970),
every other a value under its name in the header. Rows stay in the file's order, whatever their
times say: duplicate and backward times are part of what was recorded.
"""

import csv
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edge.errors import OperatorError

DELIMITERS: Final = ",;\t"
HEAD_CHARS_MAX: Final = 1 << 16
_FORM: Final = "a header like `timestamp,value` is needed, then one row a reading"


@dataclass(frozen=True, slots=True)
class Row:
    """One message: its event time in seconds since 1970, its payload, and the values in it."""

    at_s: float
    payload: str
    values: int


class Recording:
    """One CSV file, read anew in each pass, so that its length costs no memory.

    Raises:
        OperatorError: the file cannot be read or has no such header.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                head = file.readline(HEAD_CHARS_MAX)
                self.rows_expected = sum(1 for line in file if line.strip())
        except OSError as error:
            raise self._error(str(error.strerror), "name a CSV file") from error
        except UnicodeDecodeError as error:
            raise self._error("it is not UTF-8 text", "name a CSV file") from error
        self._delimiter = max(DELIMITERS, key=head.count)
        names = next(csv.reader([head], delimiter=self._delimiter), [])
        self.columns: Sequence[str] = [name.strip() for name in names[1:]]
        if not self.columns or not all(self.columns):
            raise self._error(f"its first line is {head.strip()[:80]!r}", _FORM)
        if "ts" in self.columns:
            raise self._error("a value is called `ts`, which names the time", "rename that column")

    def _error(self, cause: str, hint: str) -> OperatorError:
        return OperatorError(f"replay {self._path}", cause, hint)

    def rows(self) -> Iterator[Row]:
        """Every row in the file's order; a row without any value has `values` 0.

        Raises:
            OperatorError: a row whose first field is no time, naming its line.
        """
        with self._path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=self._delimiter)
            next(reader)
            try:
                for fields in reader:
                    if fields:
                        yield self._row(fields, reader.line_num)
            except csv.Error as error:
                raise self._error(f"line {reader.line_num}: {error}", _FORM) from error

    def _row(self, fields: Sequence[str], line: int) -> Row:
        try:
            at = _time(fields[0].strip())
        except (ValueError, OverflowError) as error:
            cause = f"line {line} begins with {fields[0][:40]!r}, which is no time"
            raise self._error(cause, "ISO 8601 or seconds since 1970 are times") from error
        values = {
            name: _value(text.strip())
            for name, text in zip(self.columns, fields[1:], strict=False)
            if text.strip()
        }
        payload = json.dumps({"ts": at.isoformat().replace("+00:00", "Z")} | values)
        return Row(at.timestamp(), payload, len(values))


def _time(text: str) -> datetime:
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except ValueError:
        at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _value(text: str) -> float | int | str:
    """A number where it is one that JSON can say, else the text as it stands."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else text
