"""A cloud to ask by a program that does other things meanwhile: the same questions, awaited.

Each reading runs in a thread of its own; whoever is cancelled breaks its line, which ends it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from tidegate.address import PAGE_ROWS, TIMEOUT_S, address_of
from tidegate.frames import TABLE
from tidegate.questions import Questions
from tidegate.result import Asked, Batch, Result, Row
from tidegate.wire import Line

if TYPE_CHECKING:
    import duckdb
    import pandas
    import polars
    import pyarrow

T = TypeVar("T")


class AsyncResult:
    """As `Result`: `async for` takes its batches, `await` its frames.

    ``result`` is the same for whoever takes it by Arrow's interface, which waits.
    """

    def __init__(self, result: Result) -> None:
        self.result = result

    async def __aiter__(self) -> AsyncIterator[Batch]:
        """The rows batch by batch."""
        line = Line(self.result.address)
        taken = self.result.over(line)
        batches = iter(taken)
        try:
            while (batch := await _apart(line, lambda: next(batches, None))) is not None:
                self.result.about = taken.about
                yield batch
        finally:
            line.end()

    async def rows(self) -> AsyncIterator[Row]:
        """Row by row."""
        async for batch in self:
            for row in batch.rows():
                yield row

    async def to_arrow(self) -> "pyarrow.Table":
        """A pyarrow table. MissingPackageError without pyarrow."""
        return await self._whole(lambda taken: taken.to_arrow())

    async def to_polars(self) -> "polars.DataFrame":
        """A polars frame. MissingPackageError without polars."""
        return await self._whole(lambda taken: taken.to_polars())

    async def to_pandas(self) -> "pandas.DataFrame":
        """A pandas frame. MissingPackageError without pandas and pyarrow."""
        return await self._whole(lambda taken: taken.to_pandas())

    async def to_duckdb(
        self, connection: "duckdb.DuckDBPyConnection | None" = None, table: str = TABLE
    ) -> "duckdb.DuckDBPyRelation":
        """A table of DuckDB, as `Result.to_duckdb` makes it."""
        return await self._whole(lambda taken: taken.to_duckdb(connection, table))

    async def _whole(self, make: Callable[[Result], T]) -> T:
        line = Line(self.result.address)
        taken = self.result.over(line)
        try:
            made = await _apart(line, lambda: make(taken))
        finally:
            line.end()
        self.result.about = taken.about
        return made

    def __repr__(self) -> str:
        return repr(self.result).replace("Result", "AsyncResult", 1)


class AsyncClient(Questions[AsyncResult]):
    """As `Client`, awaited."""

    async def status(self) -> dict[str, Any]:
        """What journal and history hold. Raises a TidegateError."""
        line = Line(self.address)
        try:
            return await _apart(line, lambda: line.json("/api/v1/status", {}))
        finally:
            line.end()

    def _result(self, asked: Asked) -> AsyncResult:
        return AsyncResult(Result(self.address, asked))

    def __repr__(self) -> str:
        return f"<tidegate.AsyncClient of {self.address.url}>"


def connect_async(
    url: str | None = None,
    *,
    token: str | None = None,
    ca: str | os.PathLike[str] | None = None,
    timeout: float = TIMEOUT_S,
    retries: int = 2,
    page_rows: int = PAGE_ROWS,
) -> AsyncClient:
    """As `connect`, for programs that await. SetupError as there."""
    return AsyncClient(address_of(url, token, ca, timeout, retries, page_rows))


async def _apart(line: Line, work: Callable[[], T]) -> T:
    """Do it in a thread; whoever stops waiting breaks the line, which the thread then closes."""

    def run() -> T:
        try:
            return work()
        finally:
            if line.is_aborted:
                line.close()

    try:
        return await asyncio.to_thread(run)
    except asyncio.CancelledError:
        line.abort()
        raise
