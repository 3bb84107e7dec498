"""Make the committed stubs from the .proto files, or check that they are what would be made.

Run as ``python -m protos.generate [--check]`` from anywhere. The generator is pinned: another
version writes other bytes, so it is refused rather than committed by accident.
"""

import argparse
import sys
import tempfile
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

GENERATOR_VERSION = "1.85.1"
SOURCES = ("protos/health.proto", "protos/sparkplug.proto", "protos/sync.proto")
ROOT = Path(__file__).resolve().parent.parent


def generate(out: Path) -> None:
    """Write the stubs of every source under ``out/protos/``; RuntimeError when protoc fails."""
    found = version("grpcio-tools")
    if found != GENERATOR_VERSION:
        raise RuntimeError(f"stubs need grpcio-tools {GENERATOR_VERSION}, {found} is installed")
    from grpc_tools import protoc  # type: ignore[import-untyped] # it ships none

    wellknown = str(files("grpc_tools").joinpath("_proto"))
    outs = [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
    status = protoc.main(["protoc", f"-I{ROOT}", f"-I{wellknown}", *outs, *SOURCES])
    if status != 0:
        raise RuntimeError(f"protoc ended with {status} on {', '.join(SOURCES)}")


def stub_names() -> list[str]:
    """Paths of all stubs from the root, in order."""
    stems = [source.removesuffix(".proto") for source in SOURCES]
    return [stem + end for stem in stems for end in ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")]


def stale_stubs() -> list[str]:
    """Paths of the committed stubs that a fresh generation would change; empty: all are right."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        return [name for name in stub_names() if _read(ROOT / name) != _read(Path(folder) / name)]


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def main(arguments: list[str] | None = None) -> int:
    """Generate, or with --check compare; exit code 1 when a stub is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    if not parser.parse_args(arguments).check:
        generate(ROOT)
        return 0
    stale = stale_stubs()
    for name in stale:
        print(f"{name} is not what its .proto makes: run python -m protos.generate")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
