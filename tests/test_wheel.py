"""The wheel, not only the checkout: in an empty environment it runs and serves the page."""

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from deploy.demo.broker import free_port, wait_for_port

ROOT = Path(__file__).parent.parent


def call(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def bin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Commands of a fresh environment: the built wheel on its pinned requirements."""
    place = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place, cwd=ROOT)
    (wheel,) = place.glob("tidegate-*.whl")
    call(sys.executable, "-m", "venv", place / "venv", cwd=place)
    pip = [place / "venv/bin/python", "-m", "pip", "install", "--quiet"]
    pins = ["-r", ROOT / "requirements/edge.txt", "-r", ROOT / "requirements/cloud.txt"]
    call(*pip, "--require-hashes", *pins, cwd=place)
    call(*pip, "--no-deps", wheel, cwd=place)
    return place / "venv" / "bin"


@pytest.mark.campaign
def test_the_wheel_holds_the_page_and_the_models_and_no_sources_of_them(bin_folder: Path) -> None:
    (site,) = bin_folder.parent.glob("lib/python*/site-packages")
    assert (site / "cloud/web/dist/index.html").is_file()
    assert list((site / "edge/detect/shipped").glob("*.onnx"))
    assert list((site / "edge/detect/shipped/more").glob("*.onnx"))
    assert not (site / "cloud/web/src").exists()
    assert not (site / "cloud/web/node_modules").exists()


@pytest.mark.campaign
def test_the_installed_gateway_makes_its_home(bin_folder: Path, tmp_path: Path) -> None:
    edge = bin_folder / "tidegate-edge"
    assert re.search(r"\d+\.\d+\.\d+", call(edge, "--version", cwd=tmp_path))
    call(edge, "--home", tmp_path / "edge", "init", "--name", "g1", cwd=tmp_path)
    assert (tmp_path / "edge/edge.toml").is_file()
    assert "g1" in call(edge, "--home", tmp_path / "edge", "status", "--json", cwd=tmp_path)


@pytest.mark.campaign
def test_the_installed_cloud_serves_the_page_and_its_script(
    bin_folder: Path, tmp_path: Path
) -> None:
    cloud, home, port = bin_folder / "tidegate-cloud", tmp_path / "cloud", free_port()
    call(cloud, "--home", home, "init", cwd=tmp_path)
    (home / "cloud.toml").write_text(
        f'[listen]\nsync = "127.0.0.1:{free_port()}"\nenrol = "127.0.0.1:{free_port()}"\n'
        f'http = "127.0.0.1:{port}"\n'
    )
    process = subprocess.Popen([str(cloud), "--home", str(home), "serve"], cwd=tmp_path)
    try:
        wait_for_port(port, process, 60)
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).read().decode()
        script = re.search(r'src="\.?(/[^"]+\.js)"', page)
        assert script is not None, page
        answer = urllib.request.urlopen(f"http://127.0.0.1:{port}{script[1]}", timeout=30)
        assert "javascript" in answer.headers["content-type"]
        ask = f"import tidegate; print(list(tidegate.connect('http://127.0.0.1:{port}').series()))"
        assert call(bin_folder / "python", "-I", "-c", ask, cwd=tmp_path) == "[]\n"
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0
