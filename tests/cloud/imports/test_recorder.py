"""Databases of a Home Assistant recorder, newer and older, with their real tables."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from cloud.errors import OperatorError
from cloud.imports import recorder_file
from cloud.imports.piece import Reason
from cloud.imports.source import Statistics, Wish, open_source
from tests.cloud.imports.import_world import World
from tests.cloud.imports.test_csv import readings

T = 1_700_000_000
HOUR = 3600

# As Home Assistant 2024 creates them (recorder schema 43), indices left out.
NEW = """
CREATE TABLE states_meta (metadata_id INTEGER NOT NULL, entity_id VARCHAR(255),
  PRIMARY KEY (metadata_id));
CREATE TABLE state_attributes (attributes_id INTEGER NOT NULL, hash BIGINT, shared_attrs TEXT,
  PRIMARY KEY (attributes_id));
CREATE TABLE states (state_id INTEGER NOT NULL, entity_id CHAR(0), state VARCHAR(255),
  attributes CHAR(0), event_id SMALLINT, last_changed CHAR(0), last_changed_ts FLOAT,
  last_reported_ts FLOAT, last_updated CHAR(0), last_updated_ts FLOAT, old_state_id INTEGER,
  attributes_id INTEGER, context_id CHAR(0), context_user_id CHAR(0), context_parent_id CHAR(0),
  origin_idx SMALLINT, context_id_bin BLOB, context_user_id_bin BLOB, context_parent_id_bin BLOB,
  metadata_id INTEGER, PRIMARY KEY (state_id),
  FOREIGN KEY(old_state_id) REFERENCES states (state_id),
  FOREIGN KEY(attributes_id) REFERENCES state_attributes (attributes_id),
  FOREIGN KEY(metadata_id) REFERENCES states_meta (metadata_id));
CREATE TABLE statistics_meta (id INTEGER NOT NULL, statistic_id VARCHAR(255), source VARCHAR(32),
  unit_of_measurement VARCHAR(255), has_mean BOOLEAN, has_sum BOOLEAN, name VARCHAR(255),
  PRIMARY KEY (id));
CREATE TABLE statistics (id INTEGER NOT NULL, created CHAR(0), created_ts FLOAT,
  metadata_id INTEGER, start CHAR(0), start_ts FLOAT, mean FLOAT, min FLOAT, max FLOAT,
  last_reset CHAR(0), last_reset_ts FLOAT, state FLOAT, sum FLOAT, PRIMARY KEY (id),
  FOREIGN KEY(metadata_id) REFERENCES statistics_meta (id) ON DELETE CASCADE);
"""
# As up to Home Assistant 2022.
OLD = """
CREATE TABLE states (state_id INTEGER NOT NULL, domain VARCHAR(64), entity_id VARCHAR(255),
  state VARCHAR(255), attributes TEXT, event_id INTEGER, last_changed DATETIME,
  last_updated DATETIME, created DATETIME, old_state_id INTEGER, PRIMARY KEY (state_id));
"""


class Hass:
    """A recorder's database that is being filled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = sqlite3.connect(path)
        self.db.executescript(NEW)

    def entity(self, name: str, **attributes: object) -> tuple[int, int]:
        meta = self.db.execute("INSERT INTO states_meta (entity_id) VALUES (?)", (name,)).lastrowid
        insert = "INSERT INTO state_attributes (shared_attrs) VALUES (?)"
        return meta, self.db.execute(insert, (json.dumps(attributes),)).lastrowid

    def state(self, of: tuple[int, int], state: object, at: object) -> None:
        self.db.execute(
            "INSERT INTO states (state, last_updated_ts, attributes_id, metadata_id)"
            " VALUES (?, ?, ?, ?)", (state, at, of[1], of[0]),
        )  # fmt: skip

    def statistic(self, name: str, unit: str, *rows: tuple) -> None:
        insert = "INSERT INTO statistics_meta (statistic_id, source, unit_of_measurement) VALUES (?, 'recorder', ?)"  # noqa: E501
        meta = self.db.execute(insert, (name, unit)).lastrowid
        for row in rows:
            self.db.execute(
                "INSERT INTO statistics (metadata_id, start_ts, mean, min, max, state, sum)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)", (meta, *row),
            )  # fmt: skip

    def done(self) -> Path:
        self.db.commit()
        self.db.close()
        return self.path


