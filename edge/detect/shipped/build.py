"""Build the shipped models: `python -m edge.detect.shipped.build`.

Each becomes one ONNX file and one manifest beside this module. They are made, not committed, and
the wheel carries them.
"""

import hashlib
import sys
from pathlib import Path

from edge.detect.shipped import residual

FOLDER = Path(__file__).parent
MANIFEST = """\
# Made by edge/detect/shipped/build.py.
name = "{name}"
version = "{version}"
file = "{file}"
sha256 = "{sha256}"
window = {window}
kinds = ["gauge"]
takes = "line"
about = "{about}"
"""


def build(folder: Path = FOLDER) -> list[Path]:
    """Write every shipped model and its manifest; return the manifests' paths."""
    content = residual.graph().SerializeToString(deterministic=True)
    file = folder / f"{residual.NAME}-{residual.VERSION}.onnx"
    manifest = file.with_suffix(".toml")
    file.write_bytes(content)
    manifest.write_text(
        MANIFEST.format(
            name=residual.NAME, version=residual.VERSION, file=file.name, window=residual.WINDOW,
            sha256=hashlib.sha256(content).hexdigest(),
            about="How far a value is from what its own recent past foretold.",
        )
    )  # fmt: skip
    return [manifest]


if __name__ == "__main__":
    for path in build():
        print(f"built {path.relative_to(FOLDER.parent.parent)}", file=sys.stderr)
