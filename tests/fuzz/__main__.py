"""`make fuzz SECONDS=600`: what strangers and slips may hand us; `make fuzz INPUT=… TARGET=…`."""

import argparse
import importlib
import importlib.util
import json
import sys
from pathlib import Path

from tests.fuzz.campaign import TARGETS, campaign


def main() -> int:
    """Run what was asked; the last line is JSON, the exit code 0 when nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="where chance begins; 0: elsewhere")
    parser.add_argument("--target", choices=TARGETS, help="this one alone")
    parser.add_argument("--input", type=Path, help="check this one input, to replay a finding")
    asked = parser.parse_args()
    if asked.input is not None:
        if asked.target is None:
            parser.error("--input needs --target")
        importlib.import_module(f"tests.fuzz.{asked.target}").check(asked.input.read_bytes())
        return 0
    if importlib.util.find_spec("atheris") is None:
        told = "atheris is not installed: there are wheels for CPython 3.11 to 3.13 on x86-64 Linux"
        print(f"{told}; run it there", file=sys.stderr)
        return 3
    results = campaign((asked.target,) if asked.target else TARGETS, asked.seconds, asked.seed)
    for result in results:
        for found in result.inputs:
            again = f"make fuzz TARGET={result.target} INPUT={found}"
            print(f"{result.target}: {found}; again: {again}", file=sys.stderr)
        if not result.is_clean:
            print(f"its log: see beside; {result.failed}", file=sys.stderr)
    told_of = {result.target: result.told() for result in results}
    is_clean = all(result.is_clean for result in results)
    print(json.dumps({"seconds": asked.seconds, "clean": is_clean, "targets": told_of}))
    return int(not is_clean)


if __name__ == "__main__":
    sys.exit(main())