@pytest.fixture
def hass(tmp_path: Path) -> Hass:
    made = Hass(tmp_path / "home-assistant_v2.db")
    hall = made.entity("sensor.hall", unit_of_measurement="°C", state_class="measurement")
    meter = made.entity("sensor.meter", unit_of_measurement="kWh", state_class="total_increasing")
    door = made.entity("binary_sensor.door")
    made.state(hall, "21.5", T + 0.25)
    made.state(hall, "unavailable", T + 1)
    made.state(hall, "22", T + 2)
    made.state(meter, "7.25", T + 1)
    made.state(door, "on", T + 1)
    made.state(door, None, T + 2)
    made.statistic("sensor.hall", "°C", (T - 2 * HOUR, 20.0, 19.0, 21.0, None, None),
                   (T + HOUR, 22.0, 22.0, 22.0, None, None))  # fmt: skip
    made.statistic("sensor.gone", "kWh", (T - HOUR, None, None, None, 5.0, 12.5))
    return made


def shown(found: list[tuple]) -> set[tuple]:
    return {(device, metric, unit, kind, at - T, value)
            for device, metric, unit, _, kind, at, value in found}  # fmt: skip


STATES = {
    ("sensor.hall", "state", "°C", "GAUGE", 0.25, 21.5),
    ("sensor.hall", "state", "°C", "GAUGE", 2.0, 22.0),
    ("sensor.meter", "state", "kWh", "COUNTER", 1.0, 7.25),
    ("binary_sensor.door", "state", "", "STATE", 1.0, "on"),
}
PURGED = {
    ("sensor.hall", "mean", "°C", "GAUGE", -2 * HOUR, 20.0),
    ("sensor.hall", "min", "°C", "GAUGE", -2 * HOUR, 19.0),
    ("sensor.hall", "max", "°C", "GAUGE", -2 * HOUR, 21.0),
    ("sensor.gone", "last", "kWh", "GAUGE", -HOUR, 5.0),
    ("sensor.gone", "sum", "kWh", "COUNTER", -HOUR, 12.5),
}
LATER = {("sensor.hall", name, "°C", "GAUGE", HOUR, 22.0) for name in ("mean", "min", "max")}


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (Statistics.NONE, STATES),
        (Statistics.PURGED, STATES | PURGED),
        (Statistics.ALL, STATES | PURGED | LATER),
    ],
)
def test_states_come_in_and_statistics_where_states_were_purged(
    hass: Hass, monkeypatch, which: Statistics, expected: set
) -> None:
    monkeypatch.setattr(recorder_file, "ROWS_AT_ONCE", 2)
    found, rejects = readings(hass.done(), Wish(statistics=which))
    assert not rejects
    assert shown(found) == expected


