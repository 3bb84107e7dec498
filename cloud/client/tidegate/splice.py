"""Pages of an answer as one Arrow stream: read when they are needed, one held at a time.

Each page is an Arrow IPC stream of its own: its schema, dictionaries and batches, and a mark of
its end. The stream that is given on is the first page without that mark, then what follows the
schema in each other page; a dictionary in a later page takes the place of the one before, as the
format allows. (Arrow columnar format, "IPC Streaming Format", "Dictionary Messages".)
"""

from collections.abc import Generator, Iterator
from typing import Any, Final

import nanoarrow
from nanoarrow.ipc import InputStream

from tidegate.errors import AnswerError, TidegateError
from tidegate.wire import Answer

END: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_MARK: Final = END[:4]
_HEAD_BYTES: Final = 8

Shape = tuple[Any, ...]


class Spliced:
    """The pages' messages, to be read piece by piece; ``failed`` is what ended them early.

    Whoever reads them through Arrow's C interface is told of an error by a number alone, so it is
    kept here as well.
    """

    def __init__(self, pages: Iterator[Answer]) -> None:
        self.failed: BaseException | None = None
        self._pages = pages
        self._shape: Shape | None = None
        self._left = memoryview(b"")
        self._has_ended = False

    @property
    def is_drained(self) -> bool:
        """Whether all was read, to the mark of the end."""
        return self._has_ended and not self._left

    def begin(self) -> None:
        """Read the first page. Raises a TidegateError."""
        self._turn()

    def fill(self, buffer: Any) -> int:
        """Fill ``buffer`` as far as the page goes; 0 at the end. Raises a TidegateError."""
        while not self._left and not self._has_ended:
            self._turn()
        with memoryview(buffer) as whole, whole.cast("B") as room:
            count = min(len(room), len(self._left))
            room[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def close(self) -> None:
        """Ask for no more pages."""
        close = getattr(self._pages, "close", None)
        if close is not None:
            close()

    def _turn(self) -> None:
        self._left = memoryview(b"")  # or two pages would be held at once
        page = next(self._pages, None)
        if page is None:
            self._has_ended = True
            self._left = memoryview(END)
        else:
            self._left = self._messages(page.body)

    def _messages(self, body: bytes) -> memoryview:
        """A page's messages without its end, and but for the first page without its schema."""
        told, hint = "the answer is no whole Arrow stream", "is a proxy changing it?"
        schema_bytes = _HEAD_BYTES + int.from_bytes(body[4:_HEAD_BYTES], "little")
        if body[:4] != _MARK or len(body) < schema_bytes + len(END) or not body.endswith(END):
            raise AnswerError(told, hint)
        try:
            shape = _shape(nanoarrow.ArrayStream.from_readable(body[:schema_bytes] + END).schema)
        except RuntimeError as error:  # of which nanoarrow's own is one
            raise AnswerError(told, hint) from error
        messages = memoryview(body)[: -len(END)]
        if self._shape is None:
            self._shape = shape
            return messages
        if shape != self._shape:
            told = "the columns changed while they were read"
            raise AnswerError(told, "an operation on these series may have come between: ask again")
        return messages[schema_bytes:]


class _Readable:
    """The messages as a file, as far as nanoarrow asks for one.

    nanoarrow takes an interruption (Ctrl-C) in `readinto` for the end of the file, and the answer
    would be cut short without a word. A function of Python can be interrupted before its first
    line; a generator that waits within `try` cannot, so its `send` is what reads.
    """

    def __init__(self, source: Spliced) -> None:
        reading = _reading(source)
        next(reading)
        self.readinto = reading.send


def _reading(source: Spliced) -> Generator[int, Any, None]:
    count = 0
    try:
        while True:
            count = source.fill((yield count))
    except TidegateError as error:
        source.failed = error
        raise
    except (KeyboardInterrupt, SystemExit) as error:
        source.failed = error
        raise InterruptedError("the reading was interrupted") from error


class Stream:
    """The pages as Arrow's C interface has them; the rows may be taken once."""

    def __init__(self, source: Spliced) -> None:
        self._stream = nanoarrow.c_array_stream(InputStream.from_readable(_Readable(source)))
        self._schema = self._stream.get_schema()

    def __arrow_c_schema__(self) -> object:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._stream.__arrow_c_stream__(requested_schema)


def _shape(schema: Any) -> Shape:
    """Names and types of columns, without what is said beside them, which differs by page."""
    return tuple((each.name, _type(nanoarrow.c_schema(each))) for each in schema.fields)


def _type(schema: Any) -> Shape:
    dictionary = schema.dictionary
    children = tuple((child.name, _type(child)) for child in schema.children)
    return schema.format, dictionary and _type(dictionary), children
