"""From what the cloud knows to messages: begun once, grouped, kept through quiet and starts."""

from datetime import UTC, datetime

import pytest

from cloud.errors import StorageError
from cloud.notify.file import NotifyFile
from tests.cloud.notify.fleet_world import DAY_US, MIB, OPS, S
from tests.cloud.notify.told_world import T0


def test_a_gateway_that_stops_is_silent_after_the_stated_time_and_told_when_heard_again(
    fleet, told
):
    fleet.enrol("attic")
    fleet.hear("attic")
    one = told('[notify.rules.quiet]\non = "silence"\nsilent_s = 30.0\nseverity = "critical"\n')
    one.look(10)
    fleet.leave("attic")
    one.look(29)
    assert one.standing == []
    one.look(1)
    assert one.standing == ["attic"]
    one.look(19)
    assert one.messages == []
    one.look(1)
    (message,) = one.messages
    assert message["subject"] == "attic: gateway is silent"
    assert message["severity"] == "critical"
    (standing,) = message["standings"]
    assert (standing["what"], standing["change"]) == ("silence", "begun")
    assert (standing["began"], standing["ended"]) == (T0 + 10 * S, None)
    one.look(1000)
    assert len(one.messages) == 1
    fleet.hear("attic")
    one.look(0)
    assert one.standing == []
    one.look(20)
    assert one.subjects[1:] == ["attic: gateway is heard again"]
    assert one.messages[1]["standings"][0]["id"] == standing["id"]
    assert one.messages[1]["standings"][0]["ended"] == T0 + 1060 * S


def test_fifty_gateways_that_go_silent_together_are_one_message(fleet, told):
    for number in range(50):
        fleet.enrol(f"gw-{number}")
        fleet.hear(f"gw-{number}")
    one = told()
    for number in range(50):
        fleet.clock.go(0.2)
        fleet.leave(f"gw-{number}")
    for _ in range(80):
        one.look(5)
    assert one.subjects == ["50 gateways are silent"]
    assert len(one.messages[0]["standings"]) == 50


def test_a_gateway_whose_stream_is_open_and_says_nothing_hangs(fleet, told):
    fleet.enrol("attic")
    fleet.hear("attic")
    one = told('[notify.rules.quiet]\non = "silence"\nsilent_s = 5.0\n')
    one.look(60)
    assert one.standing == []
    one.look(1)
    assert one.standing == ["attic"]
    fleet.hear("attic")
    one.look(1)
    assert one.standing == []


def test_one_that_brings_a_past_in_one_that_never_came_and_one_that_was_revoked_are_not_silent(
    fleet, told
):
    for name in ("import", "new", "gone"):
        fleet.enrol(name)
    fleet.hear("import")
    fleet.streams["import"].status.wall_us = 0
    fleet.hear("gone")
    fleet.leave("gone")
    fleet.enrol("gone", 0)
    one = told()
    one.look(5000)
    assert one.standing == []


def test_a_cloud_that_was_away_does_not_take_all_for_silent_and_forgets_none_that_was(fleet, told):
    for name in ("attic", "cellar"):
        fleet.enrol(name)
        fleet.hear(name)
    one = told('[notify.rules.quiet]\non = "silence"\nsilent_s = 30.0\n')
    fleet.leave("attic")
    one.look(40)
    assert one.standing == ["attic"]
    fleet.leave("cellar")
    fleet.clock.go(3600)
    one.restart()
    one.look(1)
    assert one.standing == ["attic"]
    one.look(29)
    assert one.standing == ["attic", "cellar"]
    assert [m["standings"][0]["change"] for m in one.messages] == ["begun"]


def test_a_machine_that_stood_still_takes_no_connected_gateway_for_silent(fleet, told):
    fleet.enrol("attic")
    fleet.hear("attic")
    one = told('[notify.rules.quiet]\non = "silence"\nsilent_s = 30.0\n')
    one.look(5)
    fleet.clock.go(3600)
    one.notifier.resume(fleet.clock())
    one.look(60)
    assert one.standing == []
    one.look(1)
    assert one.standing == ["attic"]


def test_what_stands_is_told_again_when_the_rule_says_so(fleet, told):
    fleet.enrol("attic")
    fleet.hear("attic")
    fleet.leave("attic")
    one = told('[notify.rules.quiet]\non = "silence"\nrepeat_s = 600.0\n')
    for _ in range(340):
        one.look(5)
    changes = [message["standings"][0]["change"] for message in one.messages]
    assert changes == ["begun", "again", "again"]


def test_a_buffer_that_fills_up_is_told_once_and_not_for_each_percent(fleet, told):
    fleet.enrol("attic")
    one = told()
    for share in (70, 79, 80, 82, 79, 81, 78):
        fleet.hear("attic", buffer_bytes=share * MIB, backlog_bytes=share * MIB,
                   buffer_bytes_max=100 * MIB)  # fmt: skip
        one.look(5)
    assert one.standing == ["attic"]
    fleet.hear("attic", buffer_bytes=74 * MIB, backlog_bytes=74 * MIB, buffer_bytes_max=100 * MIB)
    one.look(5)
    assert one.standing == []
    one.look(30)
    assert one.subjects == ["attic: buffer fills up", "attic: buffer has room again"]


