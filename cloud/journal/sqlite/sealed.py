"""The sealed segments of an open journal: settled in the background, unlinked once archived."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Lock

from cloud.errors import StorageError
from cloud.journal.sqlite.segment import remove, settle, sync_path
from cloud.journal.sqlite.writer import Writer, is_no_space


class Sealed:
    """What becomes of segments that are no longer written; may be used by several threads."""

    def __init__(self, replay_bytes_min: int) -> None:
        self._replay_bytes_min = replay_bytes_min
        self._files = Lock()  # held while sealed segments are settled or unlinked
        self._settler = ThreadPoolExecutor(1, "journal-settle")

    def settle_soon(self, writer: Writer) -> None:
        """Settle the sealed segments, also those that a reader held back the last time."""
        self._settler.submit(self._settle, writer)

    def trim(self, writer: Writer) -> int:
        """Unlink segments wholly behind `archived`, oldest first; the one in use always stays.

        What is kept never falls below `replay_bytes_min`. Returns the offset up to which blocks
        are gone.
        """
        with self._files:
            segments = writer.segments
            left = writer.bytes()
            for segment, after in pairwise(segments):
                left -= segment.bytes()
                if after.first - 1 > writer.archived or left < self._replay_bytes_min:
                    break
                remove(segment)
                # One by one: after a power cut an older segment must not stand before a hole.
                sync_path(segment.path.parent)
                writer.settled([segment])
            if any(one.wal.exists() for one in writer.segments[:-1]):
                self.settle_soon(writer)
            return writer.segments[0].first - 1

    def close(self) -> None:
        """Finish the settling under way, begin no other."""
        self._settler.shutdown(cancel_futures=True)

    def _settle(self, writer: Writer) -> None:
        with self._files:
            try:
                for segment in writer.segments[:-1]:
                    settle(segment)
            except StorageError as error:
                # Without room the log stays beside its file, whole; `trim` asks again.
                if not is_no_space(error.__cause__):
                    writer.fail(error)
            writer.settled()
