"""What people are told, as the API shows it: what stands, and what became of each message."""

import pytest

from cloud.notify.channel import Severity
from cloud.notify.file import NotifyFile
from cloud.notify.outbox import Outbox
from cloud.notify.rule import What
from cloud.notify.standing import Finding
from cloud.notify.standings import Standings
from tests.cloud.notify.told_world import T0, document
from tests.cloud.serve_world import World


@pytest.fixture
def world(tmp_path):
    file = NotifyFile.open(tmp_path / "notify.db")
    world = World(tmp_path / "lake", told=file)
    world.told = file
    yield world
    world.close()
    file.close()


def find(world: World, gateway: str, what: What = What.SILENCE, **more):
    found = Finding(what.value, what, gateway, Severity.WARNING, gateway, T0, **more)
    return Standings(world.told).begin(found, [], T0 + 1)


def test_what_stands_is_shown_newest_first_and_what_ended_only_when_it_is_asked_for(world):
    attic = find(world, "attic", detail={"silent_s": 300.0})
    find(world, "cellar", What.BUFFER)
    Standings(world.told).end(attic, [], T0 + 5)
    (cellar,) = world.get("/api/v1/standing")["standing"]
    assert (cellar["gateway"], cellar["what"], cellar["ended"]) == ("cellar", "buffer", None)
    told = world.get("/api/v1/standing?which=all")["standing"]
    assert [one["gateway"] for one in told] == ["cellar", "attic"]
    assert told[1] == {
        "id": attic.id, "what": "silence", "rule": "silence", "severity": "warning",
        "gateway": "attic", "device": None, "metric": None, "began": T0, "ended": T0 + 5,
        "detail": {"silent_s": 300.0},
    }  # fmt: skip


def test_standings_are_found_by_kind_and_gateway_and_come_in_pages(world):
    for number in range(5):
        find(world, f"gw-{number}")
    find(world, "gw-1", What.BUFFER)
    both = world.get("/api/v1/standing?gateway=gw-1")["standing"]
    assert [one["what"] for one in both] == ["buffer", "silence"]
    assert len(world.get("/api/v1/standing?what=silence")["standing"]) == 5
    seen, cursor = [], ""
    while cursor is not None:
        page = world.get(f"/api/v1/standing?limit=2&what=silence{cursor}")
        seen += [one["gateway"] for one in page["standing"]]
        cursor = None if page["next"] is None else f"&cursor={page['next']}"
    assert seen == [f"gw-{number}" for number in reversed(range(5))]


def test_the_log_tells_of_each_message_what_became_of_it_and_what_was_dropped(world):
    box = Outbox(world.told, 10, 1_000_000)
    for number, channel in enumerate(["ops", "ops", "mail"]):
        box.put(channel, document(f"{number:032x}"), T0 + number)
    box.delivered(box.next("ops", T0, 1), T0 + 7)
    box.failed(box.next("ops", T0 + 8, 1_000_000), "connection refused", T0 + 50)
    box.next("mail", T0 + 2_000_000, 1)
    told = world.get("/api/v1/notices")
    assert [(n["channel"], n["state"], n["error"]) for n in told["notices"]] == [
        ("mail", "dropped", "too old"), ("ops", "waiting", "connection refused"),
        ("ops", "delivered", ""),
    ]  # fmt: skip
    assert told["notices"][1]["due"] == T0 + 50
    assert told["notices"][2]["done"] == T0 + 7
    assert told["dropped"] == [{"channel": "mail", "reason": "too old", "count": 1}]
    (one,) = world.get("/api/v1/notices?channel=ops&state=waiting")["notices"]
    assert (one["attempts"], one["subject"]) == (1, "attic: gateway is silent")


def test_both_come_as_tables_too(world):
    find(world, "attic", detail={"silent_s": 300.0})
    lines = world.client.get("/api/v1/standing?format=csv").text.splitlines()
    assert lines[0].startswith('"id","what","rule","severity","gateway"')
    assert "attic" in lines[1]
    assert len(world.client.get("/api/v1/notices?format=csv").text.splitlines()) == 1


def test_a_kind_that_is_none_is_refused_with_the_nearest(world):
    told = world.get("/api/v1/standing?what=silent", 400)["error"]
    assert (told["parameter"], told["nearest"]) == ("what", "silence")
    assert world.get("/api/v1/notices?state=lost", 400)["error"]["parameter"] == "state"
