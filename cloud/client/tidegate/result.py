"""What was asked, not answered yet: pages are read when rows are taken, one at a time.

A result may be taken as often as wanted; each time it asks anew. Whatever takes it through Arrow's
interface holds one page and one batch at a time, however long the answer is.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import nanoarrow

from tidegate.address import Address
from tidegate.errors import AnswerError
from tidegate.frames import Tabular, given
from tidegate.plan import Query
from tidegate.splice import Spliced, Stream
from tidegate.wire import Answer, Line

Row = dict[str, Any]
PAGES_MAX: Final = 1_000_000
"""Of one request: more is a server that goes round in circles."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: ``queries`` makes the requests of it, over a line where it needs to know more.

    ``documents`` are columns that hold JSON, which rows of Python have as objects.
    """

    path: str
    queries: Callable[[Line], Iterator[Query]]
    documents: tuple[str, ...] = ()
    shown: str = ""


class Batch(Tabular):
    """Some rows, already here."""

    def __init__(self, array: Any, documents: tuple[str, ...] = ()) -> None:
        self._array = array
        self._documents = documents

    def __len__(self) -> int:
        return int(self._array.length)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(child.name for child in self._array.schema.children)

    def rows(self) -> Iterator[Row]:
        """Each row as a dictionary: times are datetimes in UTC, what is empty is None."""
        for row in nanoarrow.Array(self._array).iter_py():
            for name in self._documents:
                row[name] = None if row[name] is None else json.loads(row[name])
            yield row

    def __arrow_c_schema__(self) -> object:
        return self._array.schema.__arrow_c_schema__()

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return self._array.__arrow_c_array__(requested_schema)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return nanoarrow.c_array_stream(self._array).__arrow_c_stream__(requested_schema)

    def _open(self) -> contextlib.AbstractContextManager[Any]:
        return given(self)

    def __repr__(self) -> str:
        return f"<tidegate.Batch of {len(self)} rows: {', '.join(self.columns)}>"


class Result(Tabular):
    """The rows of an answer, in the cloud still.

    ``about`` is what the cloud said beside the page read last, such as the `resolution` and the
    `watermark`; empty until rows were taken. Taking rows raises a TidegateError when the cloud
    cannot or will not answer.
    """

    def __init__(self, address: Address, asked: Asked, line: Line | None = None) -> None:
        self.about: Mapping[str, str] = {}
        self.address = address
        self._asked = asked
        self._line = line

    def __iter__(self) -> Iterator[Batch]:
        """The rows batch by batch."""
        with self._open() as stream:
            for array in nanoarrow.c_array_stream(stream):
                if array.length:
                    yield Batch(array, self._asked.documents)

    def rows(self) -> Iterator[Row]:
        """Row by row, as `Batch.rows`."""
        for batch in self:
            yield from batch.rows()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The whole answer, page by page as it is taken (Arrow's PyCapsule interface).

        An error of a later page reaches whoever takes it in the words of that program.
        """
        source = Spliced(self._pages())
        source.begin()
        return Stream(source).__arrow_c_stream__(requested_schema)

    def over(self, line: Line) -> "Result":
        """The same, asked over a line that somebody else closes."""
        return Result(self.address, self._asked, line)

    @contextlib.contextmanager
    def _open(self) -> Iterator[Any]:
        """The stream; an error that ended it is raised as it was, whatever its taker made of it."""
        source = Spliced(self._pages())
        with contextlib.closing(source):
            source.begin()
            with _told(source):
                yield Stream(source)

    def _pages(self) -> Iterator[Answer]:
        """Every page of every request."""
        line = self._line or Line(self.address)
        try:
            for query in self._asked.queries(line):
                yield from self._pages_of(line, query)
        finally:
            if self._line is None:
                line.close()

    def _pages_of(self, line: Line, query: Query) -> Iterator[Answer]:
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            page = query if cursor is None else {**query, "cursor": cursor}
            answer = line.arrow(self._asked.path, page)
            self.about = {name: told for name, told in answer.about.items() if name != "next"}
            before, cursor = cursor, answer.about.get("next")
            yield answer
            del answer  # the page is not needed while the next one is asked for
            if cursor is None:
                return
            if cursor == before:
                break
        raise AnswerError("the cloud gives the same page again and again", "please report it")

    def __repr__(self) -> str:
        return f"<tidegate.Result of {self._asked.shown or self._asked.path}; take its rows>"


class _told(contextlib.AbstractContextManager[None]):  # noqa: N801 - used as a function
    """Raise what ended ``source`` early in place of what came of it, were it nothing at all."""

    def __init__(self, source: Spliced) -> None:
        self._source = source

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        failed = self._source.failed
        if failed is not None and error is not failed:
            raise failed from error
        if error is None and not self._source.is_drained:
            raise AnswerError("the rows ended before the answer did", "ask again")
