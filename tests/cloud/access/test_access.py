"""Who a request is of: known from memory, looked at anew in time, let in by nobody's fault."""

import asyncio
import logging
from pathlib import Path

import pytest

from cloud.access.access import LOOK_S, NOBODY, OPEN, STALE_S, Access, BadToken, Way
from cloud.access.people import ApiToken, Session, User
from cloud.access.role import Role
from cloud.access.secret import digest
from cloud.errors import StorageError
from cloud.registry.registry import Registry

NOW_US = 1_800_000_000_000_000
HOUR_US = 3_600_000_000
SECRET, TOKEN = "a session", "tga-token"


class Counting(Registry):
    """Counts how often it is asked for what changed."""

    looks = 0

    def changes(self) -> int:
        self.looks += 1
        return super().changes()


class Desk:
    """An access with a clock that is set, and the registry as another process has it."""

    def __init__(self, folder: Path, **more) -> None:
        self.other = Registry.open(folder / "registry.db")
        self.own = Counting.open(folder / "registry.db")
        self.at_s = 100.0
        self.now_us = NOW_US
        self.access = Access(
            self.own, lambda: self.now_us, clock_s=lambda: self.at_s,
            **{"may_be_open": True} | more,
        )  # fmt: skip

    def add(self) -> User:
        user = User("ann", Role.OPERATOR, "hash", NOW_US, NOW_US)
        self.other.add_user(user, "a test")
        self.other.add_session(Session(digest(SECRET), "ann", NOW_US, NOW_US, ""), user, (0, 0))
        ends = NOW_US + HOUR_US
        token = ApiToken("1", "grafana", Role.VIEWER, digest(TOKEN), NOW_US, ends)
        self.other.add_api_token(token, "a test")
        return user


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_without_users_who_may_be_open_is_and_who_may_not_is_not(tmp_path, desk):
    assert await desk.access.caller(None, None) == OPEN
    closed = Access(desk.own, lambda: NOW_US, may_be_open=False)
    assert await closed.caller(None, None) == NOBODY


async def test_a_session_and_a_token_are_known_by_their_hashes(desk):
    desk.add()
    caller = await desk.access.caller(None, SECRET)
    assert (caller.name, caller.role, caller.way) == ("ann", Role.OPERATOR, Way.SESSION)
    caller = await desk.access.caller(TOKEN, SECRET)
    assert (caller.name, caller.role, caller.way) == ("grafana", Role.VIEWER, Way.TOKEN)
    assert await desk.access.caller(None, "another") == NOBODY
    with pytest.raises(BadToken):
        await desk.access.caller("another", SECRET)
    assert SECRET not in repr(caller)
    assert desk.access.holds(caller)


async def test_many_requests_are_one_look(desk):
    desk.add()
    for _ in range(100):
        await desk.access.caller(TOKEN, None)
    assert desk.own.looks == 1


async def test_an_unknown_token_is_looked_for_and_many_of_them_share_it(desk):
    assert await desk.access.caller(None, None) == OPEN
    desk.add()
    assert (await desk.access.caller(TOKEN, None)).role is Role.VIEWER
    before = desk.own.looks
    asked = [desk.access.caller(f"unknown {n}", None) for n in range(50)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(each, BadToken) for each in found)
    assert desk.own.looks - before <= 2


async def test_what_another_process_took_away_counts_within_a_second(desk):
    desk.add()
    caller = await desk.access.caller(TOKEN, None)
    desk.other.revoke_api_tokens(desk.other.api_tokens(), "a test", NOW_US)
    desk.at_s += STALE_S
    with pytest.raises(BadToken):
        await desk.access.caller(TOKEN, None)
    assert not desk.access.holds(caller)


async def test_a_look_that_is_due_holds_up_nobody(desk):
    desk.add()
    await desk.access.caller(TOKEN, None)
    desk.at_s += LOOK_S
    desk.other.remove_user("ann", "a test", NOW_US)
    assert (await desk.access.caller(None, SECRET)).name == "ann", "it is answered of what is known"
    assert desk.access._looking is not None
    await desk.access.look()
    assert await desk.access.caller(None, SECRET) == OPEN


async def test_another_role_counts_for_sessions_that_are_open(desk):
    user = desk.add()
    caller = await desk.access.caller(None, SECRET)
    desk.other._connection.execute("UPDATE users SET role = 'viewer' WHERE name = ?", (user.name,))
    desk.other._connection.commit()
    await desk.access.look()
    assert (await desk.access.caller(None, SECRET)).role is Role.VIEWER
    assert not desk.access.holds(caller), "a stream of the former role ends"


async def test_a_token_serves_until_it_expires(desk):
    desk.add()
    assert (await desk.access.caller(TOKEN, None)).expires_us == NOW_US + HOUR_US
    desk.now_us += HOUR_US
    with pytest.raises(BadToken):
        await desk.access.caller(TOKEN, None)


async def test_when_somebody_was_last_here_is_written_once_a_minute(desk):
    desk.add()
    await desk.access.caller(None, SECRET)
    desk.now_us += 59_000_000
    for step_us in (0, 1_000_000, 0):
        desk.now_us += step_us
        desk.at_s += STALE_S
        await desk.access.caller(None, SECRET)
    desk.at_s += STALE_S
    await desk.access.caller(None, SECRET)
    (session,) = desk.other.sessions()
    assert session.seen_us == NOW_US + 60_000_000


async def test_where_nothing_can_be_written_people_are_let_in_all_the_same(
    desk, monkeypatch, caplog
):
    def full(*_: object) -> None:
        raise StorageError("use the registry", "database or disk is full")

    desk.add()
    await desk.access.caller(None, SECRET)
    monkeypatch.setattr(desk.own, "note_seen", full)
    desk.now_us += HOUR_US
    for _ in range(2):
        desk.at_s += STALE_S
        assert (await desk.access.caller(None, SECRET)).name == "ann"
    assert "disk is full" in caplog.text


async def test_where_nothing_can_be_read_nobody_is_let_in_and_it_is_said_once(desk, caplog):
    desk.add()
    await desk.access.caller(TOKEN, None)
    held = (Path(desk.own._db.conn.execute("PRAGMA database_list").fetchone()[2])).read_bytes()
    path = Path(desk.own._db.conn.execute("PRAGMA database_list").fetchone()[2])
    path.write_bytes(b"no registry " * 4096)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            desk.at_s += STALE_S
            with pytest.raises(StorageError):
                await desk.access.caller(TOKEN, None)
    assert caplog.text.count("nobody can be let in") == 1
    path.write_bytes(held)
    desk.at_s += STALE_S
    assert (await desk.access.caller(TOKEN, None)).name == "grafana"
