"""Pure: how a CSV file is written: delimiter, decimal sign, header; told from its first lines."""

import csv
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

DELIMITERS: Final = (";", "\t", ",", "|")
LINES_MAX: Final = 50
"""Lines looked at."""
_LINE_END = re.compile(r"\r\n|\n|\r")
_COMMA_NUMBER = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?")
_POINT_NUMBER = re.compile(r"[+-]?[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class CsvForm:
    """How a file is written.

    ``header``: the names of its columns, ``header_lines``: lines to pass over before the first row.
    """

    delimiter: str
    decimal: str
    header: tuple[str, ...]
    header_lines: int


def sniff(text: str, delimiter: str, decimal: str, has_header: bool, is_whole: bool) -> CsvForm:
    """Tell the form from the head of a file; what is given is taken as it is.

    ``is_whole``: the head is the whole file, so that its last line is one.
    """
    every = _LINE_END.split(text)
    lines = [line for line in every if line.strip()]
    blank = next((at for at, line in enumerate(every) if line.strip()), 0)
    lines = lines[:LINES_MAX] if is_whole or len(lines) > LINES_MAX else lines[:-1] or lines
    chosen = delimiter or _delimiter(lines)
    rows = list(csv.reader(lines, delimiter=chosen))
    first = rows[0] if rows else []
    numbered = [f"column{number}" for number in range(1, len(first) + 1)]
    if not has_header:
        return CsvForm(chosen, decimal or _decimal(chosen, rows), tuple(numbered), 0)
    # A column without a name, as an index has that a table was written with, is named by its place.
    header = tuple(name.strip() or place for name, place in zip(first, numbered, strict=True))
    return CsvForm(chosen, decimal or _decimal(chosen, rows[1:]), header, blank + 1)


def _delimiter(lines: list[str]) -> str:
    """The one that splits most lines into the same number of cells, more than one; else a comma."""
    best = (0, 0, "")
    for each in DELIMITERS:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=each))
        width, often = next(iter(widths.most_common(1)), (0, 0))
        if width > 1:
            # A decimal comma splits too: of two that fit alike, the rarer sign comes first above.
            best = max(best, (often, 0, each), key=lambda one: one[0])
    return best[2] or ","


def _decimal(delimiter: str, rows: list[list[str]]) -> str:
    cells = [cell.strip() for row in rows for cell in row]
    commas = sum(_COMMA_NUMBER.fullmatch(cell) is not None for cell in cells)
    points = sum(_POINT_NUMBER.fullmatch(cell) is not None for cell in cells)
    return "," if delimiter != "," and commas > points else "."
