"""Make `torch.json` beside this: `python torch_export.py FOLDER`, with torch and onnx.

PyTorch is 5 GB, so its exports are committed, in base64, and this is run where it is installed;
they were made by torch 2.15. Both ways to export are used. What the newer one notes of the folders
that it ran in is taken out.
"""

import json
import sys
from base64 import b64encode
from pathlib import Path

import onnx
import torch
from torch import nn

WINDOW = 16


class Autoencoder(nn.Module):
    """The mean squared error of a window made anew from six numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.through = nn.Sequential(nn.Linear(WINDOW, 6), nn.ReLU(), nn.Linear(6, WINDOW))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """`(n, WINDOW)` float32 → `(n,)`."""
        spread = values.std(1, keepdim=True) + 1e-3
        level = (values - values.mean(1, keepdim=True)) / spread
        return ((self.through(level) - level) ** 2).mean(1)


def waves(phases: torch.Tensor) -> torch.Tensor:
    """`(n, 1)` → `(n, WINDOW)`."""
    return torch.sin(torch.arange(WINDOW)[None] * 0.4 + phases)


def fitted() -> Autoencoder:
    """Fitted to waves."""
    torch.manual_seed(1)
    model = Autoencoder()
    steps = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(500):
        loss = model(waves(torch.rand(64, 1) * 6.28)).mean()
        steps.zero_grad()
        loss.backward()
        steps.step()
    return model.eval()


def main(folder: Path) -> None:
    """Write both, and print what PyTorch itself gives for the test's windows."""
    model, batch = fitted(), waves(torch.tensor([[0.5], [1.0]]))
    names = {"input_names": ["values"], "output_names": ["error"]}
    axes = {"values": {0: "n"}, "error": {0: "n"}}
    scripted, exported = folder / "torch-scripted.onnx", folder / "torch-exported.onnx"
    torch.onnx.export(
        model, (batch,), scripted, dynamo=False, opset_version=17, dynamic_axes=axes, **names
    )
    shapes = ({0: torch.export.Dim("n")},)
    torch.onnx.export(
        model, (batch,), exported, dynamo=True, external_data=False, dynamic_shapes=shapes, **names
    )
    told = {}
    for path in (scripted, exported):
        proto = onnx.load(path)
        for one in (proto, proto.graph, *proto.graph.node, *proto.graph.value_info):
            one.ClearField("metadata_props")
            one.ClearField("doc_string")
        told[path.stem] = b64encode(proto.SerializeToString(deterministic=True)).decode()
        path.unlink()
    (folder / "torch.json").write_text(json.dumps(told, indent=1) + "\n")
    wild = waves(torch.tensor([[0.5], [1.0]]))
    wild[1, 7] = 4.0
    print(model(wild).tolist())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
