"""Lists of files between processes: what makes the one list of the other."""

from collections.abc import Sequence

import msgspec

from cloud.lake.table.files import DataFile, FileList


class Change(msgspec.Struct, frozen=True):
    """What became of a table's list of files since the list before; ``gone`` are paths."""

    folder: str
    version: int
    gone: Sequence[str]
    came: Sequence[DataFile]


def change_of(before: FileList | None, files: FileList) -> Change:
    """What makes the one list of the other."""
    old = {} if before is None else {file.path: file for file in before.files}
    new = {file.path for file in files.files}
    gone = [path for path in old if path not in new]
    came = [file for file in files.files if old.get(file.path) != file]
    return Change(files.folder, files.version, gone, came)


def files_of(before: FileList | None, change: Change) -> FileList:
    """The list of files after a change."""
    files = {} if before is None else {file.path: file for file in before.files}
    for path in change.gone:
        files.pop(path, None)
    files |= {file.path: file for file in change.came}
    ordered = tuple(sorted(files.values(), key=lambda file: file.path))
    return FileList(change.folder, change.version, ordered)
