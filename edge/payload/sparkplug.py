"""Pure: Sparkplug B 3.0: `spBv1.0/GROUP/NBIRTH/NODE`, `spBv1.0/GROUP/DDATA/NODE/DEVICE`.

A node is the device `group/node`, what hangs on it `group/node/device`. Births give names, types
and units to aliases; their values are readings, as static ones appear nowhere else. A birth makes
`online` 1 and a death 0, for a node's devices too. Each metric has its own time: a historical value
is one of the past. `bdSeq` and `Node Control/…` are no readings, commands and STATE neither. What a
birth said of aliases, types and units is kept over a restart of ours.
"""

from collections.abc import Sequence
from typing import Final

from google.protobuf.message import DecodeError

from edge.payload.offer import TOPIC_RANK, Convention, Offer
from edge.payload.said import GAUGE, STATE, Channel, NotData, Said, Unreadable
from edge.payload.sparkplug_node import NAMESPACE, Born, Node, Nodes
from edge.payload.sparkplug_value import STRING, say_metric, unit_of
from edge.payload.value import NOTHING
from protos import sparkplug_pb2 as pb

_PLAIN: Final = {3: "int_value", 7: "int_value", 9: "float_value", 10: "double_value"}
"""Fields of the datatypes Int32, UInt32, Float and Double."""
_LEAST: Final = -1e300
_MOST: Final = 1 << 31
ONLINE: Final = ("online", STATE, "", NOTHING)
_OF_NODE: Final = frozenset({"NBIRTH", "NDATA", "NDEATH"})
_OF_DEVICE: Final = frozenset({"DBIRTH", "DDATA", "DDEATH"})
_CONTROLS: Final = ("Node Control/", "Device Control/")
_PREFIX: Final = f"{NAMESPACE}/"


def read(offer: Offer) -> Sequence[Said] | None:
    """What a Sparkplug message says; None for anything else.

    Raises:
        NotData: a command, the state of a host, a death of an earlier session.
        Unreadable: no protobuf, or a topic that is none of the namespace.
    """
    if not offer.topic.startswith(_PREFIX):
        return None
    levels = offer.levels
    verb = levels[2] if len(levels) > 2 else ""
    if levels[1] == "STATE":
        raise NotData("the state of a host application")
    if verb in ("NCMD", "DCMD"):
        raise NotData("a command to a node")
    is_node = verb in _OF_NODE and len(levels) == 4
    if not is_node and not (verb in _OF_DEVICE and len(levels) == 5):
        raise Unreadable("no topic of Sparkplug B 3.0")
    node = offer.known.of(Nodes).of(levels[1], levels[3])
    payload = _payload(offer)
    message = _Message(offer, node, payload, "" if is_node else levels[4])
    return message.told(verb)


def learn(offer: Offer) -> bool:
    """Take what a birth says of aliases, before its node is born in our sight; False: it is none.

    Raises:
        Unreadable: no protobuf.
    """
    levels = offer.levels
    if levels[0] != NAMESPACE or len(levels) < 4 or levels[2] not in ("NBIRTH", "DBIRTH"):
        return False
    node = offer.known.of(Nodes).of(levels[1], levels[3])
    short = levels[4] if len(levels) > 4 else ""
    if not node.is_born:
        node.make_room()
        if short:
            node.lives(short, True)
        for metric in _payload(offer).metrics:
            if metric.name and metric.name != "bdSeq" and not metric.name.startswith(_CONTROLS):
                _remember(node, short, metric)
    return True


def _remember(node: Node, short: str, metric: pb.Metric) -> Born:
    channel = (metric.name, GAUGE, unit_of(metric), NOTHING)
    born = Born(channel, metric.datatype, _PLAIN.get(metric.datatype, ""))
    node.add(short, metric.name, metric.alias if metric.HasField("alias") else None, born)
    return born


def _lesson(payload: pb.Payload) -> bytes:
    """What a birth teaches: names, aliases, types and units, without values and times."""
    lesson = pb.Payload()
    for metric in payload.metrics:
        if metric.name == "bdSeq" or metric.name.startswith(_CONTROLS) or not metric.name:
            continue
        kept = lesson.metrics.add(name=metric.name, datatype=metric.datatype)
        if metric.HasField("alias"):
            kept.alias = metric.alias
        unit = unit_of(metric)
        if unit:
            kept.properties.keys.append("engUnit")
            kept.properties.values.add(type=STRING, string_value=unit)
    return lesson.SerializeToString()


def _payload(offer: Offer) -> pb.Payload:
    try:
        return pb.Payload.FromString(offer.payload)
    except DecodeError as error:
        raise Unreadable("broken protobuf, where Sparkplug B has its payload") from error


