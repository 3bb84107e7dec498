"""The page's settings: a zone is one of the table, and told with the status."""

from pathlib import Path

import pytest

from cloud.settings import CloudSettings
from protos.settings import SettingsError, read_settings
from tests.cloud.serve_world import World


def test_the_plants_zone_is_told_with_the_status(tmp_path: Path) -> None:
    read = read_settings('[page]\nzone = "Europe/Berlin"\n', CloudSettings)
    world = World(tmp_path / "lake", zone=read.page.zone)
    assert world.get("/api/v1/status")["zone"] == "Europe/Berlin"
    world.close()


def test_without_a_zone_none_is_told(tmp_path: Path) -> None:
    world = World(tmp_path / "lake", zone=read_settings("", CloudSettings).page.zone)
    assert world.get("/api/v1/status")["zone"] == ""
    world.close()


def test_a_zone_that_there_is_not_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings('[page]\nzone = "Europe/Berln"\n', CloudSettings)
    told = f"{refused.value.cause} {refused.value.hint}"
    assert "zone" in told
    assert "Europe/Berlin" in told
