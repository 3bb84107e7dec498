"""Devices whose own time cannot be used are counted by why, whichever way they are read."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge.config import load
from edge.explain import Explainer, lines
from edge.health import Health, IngestHealth
from edge.health_text import told
from edge.payload.rules import Rules
from edge.reading_rows import AHEAD_US_MAX
from edge.recognition import Recognition
from protos.records import Kind, Quality
from tests.edge.test_reading import ARRIVAL_US, make_reader, message, rows

SYNCED = int(Quality.GATEWAY_SYNCED)
AHEAD = ARRIVAL_US + AHEAD_US_MAX + 1


def clocks(*payloads: bytes, quality: int = SYNCED, topic: str = "plant/p") -> tuple[int, ...]:
    """Readings by a clock ahead, never set, local: of each payload told four times over."""
    reader = make_reader()
    found = (0, 0, 0)
    for number, payload in enumerate(payloads * 4):  # by a plan from the third time on
        counts = reader.read([message(topic, payload, quality=quality, packet_id=number)]).counts
        told = (counts.clocks_ahead, counts.clocks_unset, counts.clocks_local)
        found = (found[0] + told[0], found[1] + told[1], found[2] + told[2])
    return found


def test_a_time_from_the_future_is_counted_for_each_of_its_readings() -> None:
    assert clocks(b'{"ts":%d,"a":1.5,"b":2}' % AHEAD) == (8, 0, 0)
    assert clocks(b'{"ts":%d,"a":1.5,"b":"on"}' % AHEAD) == (8, 0, 0), "a text is a reading"
    assert clocks(b'{"ts":%d,"a":1.5}' % (AHEAD - 1)) == (0, 0, 0), "the last one that is believed"


def test_a_gateway_not_sure_of_its_own_time_judges_nobody() -> None:
    unsynced = int(Quality.GATEWAY_UNSYNCED)
    assert clocks(b'{"ts":%d,"a":1.5}' % AHEAD, quality=unsynced) == (0, 0, 0)


@pytest.mark.parametrize("never", [b'"1970-01-01T00:00:27Z"', b"946684842", b"946684842000"])
def test_a_clock_that_was_never_set_is_counted(never: bytes) -> None:
    assert clocks(b'{"time":%s,"a":1.5,"b":2}' % never) == (0, 8, 0)


def test_a_local_time_counts_until_its_zone_is_known() -> None:
    payload = b'{"Time":"2023-11-14T23:13:20","DHT":{"Temperature":20.5,"Humidity":50}}'
    assert clocks(payload, topic="tele/hall/SENSOR") == (0, 0, 8)
    reader = make_reader(recognition=Recognition(rules=Rules((), None, ZoneInfo("Europe/Berlin"))))
    heard = reader.read([message("tele/hall/SENSOR", payload)])
    assert heard.counts.clocks_local == 0
    assert {row["ts"] for row in rows(heard.batch, Kind.NUMBERS)} == {ARRIVAL_US}


def test_a_right_clock_and_no_clock_count_nowhere() -> None:
    assert clocks(b'{"ts":1699999999,"a":1.5}', b'{"a":1.5}', b'{"ts":7,"a":1.5}') == (0, 0, 0)


def test_the_counts_are_totals_of_the_commit() -> None:
    heard = make_reader().read([message("plant/p", b'{"time":"1970-01-01T00:00:27Z","a":1.5}')])
    assert heard.as_chunk().counters["clocks_unset"] == 1


def test_status_tells_what_is_wrong_with_clocks_and_what_to_do() -> None:
    ingest = IngestHealth(clocks_ahead=3, clocks_local=1200)
    said = told(Health(gateway="gw", version="1", running=True, ingest=ingest))
    assert "3 readings told a time from the future" in said
    assert "1,200 readings told a local time of no zone: `time_zone`" in said
    assert "never set" not in said


def test_decode_says_why_a_time_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text('[gateway]\nname = "gw-1"\n')
    explainer = Explainer(load(tmp_path))
    for payload, why in (
        (b'{"time":"2023-11-14T23:13:20","a":1}', "name its `time_zone` in the rules"),
        (b'{"time":"1970-01-01T00:00:27Z","a":1}', "never set"),
        (b'{"ts":1700001200,"a":1}', "20 min ahead of this gateway"),
        (b'{"ts":1800000000,"a":1}', "1,157 days ahead of this gateway"),
    ):
        found = explainer.explain("plant/p", payload, arrival_us=ARRIVAL_US)
        assert why in found.clocks[0]
        assert any("the device's clock" in line for line in lines(found, payload))
    assert not explainer.explain("p", b'{"ts":1700000000,"a":1}', arrival_us=ARRIVAL_US).clocks
