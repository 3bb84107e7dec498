"""`discover`: who speaks how, and which rules are worth writing."""

import asyncio
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import msgspec
import pytest

from edge.cli import console
from edge.payload.rules import TopicRule, template_form
from edge.proposal import Listened, proposals, template_of
from edge.rules_file import parse_rules
from tests.edge.mosquitto import Mosquitto

BIN = Path(sys.executable).parent


def test_levels_that_differ_get_roles_from_the_right() -> None:
    scalars = ["s/CLE/v1/d5/temp", "s/CLE/v1/d6/hum", "s/NYC/v1/d5/temp"]
    assert template_of(scalars, scalar=True) == "s/{level1}/v1/{device}/{metric}"
    assert template_of(["plant/p1", "plant/p2"], scalar=False) == "plant/{device}"
    assert template_of(["plant/p1/state", "plant/p2/state"], scalar=False) == "plant/{device}/state"
    assert template_of(["only/one"], scalar=True) == "only/one"


def test_where_only_devices_differ_the_last_level_is_the_metric_all_the_same() -> None:
    assert template_of(["plant/a/flow", "plant/b/flow"], scalar=True) == "plant/{device}/{metric}"
    assert template_of(["plant/a/flow", "plant/a/head"], scalar=True) == "plant/a/{metric}"


def test_every_template_is_one_and_fits_its_topics() -> None:
    names = ["a{/b{c/x", "a{/d/x"]
    assert template_of(names, scalar=True) == "+/{device}/{metric}"
    assert all(re.fullmatch(template_form("+/{device}/{metric}"), name) for name in names)


def test_named_conventions_need_no_rule_and_times_with_other_names_are_seen() -> None:
    listened = Listened()
    listened.add("zigbee2mqtt/x", "zigbee2mqtt", {"x"}, {"t": 1})
    listened.add("plant/p1", "json", {"plant/p1"}, {"measured_time": 1_700_000_000, "t": 1})
    listened.add("one/scalar", "scalar", {"one"}, None)
    listened.add("local/x", "json", {"local/x"}, {"at_time": "2023-11-14T10:00:00"})
    (found,) = proposals(listened)
    assert (found.template, found.time, found.topics) == ("plant/p1", "measured_time", 1)
    assert listened.local_times == 1


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    one = Mosquitto(tmp_path)
    one.start()
    yield one
    one.stop()


@pytest.mark.broker
async def test_what_is_heard_becomes_a_rules_file_that_can_be_used(
    tmp_path: Path, broker: Mosquitto
) -> None:
    home = str(tmp_path / "edge")
    url = f"mqtt://127.0.0.1:{broker.port}"
    assert console().call(["--home", home, "init", "--name", "hall", "--broker", url]) == 0
    text, machine = await asyncio.gather(
        discovered(home, broker), discovered(home, broker, "--json")
    )
    rules = msgspec.convert(tomllib.loads(text)["topic"], list[TopicRule])
    assert [rule.template for rule in rules] == ["site/{device}/{metric}"]
    assert "# zigbee2mqtt: " in text
    assert "# cannot be read: torn: broken JSON" in text
    assert "# time_zone" in text
    parse_rules(text.encode(), Path("rules.toml"))
    told = json.loads(machine)
    assert told["devices"]["zigbee2mqtt"] == ["hall"]
    assert told["rules"] == [{"template": "site/{device}/{metric}"}]


async def discovered(home: str, broker: Mosquitto, *more: str) -> str:
    process = await asyncio.create_subprocess_exec(
        BIN / "tidegate-edge", "--home", home, "discover", "--seconds", "4", *more,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(60):
        assert b"listening" in await process.stderr.readline()
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.publish("site/a/temp", b"1", qos=1)
            await client.publish("site/b/hum", b"2", qos=1)
            await client.publish("zigbee2mqtt/hall", b'{"temperature":1}', qos=1)
            await client.publish("plc/1", b'{"time":"2023-11-14T10:00:00","x":1}', qos=1)
            await client.publish("torn", b"{", qos=1)
        told = (await process.stdout.read()).decode()
        assert await process.wait() == 0
    return told
