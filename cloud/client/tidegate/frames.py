"""What holds rows as Arrow: taken by other programs through the PyCapsule interface, or converted.

`__arrow_c_stream__` is enough for polars, DuckDB, pyarrow and pandas to take it as it is; the
methods here say the same in one word, and say which package is missing.
"""

import contextlib
import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from tidegate.errors import MissingPackageError

if TYPE_CHECKING:
    import duckdb
    import pandas
    import polars
    import pyarrow

TABLE: Final = "tidegate"
"""The name of the table that `to_duckdb` makes."""


class Tabular(ABC):
    """Rows in named columns."""

    @abstractmethod
    def _open(self) -> contextlib.AbstractContextManager[Any]:
        """What implements `__arrow_c_stream__` once, for as long as the context lasts."""

    def to_arrow(self) -> "pyarrow.Table":
        """A pyarrow table. MissingPackageError without pyarrow."""
        arrow = package("pyarrow", "arrow")
        with self._open() as stream:
            return arrow.table(stream)

    def to_polars(self) -> "polars.DataFrame":
        """A polars frame. MissingPackageError without polars."""
        polars = package("polars", "polars")
        with self._open() as stream:
            return polars.DataFrame(stream)

    def to_pandas(self) -> "pandas.DataFrame":
        """A pandas frame. MissingPackageError without pandas and pyarrow."""
        package("pandas", "pandas")
        arrow = package("pyarrow", "pandas")
        with self._open() as stream:
            return arrow.table(stream).to_pandas()

    def to_duckdb(
        self, connection: "duckdb.DuckDBPyConnection | None" = None, table: str = TABLE
    ) -> "duckdb.DuckDBPyRelation":
        """A table of DuckDB, filled batch by batch; one of that name is replaced.

        Without a ``connection`` it is one of a database in memory. MissingPackageError without
        duckdb.
        """
        duckdb = package("duckdb", "duckdb")
        at = connection if connection is not None else duckdb.connect()
        name = '"' + table.replace('"', '""') + '"'
        with self._open() as stream:
            at.register("tidegate_stream", stream)
            try:
                at.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM tidegate_stream")
            finally:
                at.unregister("tidegate_stream")
        return at.table(name)


def package(name: str, extra: str) -> Any:
    """A package that is not always there.

    Raises:
        MissingPackageError: it is not; told with how to install it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        hint = f"pip install {name}, or the whole of tidegate-client[{extra}]"
        raise MissingPackageError(f"{name} is not installed", hint) from error


@contextlib.contextmanager
def given(stream: Any) -> Iterator[Any]:
    """A context of something that needs no end."""
    yield stream
