"""The brokers: reached, let in, topics granted, and what they hold while the agent is away."""

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from edge.doctor.case import Case
from edge.doctor.kind import REFUSED, UNREACHABLE, Finding, fault, hint, ok, warning
from edge.doctor.theme import Theme
from edge.errors import OperatorError
from edge.mqtt_version import MqttVersion

if TYPE_CHECKING:
    from edge.config import NamedBroker
    from edge.doctor.broker_conf import Mosquitto
    from edge.doctor.broker_talk import Said

LINE: Final = "the broker that sensors publish to"
HOLDS: Final = "what the broker holds for the gateway"
EXPIRY: Final = 0x11
RECEIVE_MAXIMUM: Final = 0x21
PACKET_MAX: Final = 0x27
QUEUE_LONG: Final = 100_000
IN_FLIGHT_FEW: Final = 100
"""A commit in 50 ms, and 2,000 messages a second are the most that come with so many."""
_CONF: Final = "in /etc/mosquitto/conf.d/tidegate.conf, then `systemctl restart mosquitto`"

ANSWERS = ok("broker.answers", LINE)
UNREACHED = fault(
    "broker.unreachable",
    LINE,
    "is it running (`systemctl status mosquitto`), and is `{key}.url` right?",
    UNREACHABLE,
)
NO_TLS = fault(
    "broker.tls", LINE, "check `{key}.ca_file`, and whether `{key}.url` should be mqtt://", REFUSED
)
MUTE = fault(
    "broker.mute",
    LINE,
    "is that an MQTT port? If it wants TLS there, write `{key}.url` as mqtts://",
    UNREACHABLE,
)
TURNED_AWAY = fault(
    "broker.refused",
    LINE,
    "check `{key}.username`, `{key}.password_file` and the broker's access rules",
    REFUSED,
)
UNGRANTED = fault(
    "broker.topics", LINE, "let the gateway read them in the broker's access rules (ACL)", REFUSED
)
LOW_QOS = warning(
    "broker.qos", LINE, "let the broker grant QoS 1: with QoS 0 nothing waits for the gateway"
)
OLD = hint("broker.old", LINE, "a broker with MQTT 5 keeps more messages in flight to the gateway")
APART = fault("broker.agent", LINE, "{hint}", UNREACHABLE)
FORGETS = warning(
    "broker.persistence", HOLDS, "write `persistence true` " + _CONF + ": a power cut takes it else"
)
SHORT_QUEUE = warning("broker.queue", HOLDS, "write `max_queued_messages 0` " + _CONF)
FEW_IN_FLIGHT = hint(
    "broker.inflight", HOLDS, "write `max_inflight_messages 0` " + _CONF + ": few cap the rate"
)
EXPIRES = warning(
    "broker.expiry", HOLDS, "let the broker keep sessions longer than the gateway may be away"
)
DROPPED = warning("broker.dropped", HOLDS, "a longer queue: `max_queued_messages 0` " + _CONF)
UNKNOWN = hint(
    "broker.unknown",
    HOLDS,
    "see in its own settings that sessions persist and that queues are long enough",
)
KEPT = ok("broker.holds", HOLDS)


def examine(case: Case) -> Iterator[Finding]:
    """Talk to each broker of the settings."""
    for one in case.config.brokers:
        yield from _broker(case, one)


def _broker(case: Case, one: "NamedBroker") -> Iterator[Finding]:
    from edge import agent_parts
    from edge.doctor.broker_conf import read
    from edge.doctor.broker_talk import Stage, converse

    try:
        broker = agent_parts.broker(case.config, one)
    except OperatorError:
        return  # its files are told by the configuration's theme
    said, where = converse(broker), one.settings.url
    match said.stage:
        case Stage.NOT_REACHED:
            yield UNREACHED.found(f"{where}: {said.error}", key=one.key)
        case Stage.NOT_ENCRYPTED:
            yield NO_TLS.found(f"{where}: {said.error}", key=one.key)
        case Stage.MUTE:
            yield MUTE.found(f"{where}: {said.error}", key=one.key)
        case Stage.REFUSED:
            yield TURNED_AWAY.found(f"{where} refuses: {said.error}", key=one.key)
        case Stage.GRANTED:
            yield from _granted(said, where)
            yield from _agent(case, one)
            conf = read(case) if _is_here(broker.host) else None
            yield from _holds(case, said, where, conf)


