"""What the agent spends, beside what the kernel says by another way."""

import asyncio
import os
import resource
import socket
from pathlib import Path

import pytest

from edge.card import Device, process_written
from edge.config import EdgeConfig
from edge.settings import EdgeSettings
from edge.settings_budget import CARD_BYTES_PER_DAY
from edge.spending import FILE_NAME, Spending
from protos.limits import MIB
from protos.settings import read_settings

HOUR_S = 3600.0


def config(home: Path, text: str = "") -> EdgeConfig:
    return EdgeConfig(home, read_settings(f'[gateway]\nname = "gw-1"\n{text}', EdgeSettings))


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def written(folder: Path, size: int) -> None:
    """Bytes that are on the disk when it returns."""
    with (folder / f"some-{size}").open("wb") as file:
        file.write(os.urandom(size))
        file.flush()
        os.fsync(file.fileno())


def on_disk(folder: Path) -> None:
    before = process_written()
    written(folder, 4096)
    if before is None or process_written() == before:
        pytest.skip("the kernel counts no writes to this file system")


def test_what_is_written_is_counted_and_told_for_a_reading(tmp_path: Path) -> None:
    on_disk(tmp_path)
    spending = Spending(config(tmp_path))
    before = spending.health(readings=0, page_bytes=0, line_state="all")
    assert before.written_per_reading is None
    written(tmp_path, 4 * MIB)
    after = spending.health(readings=1000, page_bytes=7, line_state="all")
    assert before.written_bytes is not None
    assert after.written_bytes is not None
    assert 4 * MIB <= after.written_bytes - before.written_bytes <= 4.2 * MIB
    assert after.written_day_bytes - before.written_day_bytes >= 4 * MIB
    assert after.written_per_reading == after.written_bytes / 1000


def test_the_device_counts_what_anybody_writes(tmp_path: Path) -> None:
    on_disk(tmp_path)
    device = Device(tmp_path)
    if not device.name:
        pytest.skip("the folder lies on no block device")
    before = device.written()
    written(tmp_path, 4 * MIB)
    after = device.written()
    assert before is not None
    assert after is not None
    assert after - before >= 4 * MIB


def test_a_folder_that_lies_on_no_device_is_no_card() -> None:
    device = Device(Path("/proc"))
    assert device.name == ""
    assert device.written() is None
    assert not device.is_worn_by_writing


def test_a_day_outlives_a_restart_and_a_damaged_file_begins_anew(tmp_path: Path) -> None:
    clock = Clock()
    first = Spending(config(tmp_path), clock)
    with socket.create_server(("127.0.0.1", 0)) as cloud:
        first.ports = frozenset({cloud.getsockname()[1]})
        with socket.create_connection(cloud.getsockname()) as line:
            line.sendall(b"x" * 2000)
            first.look()
    spent = first.line_day_bytes
    assert spent >= 2000
    first.save()
    again = Spending(config(tmp_path), clock)
    assert again.line_day_bytes == spent
    clock.now_s = 25 * HOUR_S
    assert again.line_day_bytes == 0
    (tmp_path / FILE_NAME).write_text("no")
    assert Spending(config(tmp_path), clock).line_day_bytes == 0


async def test_what_was_spent_is_kept_when_the_agent_ends(tmp_path: Path) -> None:
    task = asyncio.create_task(Spending(config(tmp_path)).run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (tmp_path / FILE_NAME).exists()


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    spending = Spending(config(tmp_path))
    (tmp_path / FILE_NAME).mkdir()
    spending.save()
    assert (tmp_path / FILE_NAME).is_dir()


def test_memory_and_processor_are_the_kernels_figures(tmp_path: Path) -> None:
    told = Spending(config(tmp_path)).health(readings=0, page_bytes=0, line_state="all")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    assert told.memory_peak_bytes == pytest.approx(usage.ru_maxrss * 1024, rel=0.02)
    assert 0 < told.memory_bytes <= told.memory_peak_bytes
    assert told.cpu_s == pytest.approx(usage.ru_utime + usage.ru_stime, rel=0.05)


def test_what_is_over_its_budget_is_named(tmp_path: Path) -> None:
    text = "[budget]\nmemory_bytes = 33554432\nwritten_bytes_per_day = 4096\n"
    on_disk(tmp_path)
    told = Spending(config(tmp_path, text)).health(readings=0, page_bytes=0, line_state="all")
    assert told.over == ["writes", "memory"]
    assert told.written_limit_bytes == 4096


def test_a_card_has_a_budget_of_its_own_and_a_disk_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_card = property(lambda _: True)
    monkeypatch.setattr(Device, "is_worn_by_writing", on_card)
    told = Spending(config(tmp_path)).health(readings=0, page_bytes=0, line_state="all")
    assert told.written_limit_bytes == CARD_BYTES_PER_DAY
    monkeypatch.undo()
    if not Device(tmp_path).is_worn_by_writing:
        told = Spending(config(tmp_path)).health(readings=0, page_bytes=0, line_state="all")
        assert told.written_limit_bytes == 0
