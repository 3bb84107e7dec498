"""What a commit of the Delta log says of data files: that one came, that one went."""

import time

from deltalake.transaction import AddAction, RemoveAction

from cloud.lake.table.files import DataFile
from cloud.lake.table.schema import PERIOD


def addition(path: str, period: str, size: int, stats: str, *, is_change: bool = True) -> AddAction:
    """What a commit takes a file in by; unless ``is_change``, of rows that the table has had."""
    now_ms = time.time_ns() // 1_000_000
    return AddAction(path, size, {PERIOD: period}, now_ms, is_change, stats)


def removal(file: DataFile, *, is_change: bool = False) -> RemoveAction:
    """What a commit takes a file out by; unless ``is_change``, its rows stay in others."""
    now_ms = time.time_ns() // 1_000_000
    return RemoveAction(file.path, is_change, now_ms, file.bytes, {PERIOD: file.period})
