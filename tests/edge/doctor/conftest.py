"""The patient of each test, with its broker and its cloud running."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.ingest.identity import Authority
from edge.detect.models import SHIPPED
from edge.detect.shipped.build import build
from tests.edge.doctor.patient import Patient, served
from tests.edge.mosquitto import Mosquitto
from tests.sim.site import Site


@pytest.fixture(scope="session", autouse=True)
def shipped() -> None:
    if not any(SHIPPED.glob("*.toml")):
        build()


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Patient]:
    authority = Authority.create(tmp_path / "ca", "a test")
    site = Site(tmp_path / "cloud", authority)
    broker = Mosquitto(tmp_path, more="max_queued_messages 0\nsys_interval 1")
    broker.start()
    with served(site):
        made = Patient(tmp_path / "home", tmp_path / "root", broker, site, tmp_path)
        made.make()
        yield made
    broker.stop()
