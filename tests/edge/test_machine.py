"""A machine that cannot run the gateway is told so at once, and why."""

import os
from pathlib import Path

import pytest

from edge.machine import refusal

PI_4 = "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU part\t: 0xd08\n"
XEON = "flags\t\t: fpu sse sse2 ssse3 sse4_1 sse4_2 popcnt avx\n"
ATOM = "flags\t\t: fpu sse sse2 ssse3\n"


@pytest.mark.parametrize(("machine", "cpuinfo"), [("aarch64", PI_4), ("x86_64", XEON)])
def test_a_64_bit_machine_of_today_is_welcome(machine: str, cpuinfo: str) -> None:
    assert refusal(64, machine, cpuinfo) is None


def test_this_machine_is_welcome() -> None:
    assert refusal(64, os.uname().machine, Path("/proc/cpuinfo").read_text()) is None


@pytest.mark.parametrize("machine", ["armv7l", "aarch64", "i686"])
def test_a_32_bit_system_is_refused_on_a_64_bit_kernel_too(machine: str) -> None:
    refused = refusal(32, machine, PI_4)
    assert refused is not None
    assert "32-bit" in refused[0]
    assert "64-bit Raspberry Pi OS" in refused[1]


def test_a_cpu_that_lacks_what_numpy_needs_is_named_with_what_it_lacks() -> None:
    refused = refusal(64, "x86_64", ATOM)
    assert refused is not None
    assert "sse4_1, sse4_2, popcnt" in refused[0]
    assert "ssse3" not in refused[0]


def test_a_machine_that_no_library_is_built_for_is_refused() -> None:
    refused = refusal(64, "riscv64", "")
    assert refused is not None
    assert "riscv64" in refused[0]


@pytest.mark.parametrize("cpuinfo", ["", XEON])
def test_the_list_of_another_machine_says_nothing(cpuinfo: str) -> None:
    assert refusal(64, "aarch64", cpuinfo) is None
