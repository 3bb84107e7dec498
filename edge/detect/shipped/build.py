"""Build the shipped models: `python -m edge.detect.shipped.build`.

Each becomes one ONNX file and one manifest beside this module; those that are not in service unless
somebody puts them into a gateway's folder of models, in the folder `more`. They are made, not
committed, and the wheel carries them.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edge.detect.shipped import drift, flatline, gaps, neighbours, residual, subspace

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
FLATLINE: Final = Recipe(
    flatline.NAME,
    flatline.VERSION,
    flatline.graph,
    {
        "window": flatline.WINDOW,
        "step_s_min": 1.0,
        "about": "For how long a series has stood still, beside the longest that it did before.",
    },
)
GAPS: Final = Recipe(
    gaps.NAME,
    gaps.VERSION,
    gaps.graph,
    {
        "window": gaps.WINDOW,
        "of": "time",
        "about": "How long a series was silent before a reading, beside what is usual for it.",
    },
)
DRIFT: Final = Recipe(
    drift.NAME,
    drift.VERSION,
    drift.graph,
    {
        "window": drift.WINDOW,
        "step_s_min": 1.0,
        "about": "How far the newest stretch of a series lies from the stretches before it.",
    },
)
SUBSPACE: Final = Recipe(
    subspace.NAME,
    subspace.VERSION,
    subspace.graph,
    {
        "window": subspace.WINDOW,
        "step_s_min": 10.0,
        "about": "What of the newest values of a periodic series its past cannot compose.",
    },
)
IN_SERVICE: Final = (RESIDUAL, NEIGHBOURS)
MORE: Final = (FLATLINE, GAPS, DRIFT, SUBSPACE)


def build(folder: Path = FOLDER, recipes: Sequence[Recipe] = IN_SERVICE) -> list[Path]:
    """Write models and their manifests; return the manifests' paths."""
    folder.mkdir(exist_ok=True)
    return [recipe.write(folder) for recipe in recipes]


if __name__ == "__main__":
    for path in build() + build(FOLDER / "more", MORE):
        print(f"built {path.relative_to(FOLDER.parent.parent)}", file=sys.stderr)
