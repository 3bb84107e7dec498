"""One fuzzer: `python -m tests.fuzz.harness TARGET CORPUS [libFuzzer options]`, under atheris."""

import importlib
import logging
import resource
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import atheris

TARGETS = ("block", "sync_cloud", "sync_edge", "configuration", "mqtt_wire")
SAMPLED_EVERY = 97
"""Every so many inputs the peak of Python's and numpy's memory is measured; it slows them down."""
ROOM_BYTES = 640 << 20
"""Address space that a target may take beyond what it begins with: more is a MemoryError."""


class Watched:
    """A target's check under its bounds: memory by sampling, and by a wall of the kernel's."""

    def __init__(self, target: Any) -> None:
        self._target = target
        self._count = 0

    def __call__(self, data: bytes) -> None:
        self._count += 1
        if self._count % SAMPLED_EVERY:
            self._target.check(data)
            return
        tracemalloc.start()
        try:
            self._target.check(data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= self._target.MEMORY_MAX, f"{peak} bytes for an input of {len(data)}"


def load(name: str) -> Any:
    """The target, with the product's code under it instrumented."""
    with atheris.instrument_imports(include=["protos", "edge", "cloud"]):
        return importlib.import_module(f"tests.fuzz.{name}")


def wall() -> None:
    """No more address space than now and ROOM_BYTES."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    name, *options = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    target = load(name)
    for seed in target.seeds():
        target.check(seed)  # what is made once is made before the wall is drawn
    wall()
    arguments = [sys.argv[0], *options, f"-max_len={target.INPUT_BYTES_MAX}"]
    if hasattr(target, "mutate"):

        def mutate(data: bytes, size_max: int, seed: int) -> bytes:
            made: bytes = target.mutate(data, size_max, seed, atheris.Mutate)
            return made[:size_max]

        atheris.Setup(arguments, Watched(target), custom_mutator=mutate)
    else:
        atheris.Setup(arguments, Watched(target))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
