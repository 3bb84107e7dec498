"""What roles say to each other: whole messages or an end, and lists of files by what changed."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import OperatorError, StorageError
from cloud.lake.consolidator import Progress
from cloud.lake.sorter import SortProgress
from cloud.lake.table.changes import Change, change_of, files_of
from cloud.lake.table.files import DataFile, FileList
from cloud.lake.upkeep import UpkeepSettings
from cloud.retention.rules import Retired
from cloud.roles import wire
from cloud.roles.wire import Channel, EndedError, Told
from cloud.settings import Retention
from protos.log import LogFormat, LogLevel


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), theirs


def a_file(path: str, rows: int) -> DataFile:
    return DataFile(path, "p", rows, 10, 0, 1, -(2**63), 2**63 - 1, (("g", "a"), ("g", "é")))


files = st.dictionaries(st.text("abc/", min_size=1), st.integers(0, 3)).map(
    lambda found: FileList("/lake/t", 1, tuple(a_file(p, found[p]) for p in sorted(found)))
)


@given(st.none() | files, files)
def test_a_list_of_files_is_the_one_before_and_what_changed(
    before: FileList | None, after: FileList
) -> None:
    assert files_of(before, change_of(before, after)) == after


def test_a_view_comes_over_as_it_is(ends) -> None:
    parent, theirs = ends
    change = Change("/lake/t", 3, ["old"], [a_file("new", 5)])
    retired = Retired(3, {"gw": {1: 20}}, {-5: (0, 86_400_000_000)})
    show = wire.Show(7, (1, 2), True, {"readings": change}, retired)
    Channel(theirs).send(show)
    assert parent.call() == show


def test_how_to_keep_tables_comes_over_as_it_is(ends) -> None:
    parent, theirs = ends
    upkeep = UpkeepSettings(60.0, 1 << 20, {"aged": Retention(series="*/*/*", readings_days=10)})
    start = wire.Start("j", "l", 1, 10.0, 1 << 20, upkeep, LogFormat.TEXT, LogLevel.INFO)
    parent.send(start)
    assert Channel(theirs).order() == start


def test_a_pass_comes_over_as_it_is(ends) -> None:
    parent, theirs = ends
    fault = Told("write", "the disk is full", "make room")
    sorting = SortProgress(2, "2026-01-01", 5, 9, 77)
    passed = wire.Passed(Progress(5, 4, 3, 2, True, 1, sorting, True), fault, 6, None)
    Channel(theirs).send(passed)
    assert parent.call() == passed


@pytest.mark.parametrize("sent", [b"", b"\x02", struct.pack("<I", 9) + b"half"])
def test_a_message_that_is_cut_short_is_the_end(ends, sent: bytes) -> None:
    parent, theirs = ends
    theirs.sendall(sent)
    theirs.close()
    with pytest.raises(EndedError):
        parent.call()


def test_a_message_over_the_bound_is_neither_sent_nor_taken(
    ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, theirs = ends
    child = Channel(theirs)
    monkeypatch.setattr(wire, "FRAME_BYTES_MAX", 64)
    with pytest.raises(ValueError, match="64 are allowed"):
        child.send(wire.SetApart(1, "x" * 64))
    theirs.sendall(struct.pack("<I", 65))
    with pytest.raises(EndedError):
        parent.call()


def test_who_speaks_to_nobody_is_told_so(ends) -> None:
    parent, theirs = ends
    theirs.close()
    with pytest.raises(EndedError):
        parent.send(wire.Begin())


@pytest.mark.parametrize("error", [OperatorError("a", "b", "c"), StorageError("a", "b", "c")])
def test_an_error_comes_over_as_the_same_kind(error: OperatorError | StorageError) -> None:
    again = Told.of(error).error()
    assert (type(again), str(again)) == (type(error), str(error))


def test_what_is_no_error_of_ours_comes_over_as_one_of_storage() -> None:
    again = Told.of(OSError(28, "No space left on device")).error()
    assert isinstance(again, StorageError)
    assert "No space left on device" in str(again)
