"""Pure: a column of a row group as the bytes of its pages, as small as plain Parquet allows.

Pages end where a series does. Of numbers each page has the form that suits it: words of a
dictionary in whole bytes, where zstd finds what repeats; bytes split into planes, each packed by
itself; or numbers as they are. Source: parquet.thrift of Apache Parquet.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.parquet.encode import differences, planes, words
from cloud.parquet.footer import Told
from cloud.parquet.made import Chunk, Encoding, Made, levels, packed

PAGE_ROWS_MIN: Final = 1_024
"""Series with fewer rows share a page."""
PAGE_ROWS_MAX: Final = 16_384
"""Series with more rows have several pages, of one size."""
GROUP_ROWS_MIN: Final = 16_384
"""Rows in words for which a row group is begun: it takes 2 KB, words 0.1 to 0.2 B less a row."""
DICTIONARY_WORDS_MAX: Final = 8_192
"""Words of a row group; a question for one series unpacks all of them."""
_ROWS_A_WORD: Final = 4
"""A dictionary pays where each of its words comes so often."""
_TRIED: Final = 1_024
"""Numbers at a page's start by which its form is chosen."""
_SPLIT_PAYS: Final = 0.95
"""Splitting bytes must make a page smaller than this share of it: plain ones are read sooner."""
_WORDS: Final = (16, 18)
"""Of pages of 16 KB at most, for which zstd is another, and of longer ones: what a year of readings
takes counts for more than a tenth of sorting's time. At 6 they take 11 % more room."""
_SHORT: Final = 16 << 10
_PLAIN: Final = 6
"""Few pages are: at level 3 those of quantised numbers take 10 % more."""
_SPLIT: Final = 16
"""Of planes that repeat, such as a counter's."""
_QUICK: Final = 6
"""While trying."""
_REPEATS: Final = 4
"""They do where they take a part of it, this many times smaller."""
_TIMES: Final = 3