class _Message:
    """One message under way."""

    def __init__(self, offer: Offer, node: Node, payload: pb.Payload, device: str) -> None:
        self._offer = offer
        self._node = node
        self._payload = payload
        self._short = device
        self._device = f"{node.device}/{device}" if device else node.device
        self._times: dict[int, Said] = {}

    def told(self, verb: str) -> Sequence[Said]:
        """What it says."""
        match verb:
            case "NBIRTH":
                self._node.born(self._payload.seq, self._bd_seq())
                self._node.make_room()
                return self._birth()
            case "DBIRTH":
                self._follow()
                self._node.make_room()
                self._node.lives(self._short, True)
                return self._birth()
            case "NDEATH":
                return self._node_death()
            case "DDEATH":
                self._follow()
                self._node.lives(self._short, False)
                return (self._alive(self._device, False),)
        self._follow()
        return self._data()

    def _follow(self) -> None:
        payload = self._payload
        seq = payload.seq if payload.HasField("seq") else None
        self._node.heard(seq, self._offer.arrival_us, self._offer.known)

    def _bd_seq(self) -> int | None:
        for metric in self._payload.metrics:
            if metric.name == "bdSeq":
                return metric.long_value or metric.int_value
        return None

    def _node_death(self) -> Sequence[Said]:
        bd_seq, node = self._bd_seq(), self._node
        if node.is_born and bd_seq is not None and bd_seq != node.bd_seq is not None:
            raise NotData("a death of an earlier session of the node")
        stale = node.died()
        names = [node.device, *(f"{node.device}/{name}" for name in stale)]
        return [self._alive(name, False) for name in names]

    def _alive(self, device: str, alive: bool) -> Said:
        said = Said(device, numbers=[(ONLINE, float(alive))])
        self._date(said, self._payload.timestamp_ms)
        return said

    def _date(self, said: Said, at_ms: int) -> None:
        if at_ms:
            self._offer.date(said, at_ms)

    def _birth(self) -> Sequence[Said]:
        told = self._alive(self._device, True)
        self._times[self._payload.timestamp_ms] = told
        for metric in self._payload.metrics:
            name = metric.name
            if name == "bdSeq" or name.startswith(_CONTROLS):
                continue
            if not name:
                told.faults.append("a birth with a metric without a name")
                continue
            born = _remember(self._node, self._short, metric)
            wrong = self._node.was_wrong(metric.alias, name)
            if wrong:
                told.faults.append(
                    f"alias {metric.alias} was {wrong[:64]!r} before this birth and is "
                    f"{name[:64]!r} now: what it said in between stands under the old name"
                )
            self._say(metric, born)
        self._offer.known.teach(self._offer.topic, _lesson(self._payload))
        return tuple(self._times.values())

    def _data(self) -> Sequence[Said]:
        aliases, names, short = self._node.aliases, self._node.names, self._short
        guessing = not self._node.is_born
        sent_ms, at_ms, told = self._payload.timestamp_ms, -1, list[tuple[Channel, float]]()
        for metric in self._payload.metrics:
            name = metric.name
            plain = None if name or guessing else aliases.get(metric.alias)
            if plain is not None and plain.field:
                value = getattr(metric, plain.field)
                if _LEAST < value < _MOST and value:  # nothing to be asked: neither null nor huge
                    if at_ms != (metric.timestamp_ms or sent_ms):
                        at_ms = metric.timestamp_ms or sent_ms
                        told = self._at(at_ms).numbers
                    told.append((plain.channel, float(value)))
                    continue
            if name:
                born = names.get((short, name)) or Born(
                    (name, GAUGE, unit_of(metric), NOTHING), metric.datatype
                )
                if name == "bdSeq" or name.startswith(_CONTROLS):
                    continue
            else:
                known = aliases.get(metric.alias)
                if known is None or (guessing and not _fits(metric, known)):
                    self._unknown(metric)
                    continue
                if guessing:
                    self._node.guess(metric.alias)
                born = known
            self._say(metric, born)
        if not self._times:
            raise NotData("a message without metrics")
        return tuple(self._times.values())

    def _unknown(self, metric: pb.Metric) -> None:
        self._node.ask(self._offer.arrival_us, self._offer.known)
        said = self._at(self._payload.timestamp_ms)
        said.faults.append(f"alias {metric.alias} is unknown: the node was asked for a rebirth")

    def _say(self, metric: pb.Metric, born: Born) -> None:
        said = self._at(metric.timestamp_ms or self._payload.timestamp_ms)
        say_metric(said, born.channel, metric, metric.datatype or born.datatype, self._offer.limits)

    def _at(self, at_ms: int) -> Said:
        said = self._times.get(at_ms)
        if said is None:
            said = self._times[at_ms] = Said(self._device)
            self._date(said, at_ms)
        return said


def _fits(metric: pb.Metric, known: Born) -> bool:
    """Whether a value is of the type that its alias had before our restart."""
    which = metric.WhichOneof("value")
    return not known.field or which in (None, known.field)


CONVENTION = Convention("sparkplug", TOPIC_RANK, read, learn)
