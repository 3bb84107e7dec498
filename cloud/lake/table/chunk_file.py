"""A Parquet file of row groups whose chunks are made beforehand, by us or by the library."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa

from cloud.parquet.footer import MAGIC, Placed, footer, written_as
from cloud.parquet.made import Chunk

_MODE: Final = 0o666


class ChunkFile:
    """Takes chunks in the order of ``schema``; `close` makes the file whole."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema = schema
        self._groups: list[list[Placed]] = []
        self._how: dict[tuple[str, tuple[int, ...]], bytes] = {}
        self._at = 0
        self._is_open, self._is_sound = True, True
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
        self._put(MAGIC)

    def add(self, made: Mapping[str, Chunk]) -> None:
        """A row group: a chunk of as many rows of each column."""
        chunks = [made[name] for name in self.schema.names]
        at, placed = self._at, []
        for name, chunk in zip(self.schema.names, chunks, strict=True):
            placed.append(self._placed(name, chunk, at))
            at += len(chunk.data)
        self._groups.append(placed)
        self._put(b"".join(chunk.data for chunk in chunks))

    def close(self) -> None:
        """Write what tells of the columns, unless a write failed; let go of the file, once."""
        if self._is_open:
            try:
                if self._is_sound:
                    self._put(footer(self.schema, self._groups, self._at))
            finally:
                self.leave()

    def leave(self) -> None:
        """Let go of the file as it is; once."""
        if self._is_open:
            self._is_open = False
            os.close(self._file)

    def _placed(self, name: str, chunk: Chunk, at: int) -> Placed:
        key = (name, tuple(chunk.encodings))
        how = self._how.get(key)
        if how is None:
            how = self._how[key] = written_as(self.schema.field(name), chunk.encodings)
        size, plain = len(chunk.data), chunk.plain_bytes
        return Placed(how, chunk.rows, at, chunk.dictionary, size, plain, chunk.told, chunk.pages)

    def _put(self, data: bytes) -> None:
        self._is_sound, left = False, memoryview(data)
        while left:
            left = left[os.write(self._file, left) :]
        self._is_sound = True
        self._at += len(data)
