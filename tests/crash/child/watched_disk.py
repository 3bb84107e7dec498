"""The disk of a half under attack: each write and sync is told to ``visit``, which may end the
process there, make it wait, or raise OSError, which then is what the disk answers.

SQLite's own go through a VFS above the usual one, Python's through `os.fsync`. Points: `disk:` and
`log-write`, `log-sync` (a write-ahead log), `file-write`, `file-sync` (a database: in WAL mode only
a checkpoint does that), `fsync` (everything else). A disk that ``lies`` syncs nothing (a mutant's).
"""

import os

import apsw

NAMES = {apsw.SQLITE_OPEN_WAL: "log", apsw.SQLITE_OPEN_MAIN_DB: "file"}


class Disk(apsw.VFS):
    def __init__(self, visit, lies):
        self.visit, self.lies = visit, lies
        super().__init__("watched", "unix", makedefault=True)

    def xOpen(self, name, flags):  # noqa: N802 - SQLite's name
        for flag, kind in NAMES.items():
            if flags[0] & flag:
                return File(self, kind, name, flags)
        return apsw.VFSFile("unix", name, flags)


class File(apsw.VFSFile):
    def __init__(self, disk, kind, name, flags):
        self._disk, self._kind = disk, kind
        super().__init__("unix", name, flags)

    def _told(self, what, moment, code):
        try:
            self._disk.visit(f"disk:{self._kind}-{what}", moment)
        except OSError as error:
            answer = apsw.IOError(str(error))
            answer.extendedresult = code
            raise answer from error

    def xWrite(self, data, offset):  # noqa: N802
        self._told("write", "before", apsw.SQLITE_IOERR_WRITE)
        super().xWrite(data, offset)
        self._told("write", "after", apsw.SQLITE_IOERR_WRITE)

    def xSync(self, flags):  # noqa: N802
        self._told("sync", "before", apsw.SQLITE_IOERR_FSYNC)
        if not self._disk.lies:
            super().xSync(flags)
        self._told("sync", "after", apsw.SQLITE_IOERR_FSYNC)


def install(visit, *, sqlite_lies, python_lies):
    """Watch everything that this process writes from now on; the VFS is returned to be kept."""
    fsync = os.fsync

    def watched(handle):
        visit("disk:fsync", "before")
        if not python_lies:
            fsync(handle)
        visit("disk:fsync", "after")

    os.fsync = watched
    return Disk(visit, sqlite_lies)