def _granted(said: "Said", where: str) -> Iterator[Finding]:
    refused = [name for name, code in said.qos.items() if code >= 0x80]
    if refused:
        yield UNGRANTED.found(f"{where} does not grant {', '.join(refused)}")
    elif low := [name for name, code in said.qos.items() if code == 0]:
        yield LOW_QOS.found(f"{where} grants QoS 0 for {', '.join(low)}")
    else:
        told = f"{where}, MQTT {said.version.value}, {said.figures.get('version', 'unnamed')}"
        window, packet = said.properties.get(RECEIVE_MAXIMUM), said.properties.get(PACKET_MAX)
        told += f", takes {window} messages in flight" if isinstance(window, int) else ""
        told += f" of {packet:,} bytes" if isinstance(packet, int) else ""
        yield ANSWERS.found(told)
    if said.version is MqttVersion.V311:
        yield OLD.found(f"{where} speaks MQTT 3.1.1: it has few messages in flight to a client")


def _agent(case: Case, one: "NamedBroker") -> Iterator[Finding]:
    """What the agent says of its own session there."""
    if case.health is None:
        return
    for told in (case.health.broker, *case.health.brokers):
        if told.name == one.name and not told.connected:
            way_out = "it is tried again; if it stays so, see the agent's log"
            if "taken over" in told.error:
                way_out = f"give each gateway its own `{one.key}.client_id`"
            yield APART.found(f"the agent is not connected: {told.error or 'no answer yet'}",
                              hint=way_out)  # fmt: skip


def _holds(case: Case, said: "Said", where: str, conf: "Mosquitto | None") -> Iterator[Finding]:
    troubles = []
    expiry = said.properties.get(EXPIRY)
    if isinstance(expiry, int):
        troubles.append(EXPIRES.found(f"{where} forgets a session after {expiry:,} s"))
    if conf is not None and conf.expires:
        troubles.append(EXPIRES.found(f"{where} forgets a session after {conf.expires}"))
    dropped = said.figures.get("dropped", "0")
    if dropped.isdecimal() and int(dropped):
        told = f"{where} dropped {int(dropped):,} messages since its start: a queue was full"
        troubles.append(DROPPED.found(told))
    if conf is not None and not conf.persistence:
        troubles.append(FORGETS.found(f"{where} keeps it in memory alone (`persistence false`)"))
    if conf is not None and 0 < conf.queued_max < QUEUE_LONG:
        troubles.append(SHORT_QUEUE.found(_short(case, where, conf.queued_max)))
    if conf is not None and 0 < conf.inflight_max < IN_FLIGHT_FEW:
        told = f"{where} has {conf.inflight_max} messages in flight to a client, then waits"
        troubles.append(FEW_IN_FLIGHT.found(told))
    yield from troubles
    if conf is None and not troubles:
        yield UNKNOWN.found(f"{where} says nothing of its queue, and its file is not here to read")
    elif not troubles:
        yield KEPT.found(f"{where} keeps sessions on the disk, with no bound that would be met")


def _short(case: Case, where: str, most: int) -> str:
    told = f"{where} holds {most:,} messages while the gateway is away, then drops"
    rate = case.health.ingest.messages_per_s if case.health is not None else 0.0
    return f"{told}: {most / rate / 60:,.0f} minutes at this rate" if rate > 0 else told


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


THEME = Theme(
    "broker",
    (
        ANSWERS, UNREACHED, NO_TLS, MUTE, TURNED_AWAY, UNGRANTED, LOW_QOS, OLD, APART, FORGETS,
        SHORT_QUEUE, FEW_IN_FLIGHT, EXPIRES, DROPPED, UNKNOWN, KEPT,
    ),
    examine,
    limit_s=20.0,
    hung=("the way to the broker, or its name server, does not answer", UNREACHABLE),
)  # fmt: skip
