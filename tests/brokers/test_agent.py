"""The agent before every broker: what it acknowledges is kept once, over TCP, TLS and kill -9."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.brokers.agent import Agent
from tests.brokers.broker import RealBroker
from tests.brokers.kinds import KINDS
from tests.crash.verdict import message
from tests.edge.mosquitto import until

pytestmark = pytest.mark.broker
NewAgent = Callable[..., Agent]


@pytest.fixture(params=sorted(KINDS))
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealBroker]:
    folder = tmp_path / request.param
    folder.mkdir()
    one = KINDS[request.param](folder)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def new_agent(tmp_path: Path, broker: RealBroker) -> Iterator[NewAgent]:
    made: list[Agent] = []

    def new(**how: object) -> Agent:
        made.append(Agent(tmp_path, broker, **how))  # type: ignore[arg-type]
        return made[-1]

    yield new
    for one in made:
        one.close()


def test_all_that_is_published_is_acknowledged_and_kept_once(new_agent: NewAgent) -> None:
    agent = new_agent()
    agent.start()
    agent.broker.publish([message(number) for number in range(900)])
    until(lambda: agent.heard.acknowledged == 900, "not all was acknowledged", 60)
    assert agent.kept() == dict.fromkeys(range(900), 1)


def test_the_same_over_tls_with_the_certificate_that_the_broker_asks_for(
    new_agent: NewAgent,
) -> None:
    agent = new_agent(tls=True)
    agent.start()
    agent.broker.publish([message(number) for number in range(300)])
    until(lambda: agent.rows() >= 300, "not all was kept")
    assert agent.kept() == dict.fromkeys(range(300), 1)


def test_what_was_acknowledged_when_the_broker_was_killed_is_kept_once(
    new_agent: NewAgent,
) -> None:
    agent = new_agent()
    agent.start()
    broker, before = agent.broker, agent.sessions()
    broker.publish([message(number) for number in range(600)])
    broker.kill()
    broker.start()
    until(lambda: agent.sessions() > before, f"not back: {agent.half.tail()}", 60)
    broker.publish([message(number) for number in range(600, 1200)])
    after = range(0 if broker.abilities.survives_kill else 600, 1200)
    until(lambda: all(agent.heard.acked[n] for n in after), "the rest has not come", 60)
    verdict = agent.heard.judge(agent.kept())
    assert (verdict.lost, verdict.doubled, verdict.foreign) == ([], [], 0)
    assert verdict.acknowledged >= len(after)


def test_a_session_is_resumed_with_what_came_while_the_agent_was_away(
    new_agent: NewAgent,
) -> None:
    agent = new_agent()
    if not agent.broker.abilities.holds_sessions:
        pytest.skip(f"{agent.broker.kind} declares that it holds no sessions")
    agent.start()
    assert agent.half.stop() == 0
    agent.broker.publish([message(number) for number in range(300)])
    agent.start()
    until(lambda: agent.heard.acknowledged == 300, "not all was acknowledged", 60)
    assert agent.kept() == dict.fromkeys(range(300), 1)