def test_a_buffer_that_will_be_full_in_two_days_is_told_though_it_is_nearly_empty(fleet, told):
    fleet.enrol("attic")
    one = told('[notify.rules.full]\non = "buffer"\nfull_share = 1.0\n')
    taken = 100 * MIB
    for _ in range(30):
        fleet.hear("attic", buffer_bytes=taken, backlog_bytes=taken, buffer_bytes_max=10_000 * MIB)
        one.look(60)
        taken += 4 * MIB  # 5.6 GiB a day
    assert one.standing == ["attic"]
    assert "days left 1.7" in one.messages[0]["text"]


def test_a_file_that_is_large_and_empty_is_no_full_buffer(fleet, told):
    fleet.enrol("attic")
    one = told()
    fleet.hear("attic", buffer_bytes=99 * MIB, backlog_bytes=1 * MIB, buffer_bytes_max=100 * MIB)
    one.look(5)
    assert one.standing == []


def test_a_certificate_is_told_in_its_last_thirty_days_and_when_it_was_renewed(fleet, told):
    end = T0 + 31 * DAY_US
    fleet.enrol("attic", end)
    one = told()
    one.look(0)
    assert one.standing == []
    one.look(86_400 + 60)
    assert one.standing == ["attic"]
    one.look(40 * 86_400)
    assert one.standing == ["attic"], "past its life it stands as well"
    fleet.enrol("attic", end + 730 * DAY_US)
    one.look(0)
    one.look(60)
    assert one.standing == []
    assert one.subjects[-1] == "attic: certificate is good again"


def test_gaps_are_told_as_one_time_in_which_they_came_and_never_twice(fleet, told):
    fleet.gaps(attic=1000)
    one = told()
    one.look(5)
    assert one.standing == [], "what was lost before anybody looked is history"
    for lost in (1010, 1500, 2000):
        fleet.gaps(attic=lost)
        one.look(60)
    assert one.standing == ["attic/evicted"]
    one.restart()
    one.look(60)
    assert one.standing == ["attic/evicted"]
    fleet.clock.go(5000)
    one.restart()
    fleet.gaps(attic=2000, cellar=5)  # came while the cloud was away
    one.look(5)
    one.look(20)
    assert one.standing == ["attic/evicted", "cellar/evicted"]
    one.look(601)
    assert one.standing == []
    one.look(30)
    assert one.subjects == [
        "attic: gateway lost readings", "cellar: gateway lost readings", "2 gateways lose no more",
    ]  # fmt: skip


def test_the_first_gap_of_a_new_cloud_is_told_after_a_restart_too(fleet, told):
    one = told()
    one.look(5)
    one.restart()
    fleet.gaps(attic=7)
    one.look(5)
    assert one.standing == ["attic/evicted"]


def test_in_quiet_times_nothing_is_told_but_what_matters_and_the_rest_is_one_message_after(
    fleet, told
):
    night = datetime(2026, 10, 24, 23, 0, tzinfo=UTC)  # 01:00 in Berlin, before clocks go back
    fleet.clock.now_us = int(night.timestamp()) * S
    for name in ("attic", "cellar", "mill"):
        fleet.enrol(name)
        fleet.hear(name)
    one = told(
        '[notify]\nzone = "Europe/Berlin"\n[notify.rules.quiet]\non = "silence"\n'
        'gateways = "[ac]*"\n[notify.rules.mill]\non = "silence"\ngateways = "mill"\n'
        'severity = "critical"\n',
        OPS + 'quiet = ["22:00-07:00"]\n',
    )
    fleet.leave("attic")
    fleet.leave("mill")
    fleet.clock.go(320)
    fleet.hear("cellar")
    one.look()
    one.look(30)
    assert one.subjects == ["mill: gateway is silent"]
    fleet.leave("cellar")
    # Until 06:59 by the clock on the wall, an hour longer than it says.
    while fleet.clock() < int(datetime(2026, 10, 25, 5, 59, tzinfo=UTC).timestamp()) * S:
        one.look(50)
    assert len(one.subjects) == 1
    one.look(61)
    assert one.subjects[1:] == ["2 gateways are silent"]


def test_a_rule_without_channels_shows_and_tells_nobody(fleet, told):
    fleet.enrol("attic")
    fleet.hear("attic")
    fleet.leave("attic")
    one = told('[notify.rules.quiet]\non = "silence"\nchannels = []\n')
    one.look(400)
    one.look(60)
    assert one.standing == ["attic"]
    assert one.messages == []


def test_what_stood_by_a_rule_that_there_is_no_more_ends_and_nobody_is_told(fleet, told):
    fleet.enrol("attic")
    fleet.hear("attic")
    fleet.leave("attic")
    one = told('[notify.rules.old]\non = "silence"\n')
    one.look(400)
    one.text = OPS + '[notify.rules.new]\non = "silence"\nsilent_s = 9999.0\n'
    one.restart()
    one.look(60)
    assert one.standing == []


def test_a_look_that_could_not_be_kept_is_made_again(fleet, told, monkeypatch):
    fleet.enrol("attic")
    fleet.hear("attic")
    fleet.leave("attic")
    one = told()
    one.notifier.file._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StorageError):
        one.look(400)
    assert one.standing == []
    one.notifier.file._connection.execute("PRAGMA query_only = OFF")
    one.look(5)
    assert one.standing == ["attic"]


def test_a_damaged_file_is_put_aside_and_the_cloud_starts(tmp_path, fleet, told):
    (tmp_path / "notify.db").write_bytes(b"no database at all" * 500)
    one = told()
    one.look(5)
    assert (tmp_path / "notify.db.damaged").read_bytes()[:11] == b"no database"
    with pytest.raises(StorageError):
        NotifyFile.open(tmp_path / "notify.db.damaged")
