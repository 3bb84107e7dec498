"""What an agent need not load it does not load: each of these is megabytes of a small machine."""

import subprocess
import sys
from pathlib import Path

import pytest

CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from edge.config import load

config = load(Path(sys.argv[1]))

async def a_moment_of_an_agent():
    from edge import agent
    running = asyncio.create_task(agent.run(config))
    while not (config.control_path.exists() or running.done()):
        await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
    await running

asyncio.run(a_moment_of_an_agent())
print(*sorted(sys.modules))
"""


def loaded_by(home: Path, settings: str) -> set[str]:
    made = [str(Path(sys.executable).parent / "tidegate-edge"), "--home", str(home), "init"]
    subprocess.run([*made, "--name", "hut-1"], check=True, capture_output=True, timeout=60)
    (home / "edge.toml").write_text(
        f'[gateway]\nname = "hut-1"\n\n[broker]\nurl = "mqtt://127.0.0.1:1"\n{settings}'
    )
    command = [sys.executable, "-c", CHILD, str(home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "library",
    ["grpc", "onnxruntime", "paho", "aiomqtt", "sqlite_utils", "sqlite3", "click"],
)
def test_an_agent_without_a_model_and_a_cloud_does_not_load(library: str, bare: set[str]) -> None:
    assert library not in bare


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    return loaded_by(tmp_path_factory.mktemp("bare") / "home", "[models]\nenabled = false\n")


def test_the_runtime_of_models_is_loaded_for_a_model_and_grpc_still_is_not(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path / "home", "")
    assert "onnxruntime" in loaded
    assert "grpc" not in loaded
