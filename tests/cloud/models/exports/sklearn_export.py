"""Export detectors of scikit-learn with skl2onnx: `python sklearn_export.py FOLDER`.

Prints, as JSON, what scikit-learn itself gives for the windows of `windows.npy`, by file: the
opposite of a decision function, or the mean squared error of what was made anew.
"""

import json
import sys
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.ensemble import IsolationForest
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

WINDOW = 16


def main(folder: Path) -> None:
    """Write the files."""
    chance = np.random.default_rng(1)
    phases = chance.uniform(0, 2 * np.pi, (400, 1))
    waves = np.sin(np.arange(WINDOW) * 0.4 + phases) + chance.normal(0, 0.05, (400, WINDOW))
    windows = waves[:8].copy()
    windows[7, 9] += 3.0
    np.save(folder / "windows.npy", windows)
    network = MLPRegressor(hidden_layer_sizes=(6,), max_iter=300, random_state=1)
    made = {
        "forest": (IsolationForest(n_estimators=20, random_state=1).fit(waves), FloatTensorType),
        "svm": (make_pipeline(StandardScaler(), OneClassSVM(nu=0.05)).fit(waves), FloatTensorType),
        "network": (network.fit(waves, waves), DoubleTensorType),
    }
    told = {}
    for name, (model, kind) in made.items():
        opsets = {"": 17, "ai.onnx.ml": 3}
        proto = to_onnx(model, initial_types=[("X", kind([None, WINDOW]))], target_opset=opsets)
        (folder / f"{name}.onnx").write_bytes(proto.SerializeToString())
        if name == "network":
            told[name] = ((model.predict(windows) - windows) ** 2).mean(axis=1).tolist()
        else:
            told[name] = (-model.decision_function(windows)).tolist()
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
