"""Build the shipped models: `python -m edge.detect.shipped.build`.

Each becomes one ONNX file and one manifest beside this module. They are made, not committed, and
the wheel carries them.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edge.detect.shipped import neighbours, residual

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one model is made, and what its manifest says beside name, version, file and hash."""

    name: str
    version: str
    graph: Callable[[], Any]
    says: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Write the model and its manifest; return the manifest's path."""
        content = self.graph().SerializeToString(deterministic=True)
        file = folder / f"{self.name}-{self.version}.onnx"
        file.write_bytes(content)
        says = {
            "name": self.name, "version": self.version, "file": file.name,
            "sha256": hashlib.sha256(content).hexdigest(), "kinds": ["gauge"], **self.says,
        }  # fmt: skip
        manifest = file.with_suffix(".toml")
        # A string, a number or a list of them is written in JSON as it is in TOML.
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in says.items()]
        text = ["# Made by edge/detect/shipped/build.py.", *lines, ""]
        manifest.write_text("\n".join(text))
        return manifest


RESIDUAL: Final = Recipe(
    residual.NAME,
    residual.VERSION,
    residual.graph,
    {
        "window": residual.WINDOW,
        "takes": "line",
        "about": "How far a value is from what its own recent past foretold.",
    },
)
NEIGHBOURS: Final = Recipe(
    neighbours.NAME,
    neighbours.VERSION,
    neighbours.graph,
    {
        "window": neighbours.WINDOW,
        "takes": "window",
        "least": neighbours.LEAST,
        "step_s_min": neighbours.STEP_S_MIN,
        "instead_of": [residual.NAME],
        "about": "How far the newest values are from the stretches of the past most like them.",
    },
)
RECIPES: Final = (RESIDUAL, NEIGHBOURS)


def build(folder: Path = FOLDER, recipes: Sequence[Recipe] = RECIPES) -> list[Path]:
    """Write the shipped models and their manifests; return the manifests' paths."""
    return [recipe.write(folder) for recipe in recipes]


if __name__ == "__main__":
    for path in build():
        print(f"built {path.relative_to(FOLDER.parent.parent)}", file=sys.stderr)
