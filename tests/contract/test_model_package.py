"""A foreign model from the cloud's command line to a gateway's scores."""

import json
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest

from cloud.cli import console as cloud
from edge import agent_detect
from edge.cli import console as edge
from edge.config import load

Capture = pytest.CaptureFixture[str]
TORCH = Path(__file__).parents[1] / "cloud" / "models" / "exports" / "torch.json"


def test_what_the_cloud_packs_a_gateway_that_trusts_its_key_takes_and_scores_with(
    tmp_path: Path, capsys: Capture
) -> None:
    homes = tmp_path / "cloud", tmp_path / "edge"
    exported = tmp_path / "wave.onnx"
    exported.write_bytes(b64decode(json.loads(TORCH.read_text())["torch-exported"]))
    (homes[1] / "models").mkdir(parents=True)
    packed = str(homes[1] / "models" / "wave-1.tgm")

    assert cloud().call(["--home", str(homes[0]), "init"]) == 0
    pack = ["model", "pack", str(exported), "--name", "wave", "--out", packed]
    assert cloud().call(["--home", str(homes[0]), *pack]) == 0
    capsys.readouterr()
    assert cloud().call(["--home", str(homes[0]), "model", "keygen", "--json"]) == 0
    line = json.loads(capsys.readouterr().out)["public"]

    settings = homes[1] / "edge.toml"
    settings.write_text('[gateway]\nname = "g"\n')
    assert edge().call(["--home", str(homes[1]), "model", "check", "wave"]) == 2
    assert "is not trusted here" in capsys.readouterr().err
    settings.write_text(
        f'[gateway]\nname = "g"\n[models]\nkeys = ["{line}"]\nwindow_us_max = 1e4\n'
    )
    assert edge().call(["--home", str(homes[1]), "model", "check", "wave"]) == 0
    assert "wave@1 is taken" in capsys.readouterr().out

    (model,) = agent_detect.models(load(homes[1]))
    wave = np.sin(np.arange(32) * 0.4)
    usual = model.score(wave, np.arange(17)).max()
    wave[20] += 3.0
    assert model.score(wave, np.arange(17)).max() > 20 * usual
