"""The client as it is installed: a wheel of its own that needs one package, and in the whole."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.cloud.client.served_world import Served
from tests.cloud.lake_world import T0

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "cloud" / "client"
UV = Path(sys.executable).parent / "uv"
ASK = """
import sys
import tidegate

cloud = tidegate.connect(sys.argv[1])
print(sum(row["value"] for row in cloud.history("long/temperature", int(sys.argv[2])).rows()))
for way in ("polars", "pandas", "arrow", "duckdb"):
    try:
        getattr(cloud.gaps(), f"to_{way}")()
    except tidegate.MissingPackageError as error:
        print(error)
"""


def call(*command: object) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    (made,) = WheelBuilder(str(CLIENT)).build(directory=str(place), versions=["standard"])
    return Path(made)


def sources() -> set[str]:
    return {f"tidegate/{path.name}" for path in (CLIENT / "tidegate").glob("*.py")}


def test_the_small_wheel_holds_the_client_and_nothing_of_the_cloud(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as held:
        names = {name for name in held.namelist() if ".dist-info/" not in name}
        (said,) = (name for name in held.namelist() if name.endswith(".dist-info/METADATA"))
        about = Parser().parsestr(held.read(said).decode())
    assert names == sources() | {"tidegate/py.typed", "tidegate/LICENSE"}
    needed = [each for each in about.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert needed == ["nanoarrow>=0.9"]


def test_both_wheels_are_of_one_version_and_want_the_same_of_what_both_name() -> None:
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    small = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    for key in ("version", "requires-python", "license", "authors"):
        assert small[key] == whole[key]
    assert set(small["dependencies"]) <= set(whole["optional-dependencies"]["cloud"])


def test_in_a_bare_environment_it_asks_a_cloud_and_says_what_it_would_need_for_frames(
    served: Served, wheel: Path, tmp_path: Path
) -> None:
    call(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    call(UV, "pip", "install", "-q", "--no-deps", "--offline", "--python", python, wheel)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    for path in distribution("nanoarrow").files or ():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(str(path.locate())), site / path)
    call(UV, "pip", "check", "--python", python)
    call(UV, "pip", "check", "--python", python)
    total, *missing = call(python, "-I", "-c", ASK, served.url, T0).splitlines()
    assert float(total) == sum(range(3000))
    assert [line.partition(" is ")[0] for line in missing] == [
        "polars", "pandas", "pyarrow", "duckdb",
    ]  # fmt: skip
    assert "pip install polars, or the whole of tidegate-client[polars]" in missing[0]


def test_the_whole_wheel_has_the_client_under_its_own_name(tmp_path: Path) -> None:
    (made,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(made) as held:
        names = set(held.namelist())
    assert sources() | {"tidegate/py.typed", "cloud/client/history.py"} <= names
    assert not [name for name in names if name.startswith("cloud/client/tidegate")]
    assert "cloud/client/pyproject.toml" not in names


def test_an_editable_install_finds_it_too(tmp_path: Path) -> None:
    (made,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["editable"])
    with zipfile.ZipFile(made) as held:
        (name,) = (each for each in held.namelist() if each.endswith(".pth"))
        folders = held.read(name).decode().splitlines()
    assert set(folders) == {str(ROOT), str(CLIENT)}
