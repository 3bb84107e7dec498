"""A file of any encoding as a stream of valid UTF-8, so that a parser meets no other bytes."""

import codecs
import io
from typing import BinaryIO, Final

CHUNK_BYTES: Final = 1 << 18
REPLACED: Final = "\ufffd"
"""Stands for bytes that the encoding does not have."""


class Utf8Stream(io.RawIOBase):
    """Reads a binary file, decoded and encoded again; the file stays its owner's to close.

    ``has_replaced``: bytes that are no text in this encoding were met, and stand as `REPLACED`.
    """

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._ready = b""
        self.has_replaced = False

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, none at the end; all that is left when it is negative."""
        parts, wanted = [], size if size >= 0 else 1 << 62
        while wanted > 0:
            if not self._ready and not self._more():
                break
            part, self._ready = self._ready[:wanted], self._ready[wanted:]
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)

    def _more(self) -> bool:
        """Decode the next chunk; False at the end."""
        while not self._ready:
            data = self._file.read(CHUNK_BYTES)
            text = self._decoder.decode(data, final=not data)
            self.has_replaced = self.has_replaced or REPLACED in text
            self._ready = text.encode("utf-8", "replace")
            if not data:
                return bool(self._ready)
        return True