def page_ends(starts: NDArray[np.int64], rows: int) -> list[tuple[int, bool]]:
    """Where pages end, series beginning at ``starts``; and whether each holds one series alone."""
    ends = np.append(starts[1:], rows)
    found: list[tuple[int, bool]] = []
    begin = 0
    while begin < rows:
        last = int(np.searchsorted(ends, min(begin + PAGE_ROWS_MIN, rows)))
        end, is_one = int(ends[last]), bool(starts[last] <= begin)
        parts = -(-(end - begin) // PAGE_ROWS_MAX)
        found += [(begin + (end - begin) * (at + 1) // parts, is_one) for at in range(parts)]
        begin = end
    return found


def times_chunk(
    times: NDArray[np.int64], ends: Sequence[tuple[int, bool]], *, is_told: bool = True
) -> Chunk:
    """A column of times or of steady numbers, none of them null, in pages that end at ``ends``.

    ``is_told``: with its bounds.
    """
    pages = list(_between(times, ends))
    steps = differences(pages, is_large=[is_one for _, is_one in ends])
    made = Made()
    for page, held in zip(pages, steps, strict=True):
        body = levels(None, len(page)) + held
        made.page(len(page), Encoding.DELTA_BINARY_PACKED, len(body), packed(body, _TIMES))
    if not is_told:
        return made.chunk(len(times))
    low, high = (
        int(each).to_bytes(8, "little", signed=True) for each in (times.min(), times.max())
    )
    return made.chunk(len(times), Told(0, low, high))


def number_pages(
    numbers: NDArray[np.float64],
    valid: NDArray[np.bool_] | None,
    ends: Sequence[tuple[int, bool]],
) -> "list[NumberPage]":
    """Pages of numbers that end at ``ends``; rows that are not ``valid`` are null."""
    pages, left = [], DICTIONARY_WORDS_MAX
    there_of = _between(valid, ends) if valid is not None else [None] * len(ends)
    for held, there in zip(_between(numbers, ends), there_of, strict=True):
        pages.append(NumberPage.of(held, there, left))
        left -= len(pages[-1].words)
    return pages


def split(pages: "Sequence[NumberPage]") -> "list[list[NumberPage]]":
    """The pages of a chunk, or of several row groups: of each, those of words come first.

    Spark takes numbers for words where a page of words follows one of numbers in a batch. Where
    few rows would follow in words, they are numbers too.
    """
    groups: list[list[NumberPage]] = [[]]
    are_numbers = False
    for at, page in enumerate(pages):
        if are_numbers and page.has_words:
            of_words = itertools.takewhile(lambda one: not one.are_numbers, pages[at:])
            if sum(one.rows for one in of_words) < GROUP_ROWS_MIN:
                page = page.as_numbers()
            else:
                groups.append([])
                are_numbers = False
        are_numbers |= page.are_numbers
        groups[-1].append(page)
    return groups


def numbers_chunk(pages: "Sequence[NumberPage]") -> Chunk:
    """A column of these pages."""
    dictionary, places = _shared([page.words for page in pages])
    made = Made()
    if len(dictionary):
        held = dictionary.astype("<i8", copy=False).tobytes()
        made.dictionary(held, len(dictionary), _WORDS[0])
    for page, of_words in zip(pages, places, strict=True):
        made.page(page.rows, page.encoding, *page.stored(of_words))
    return made.chunk(sum(page.rows for page in pages))


def _shared(
    held: Sequence[NDArray[np.int64]],
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """One dictionary of the words of all pages, and where in it each page's words are.

    Words of pages with few come first, so that as many pages as can need one byte a place.
    """
    order = sorted(range(len(held)), key=lambda at: len(held[at]))
    every = np.concatenate([np.sort(held[at]) for at in order])
    known, firsts = np.unique(every, return_index=True)
    by_place = np.argsort(firsts)
    place = np.empty(len(known), np.int64)
    place[by_place] = np.arange(len(known))
    return known[by_place], [place[np.searchsorted(known, words)] for words in held]


@dataclass(frozen=True, slots=True)
class NumberPage:
    """Numbers in the form that suits them: ``words`` (as bits) and indices of them, or none.

    ``numbers`` are those of rows that are not null, ``levels`` tells which these are.
    """

    rows: int
    levels: bytes
    numbers: NDArray[np.float64]
    encoding: Encoding
    words: NDArray[np.int64]
    indices: NDArray[np.int32]

    @classmethod
    def of(
        cls, held: NDArray[np.float64], valid: NDArray[np.bool_] | None, words_max: int
    ) -> "NumberPage":
        """A page of these rows, of ``words_max`` words at most."""
        numbers = held if valid is None else held[valid]
        bits = numbers.view(np.int64)
        known = _dictionary(bits, min(words_max, len(bits) // _ROWS_A_WORD))
        encoding = Encoding.RLE_DICTIONARY if known else _plain_or_split(numbers)
        return cls(len(held), levels(valid, len(held)), numbers, encoding, *(known or _NO_WORDS))

    @property
    def has_words(self) -> bool:
        """Whether its numbers are words of a dictionary."""
        return self.encoding is Encoding.RLE_DICTIONARY

    @property
    def are_numbers(self) -> bool:
        """Whether they are not; a page of nulls has neither."""
        return not self.has_words and len(self.numbers) > 0

    def as_numbers(self) -> "NumberPage":
        """The same without words."""
        encoding = _plain_or_split(self.numbers)
        return NumberPage(self.rows, self.levels, self.numbers, encoding, *_NO_WORDS)

    def stored(self, places: NDArray[Any]) -> tuple[int, bytes]:
        """How many bytes the page has, and what they become; ``places`` of its words."""
        match self.encoding:
            case Encoding.RLE_DICTIONARY:
                body = self.levels + words(places[self.indices])
                return len(body), packed(body, _WORDS[len(body) > _SHORT])
            case Encoding.BYTE_STREAM_SPLIT:
                return len(self.levels) + self.numbers.nbytes, self._split()
            case _:
                body = self.levels + self.numbers.astype("<f8", copy=False).tobytes()
                return len(body), packed(body, _PLAIN)

    def _split(self) -> bytes:
        return _split(self.levels, self.numbers, _SPLIT)


_NO_WORDS: Final = (np.empty(0, np.int64), np.empty(0, np.int32))


def _dictionary(
    bits: NDArray[np.int64], words_max: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]] | None:
    """The words of numbers, and which each is; None where there are too many."""
    if not len(bits) or len(pa.array(bits[:_TRIED]).unique()) > _TRIED // 2:
        return None
    found = pa.array(bits).dictionary_encode()
    if len(found.dictionary) > words_max:
        return None
    return found.dictionary.to_numpy(), found.indices.to_numpy()


def _plain_or_split(numbers: NDArray[np.float64]) -> Encoding:
    tried = numbers[:_TRIED]
    plain = len(packed(tried.tobytes(), _PLAIN))
    if len(tried) and len(_split(b"", tried, _QUICK)) < plain * _SPLIT_PAYS:
        return Encoding.BYTE_STREAM_SPLIT
    return Encoding.PLAIN


def _split(before: bytes, numbers: NDArray[np.float64], level: int) -> bytes:
    """Planes under zstd, each by itself; all together where they repeat more than that."""
    first, *others = planes(numbers)
    held = (before + first, *others)
    apart = _apart(held)
    if len(apart) * _REPEATS > numbers.nbytes:
        return apart
    return min(apart, packed(b"".join(held), level), key=len)


def _apart(held: Sequence[bytes]) -> bytes:
    """Each in a zstd block of its own: bytes that are alike are coded together."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        for plane in held:
            stream.write(plane)
            stream.flush()
    return bytes(sink.getvalue())


def _between(held: NDArray[Any], ends: Sequence[tuple[int, bool]]) -> Iterator[NDArray[Any]]:
    begin = 0
    for end, _ in ends:
        yield held[begin:end]
        begin = end
