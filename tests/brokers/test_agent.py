"""The agent before every broker: what it acknowledges is kept once, over TCP, TLS and kill -9."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.brokers.agent import Agent
from tests.brokers.broker import RealBroker
from tests.brokers.kinds import KINDS
from tests.crash.verdict import is_timed, message
from tests.edge.mosquitto import until

pytestmark = pytest.mark.broker
NewAgent = Callable[..., Agent]


# Each broker in each MQTT that it speaks, by each of our clients; ``auto`` has to find 3.1.1.
WAYS = [
    (kind, client, version)
    for kind, broker in sorted(KINDS.items())
    for client in ("native", "paho")
    for version in (("5", "3.1.1") if broker.abilities.mqtt_5 else ("auto",))
]


@pytest.fixture(scope="module")
def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealBroker]:
    """One for all ways to speak with it; each agent has a session of its own there."""
    one = KINDS[request.param](tmp_path_factory.mktemp(request.param))
    try:
        one.start()
        yield one
    finally:
        one.stop()


@pytest.fixture
def new_agent(tmp_path: Path, broker: RealBroker) -> Iterator[NewAgent]:
    made: list[Agent] = []

    def new(**how: Any) -> Agent:
        made.append(Agent(tmp_path, broker, **how))
        return made[-1]

    yield new
    for one in made:
        one.close()


def by_every_way() -> pytest.MarkDecorator:
    """A case for each way; those before the slow brokers are for the campaigns."""
    cases = [
        pytest.param(*way, marks=[] if way[0] == "mosquitto" else [pytest.mark.campaign])
        for way in WAYS
    ]
    return pytest.mark.parametrize(("broker", "client", "version"), cases, indirect=["broker"])


@by_every_way()
def test_what_is_acknowledged_is_kept_once_also_of_what_came_while_the_agent_was_away(
    new_agent: NewAgent, client: str, version: str
) -> None:
    agent = new_agent(client=client, version=version)
    agent.start()
    spoken = "3.1.1" if version == "auto" else version
    assert agent.status()["broker"]["protocol"] == f"MQTT {spoken}"
    agent.broker.publish([message(number) for number in range(600)])
    until(lambda: agent.heard.acknowledged == 600, f"{agent.heard.acknowledged} acknowledged", 60)
    sent = 600
    if agent.broker.abilities.holds_sessions:
        assert agent.half.stop() == 0
        agent.broker.publish([message(number) for number in range(600, 900)])
        agent.start()
        sent = 900
        until(lambda: agent.heard.acknowledged == sent, "the session was not resumed", 60)
    assert agent.kept() == dict.fromkeys(range(sent), 1)


@by_every_way()
def test_what_was_acknowledged_when_the_broker_was_killed_is_kept_once(
    new_agent: NewAgent, client: str, version: str
) -> None:
    agent = new_agent(client=client, version=version)
    agent.start()
    broker = agent.broker
    _killed_between(agent)
    after = range(0 if broker.abilities.survives_kill else 600, 1200)
    until(lambda: all(agent.heard.acked[n] for n in after), "the rest has not come", 60)
    verdict = agent.heard.judge(agent.kept())
    assert (verdict.lost, verdict.doubled, verdict.foreign) == ([], [], 0)
    assert verdict.acknowledged >= len(after)


@by_every_way()
def test_the_same_over_tls_with_the_certificate_that_the_broker_asks_for(
    new_agent: NewAgent, client: str, version: str
) -> None:
    agent = new_agent(client=client, version=version, tls=True)
    agent.start()
    broker = agent.broker
    _killed_between(agent)
    after = range(0 if broker.abilities.survives_kill else 600, 1200)
    until(lambda: agent.rows() >= len(after), "the rest has not come", 60)
    until(lambda: agent.status()["ingest"]["waiting"] == 0, "the rest is not committed", 60)
    kept = agent.kept()
    assert [number for number in after if not kept[number]] == []
    # What has no time of its own comes twice where a broker gives it another packet id (0015): the
    # test above judges those by the wire, which TLS hides here.
    assert [n for n, times in kept.items() if times > 1 and is_timed(n)] == []


def _killed_between(agent: Agent) -> None:
    """600 messages, the broker killed -9 with them on their way, and 600 when it is back."""
    broker, before = agent.broker, agent.sessions()
    broker.publish([message(number) for number in range(600)])
    broker.kill()
    broker.start()
    until(lambda: agent.sessions() > before, f"not back: {agent.half.tail()}", 120)
    broker.publish([message(number) for number in range(600, 1200)])
