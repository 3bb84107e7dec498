"""Make the golden vector of the model package: `python -m protos.vectors.make_model`, once.

The key is a published one: nobody may trust it.
"""

import json
import sys
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protos.model import (
    Applies,
    Calibration,
    CalibrationKind,
    Manifest,
    Takes,
    Trained,
    canonical_bytes,
    read_package,
    write_package,
)
from protos.vectors.make import FOLDER, VERSION

SEED: Final = bytes(range(32))
GRAPH: Final = b"not an ONNX graph: a package does not look into it"
MANIFEST: Final = Manifest(
    name="pump.health",
    version="2.10",
    window=8,
    kinds=("gauge", "counter"),
    takes=Takes.FRAME,
    channels=("flow", "druck \"2\"", "温度"),
    sample_s=0.1,
    gap_s=30.0,
    score="T² of the frame",
    about="A pump's flow,\npressure and temperature.",
    applies=Applies(device=("pump-*",), unit=("bar", "°C"), class_=("pump",)),
    calibration=Calibration(kind=CalibrationKind.FIXED, threshold=12.5, rate=0.5),
    trained=Trained(
        from_="2026-01-01T00:00:00Z", to="2026-06-30T23:59:59Z", rows=1_234_567,
        data_sha256=sha256(b"rows").hexdigest(),
    ),
)  # fmt: skip


def package() -> bytes:
    """The package of the vector."""
    return write_package(MANIFEST, GRAPH, Ed25519PrivateKey.from_private_bytes(SEED))


def main() -> int:
    """Write the vector; 1 when it exists already."""
    path = FOLDER / VERSION / "model.tgm"
    if path.exists():
        print(f"{path} exists: a committed vector is never made anew")
        return 1
    data = package()
    read = read_package(data)
    expected = {
        "file_sha256": sha256(data).hexdigest(),
        "manifest": canonical_bytes(read.manifest).decode(),
        "graph": read.graph.hex(),
        "signer": read.signer.hex(),
        "signature": read.signature.hex(),
        "key_id": read.key_id,
    }
    path.write_bytes(data)
    text = json.dumps(expected, ensure_ascii=False, indent=1)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
