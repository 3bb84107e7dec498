"""What the real-process tests need of the machine: named, and skipped, or failed where CI is."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.demo.broker import mosquitto_path
from tests.crash.site import Site


def need(found: object, package: str) -> None:
    if not found:
        reason = f"{package} is missing; install it: apt-get install -y {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def faketime() -> tuple[str, ...]:
    """What loads libfaketime; not by its command, which forks and so cannot be killed for good."""
    found = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    need(found, "faketime")
    real = ("DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_NO_CACHE=1")
    return (f"LD_PRELOAD={found[0]}", *real)


@pytest.fixture
def new_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes a site, which is ended after the test with its logs shown."""
    need(mosquitto_path(), "mosquitto")
    made: list[Site] = []

    def make(**more: object) -> Site:
        made.append(Site(tmp_path, per_s=300, seed=1, own_disks=False, **more))  # type: ignore[arg-type]
        return made[0]

    yield make
    for site in made:
        site.close(keep=False)
        for half in (site.stack.edge, site.stack.cloud):
            if half.log.exists():
                print(f"--- {half.log.name}\n{half.tail(30)}")
