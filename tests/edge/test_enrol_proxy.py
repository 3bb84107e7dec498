"""Enrolment through a real HTTP CONNECT proxy."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge import config as edge_config
from edge.config import EdgeConfig
from edge.errors import UnreachableError
from tests.edge.connect_proxy import connect_proxy
from tests.edge.test_enrol import Cloud, ask, refused, running


@pytest.fixture
async def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cloud]:
    for name in ("no_grpc_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with running(tmp_path / "cloud") as made:
        yield made


def behind(tmp_path: Path, proxy: str, password: str) -> EdgeConfig:
    home = tmp_path / f"edge-{password}"
    home.mkdir()
    (home / "pass").write_text(password)
    (home / edge_config.FILE_NAME).write_text(
        f'[gateway]\nname = "pump-1"\n[cloud]\nproxy = "{proxy}"\n'
        'proxy_username = "agent"\nproxy_password_file = "pass"\n'
    )
    return edge_config.load(home)


async def test_a_token_becomes_an_identity_through_the_proxy(cloud: Cloud, tmp_path: Path) -> None:
    async with connect_proxy("agent:open") as proxy:
        identity = await ask(cloud.token(), behind(tmp_path, proxy.url, "open"))
        assert identity.name == "pump-1"
        assert proxy.tunnels == [f"127.0.0.1:{cloud.port}"]
        assert proxy.bytes_up > 1000
        assert proxy.bytes_down > 1000


async def test_a_proxy_that_refuses_enrolment_is_named_and_the_token_is_not_spent(
    cloud: Cloud, tmp_path: Path
) -> None:
    async with connect_proxy("agent:open") as proxy:
        token = cloud.token()
        error = await refused(token, behind(tmp_path, proxy.url, "shut"))
        assert isinstance(error, UnreachableError)
        assert "cloud.proxy" in error.hint
        assert "shut" not in str(error)
        assert proxy.tunnels == []
        assert (await ask(token, behind(tmp_path, proxy.url, "open"))).name == "pump-1"