def test_an_older_database_names_entities_in_its_states(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(OLD)
        attributes = json.dumps({"unit_of_measurement": "°C"})
        rows = [("sensor.hall", "21.5", attributes, "2023-11-14 22:13:20.250000"),
                ("light.hall", "on", "no JSON", "2023-11-14 22:13:21")]  # fmt: skip
        db.executemany(
            "INSERT INTO states (entity_id, state, attributes, last_updated) VALUES (?, ?, ?, ?)",
            rows,
        )
        db.commit()
    found, rejects = readings(path)
    assert not rejects
    assert shown(found) == {
        ("sensor.hall", "state", "°C", "GAUGE", 0.25, 21.5),
        ("light.hall", "state", "", "STATE", 1.0, "on"),
    }


def test_a_later_copy_of_a_growing_database_brings_only_what_is_new(
    hass: Hass, tmp_path: Path
) -> None:
    world = World(tmp_path)
    hass.db.commit()
    first = world.bring(hass.path)[0]
    hall = (1, 1)
    hass.state(hall, "23", T + 10)
    hass.db.execute("DELETE FROM states WHERE last_updated_ts < ?", (T + 2,))  # a purge
    second = world.bring(hass.done())[0]
    assert first.readings == len(STATES | PURGED)
    assert second.readings == 1
    held = world.held()
    assert set(held.values()) == {1}
    assert len(held) == first.readings + 1


def test_a_database_in_use_may_be_read(hass: Hass) -> None:
    hass.db.execute("PRAGMA journal_mode=WAL")
    hass.db.commit()
    hass.state((1, 1), "23", T + 10)
    hass.db.commit()
    found, _ = readings(hass.path)
    assert ("sensor.hall", "state", "°C", "GAUGE", 10.0, 23.0) in shown(found)
    hass.db.close()


def test_rows_that_no_recorder_writes_are_told_one_by_one(hass: Hass, tmp_path: Path) -> None:
    hall = (1, 1)
    for at in (None, "never", 1e300, -5.0, b"x", "9999-12-31"):
        hass.state(hall, "1", at)
    hass.state((999, 1), "1", T)
    hass.state(hass.entity("s" * 300), "1", T)
    hass.state(hall, "1e999", T)
    hass.db.execute(
        "UPDATE state_attributes SET shared_attrs = ? WHERE attributes_id = 3", ("[" * 9000,)
    )
    found, rejects = readings(hass.done())
    assert shown(found) == STATES | PURGED
    assert Counter(one.reason for one in rejects) == {
        Reason.NOT_A_TIME: 4, Reason.OUT_OF_RANGE: 2, Reason.NO_NAME: 1, Reason.LONG_NAME: 1,
        Reason.NOT_FINITE: 1,
    }  # fmt: skip


def test_another_database_and_a_damaged_one_are_told_apart(hass: Hass, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE things (a)")
        db.commit()
    with pytest.raises(OperatorError, match="not of a Home Assistant recorder"):
        readings(other)
    path = hass.done()
    data = bytearray(path.read_bytes())
    data[100:] = b"\xff" * (len(data) - 100)
    path.write_bytes(data)
    with pytest.raises(OperatorError, match="is it whole"):
        readings(path)


@pytest.mark.parametrize("row", [None, "abc", b"\xff", 9e999])
def test_ids_that_are_no_numbers_are_no_fault_of_ours(tmp_path: Path, row: object) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE states (state_id, entity_id, state, last_updated_ts)")
        db.execute("CREATE TABLE statistics (id, metadata_id, start_ts, mean)")
        db.execute("CREATE TABLE statistics_meta (id, statistic_id)")
        db.execute("INSERT INTO states VALUES (?, 'sensor.a', '1', ?)", (row, T))
        db.execute("INSERT INTO statistics VALUES (?, 1, ?, 2.5)", (row, T - HOUR))
        db.execute("INSERT INTO statistics_meta VALUES (1, 'sensor.a')")
        db.commit()
    found, rejects = readings(path)
    assert not rejects
    assert sorted(value for *_, value in found) == [1.0, 2.5]


def test_a_view_in_place_of_the_states_is_no_recorder(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "CREATE VIEW states AS WITH RECURSIVE every (id) AS"
            " (SELECT 1 UNION ALL SELECT id + 1 FROM every)"
            " SELECT id AS state_id, 'a' AS entity_id, '1' AS state FROM every"
        )
    with pytest.raises(OperatorError, match="not of a Home Assistant recorder"):
        readings(path)


def test_pieces_are_bounded_by_bytes_too(hass: Hass, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_file, "BYTES_AT_ONCE", 3000)
    for at in range(20):
        hass.state((1, 1), "y" * 1000, T + 100 + at)
    pieces = list(open_source(hass.done(), None, Wish()).pieces())
    assert max(len(words) for piece in pieces for words in piece.words) <= 4
    assert sum(len(words) for piece in pieces for words in piece.words) >= 20
