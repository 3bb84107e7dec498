"""The desk where people sign in: crowds, and what changes while somebody stands there."""

import asyncio
import dataclasses
from pathlib import Path

import pytest

from cloud.access import password as passwords
from cloud.access.access import Access
from cloud.access.desk import WAITING_MAX, CrowdedError, Desk, MustWaitError, WrongError
from cloud.access.people import User
from cloud.access.role import Role
from cloud.registry.registry import Registry

NOW_US = 1_800_000_000_000_000
PASSWORD = "correct horse"
ADDRESS = "10.0.0.1"


@pytest.fixture
def registry(tmp_path: Path):
    registry = Registry.open(tmp_path / "registry.db")
    yield registry
    registry.close()


@pytest.fixture
def user(registry) -> User:
    user = User("ann", Role.VIEWER, passwords.hashed(PASSWORD), NOW_US, NOW_US)
    registry.add_user(user, "a test")
    return user


def desk_of(registry: Registry, failures: int = 100) -> Desk:
    return Desk(Access(registry, lambda: NOW_US, may_be_open=True), failures)


async def test_a_crowd_is_sent_away_and_those_before_it_are_served(registry, user):
    desk = desk_of(registry)
    crowd = [desk.sign_in("ann", PASSWORD, ADDRESS) for _ in range(3 * WAITING_MAX)]
    found = await asyncio.gather(*crowd, return_exceptions=True)
    served = [each for each in found if isinstance(each, str)]
    assert len(served) == len(set(served)) == WAITING_MAX
    assert all(isinstance(each, CrowdedError) for each in found if not isinstance(each, str))
    assert await desk.sign_in("ann", PASSWORD, ADDRESS)


async def test_wrong_passwords_at_once_are_no_way_around_the_limit(registry, user):
    desk = desk_of(registry, failures=3)
    asked = [desk.sign_in("ann", f"wrong {n}", ADDRESS) for n in range(6)]
    found = [type(each) for each in await asyncio.gather(*asked, return_exceptions=True)]
    assert sorted(each.__name__ for each in found) == ["MustWaitError"] * 3 + ["WrongError"] * 3
    with pytest.raises(MustWaitError):
        await desk.sign_in("ann", PASSWORD, ADDRESS)


async def test_a_password_that_is_changed_meanwhile_opens_nothing(registry, user, monkeypatch):
    right = passwords.is_right

    def is_right(password: str, kept: str) -> bool:
        other = dataclasses.replace(user, password="another", changed_us=NOW_US + 1)
        registry.change_user(other, "a test", "password")
        return right(password, kept)

    monkeypatch.setattr(passwords, "is_right", is_right)
    with pytest.raises(WrongError):
        await desk_of(registry).sign_in("ann", PASSWORD, ADDRESS)
    assert registry.sessions() == []
