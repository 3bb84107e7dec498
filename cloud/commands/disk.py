"""What a disk refuses while a command changes the lake, told as the operator's to mend."""

from collections.abc import Iterator
from contextlib import contextmanager

from cloud.errors import StorageError


@contextmanager
def disk_told(tried: str) -> Iterator[None]:
    """StorageError for what a disk refuses inside: what was begun is finished by the next run."""
    import apsw
    from deltalake.exceptions import DeltaError

    try:
        yield
    except (OSError, DeltaError, apsw.Error) as error:
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        hint = "make room on the disk, or mend it, and run this again"
        raise StorageError(tried, cause, hint) from error
