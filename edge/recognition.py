"""Pure: which convention a message speaks, and what it says: every convention asked in its order.

The operator's rules come first: they may name a convention, rename, or leave out. Then the
convention that took this topic last is asked, then all of them; a topic that none knew by its name
is not shown to those again, until something is learned. What discovery told about a topic (names,
units) is applied to what was said.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from edge.message import UNREADABLE_TOPIC
from edge.payload import flat_json
from edge.payload.discovery import Discovered
from edge.payload.flat_plan import plan_of
from edge.payload.known import TOPIC_CHARS_MAX, Bounded, Known, Publish
from edge.payload.offer import (
    NAME_CHARS_MAX,
    OBJECT_RANK,
    TOPIC_RANK,
    Answer,
    Convention,
    Flat,
    Offer,
)
from edge.payload.plan import Plan
from edge.payload.registry import CONVENTIONS
from edge.payload.rules import Rule, Rules
from edge.payload.said import NotData, ReadingLimits, Said, Unreadable
from edge.payload.sparkplug_node import Nodes

TOPICS_MAX: Final = 20_000
ORDERS: Final = frozenset({"set", "get", "command", "cmd", "cmnd", "config"})
"""Last levels of topics that tell a device something, where no convention knows better."""
_OUR_FAULTS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Recognition:
    """Reads messages by the conventions, learning from some of them.

    Args:
        limits: what one message may ask of the gateway.
        rules: what the operator says about topics.
        conventions: asked in this order; tests may give their own.
    """

    def __init__(
        self,
        limits: ReadingLimits | None = None,
        rules: Rules | None = None,
        conventions: Sequence[Convention] = CONVENTIONS,
    ) -> None:
        self.limits = limits or ReadingLimits()
        self._rules = rules or Rules()
        self.known = Known(self._rules.zone)
        self.convention = ""
        """The convention that read the last message; empty when none did."""
        self._conventions = tuple(conventions)
        self._named = {one.name: one for one in conventions}
        self._first = {one.name: (one, *self._conventions) for one in conventions}
        self._unnamed = tuple(one for one in conventions if one.rank > TOPIC_RANK)
        self._took: Bounded[str, Convention] = Bounded(TOPICS_MAX)
        self._took_object: Bounded[str, Convention] = Bounded(TOPICS_MAX)
        self._discovered = self.known.of(Discovered)
        self._nodes = self.known.of(Nodes)
        self._devices: Bounded[str, str] = Bounded(TOPICS_MAX)

    def read(self, topic: str, payload: bytes, arrival_us: int = 0) -> Sequence[Said]:
        """What one message says: at least one value, or a fault.

        Raises:
            Unreadable: with the reason; a convention that fails by our own fault is one too, so
                that no message can stop the stream.
            NotData: it is configuration, a last will, a command: no reading by its nature.
            Repeated: its readings came already.
        """
        self.convention = ""
        if topic == UNREADABLE_TOPIC:
            raise Unreadable("its topic is none: it is no UTF-8, or has a NUL, a + or a # in it")
        if len(payload) > self.limits.payload_bytes_max:
            raise Unreadable(
                f"payload of {len(payload)} bytes is over {self.limits.payload_bytes_max}"
            )
        rule = self._rules.of(topic)
        if rule is not None and rule.ignore:
            raise NotData("left out by a rule of the operator's")
        offer = Offer(topic, payload, self.limits, self.known, arrival_us)
        answer, convention = self._answer(offer, rule)
        told = self._told(offer, answer, convention, rule)
        for said in told:
            if said.numbers or said.texts or said.faults:
                if topic not in self._devices and len(topic) <= TOPIC_CHARS_MAX:
                    self._devices.put(topic, said.device[:TOPIC_CHARS_MAX])
                return told
        raise Unreadable("no value: every field is null, not finite, or absent")

    def learn(self, topic: str, payload: bytes) -> str:
        """Take what a retained message teaches (names, units); it is no reading.

        Why it could not be taken; empty when it was, or teaches nothing.
        """
        self.convention = ""
        if len(payload) > self.limits.payload_bytes_max:
            return ""
        offer = Offer(topic, payload, self.limits, self.known)
        heard = self.known.lessons_heard
        for convention in self._conventions:
            if convention.learn is None:
                continue
            try:
                if convention.learn(offer):
                    self.convention = convention.name
                    self._forget(heard)
                    return ""
            except NotData:
                return ""
            except Unreadable as error:
                self.convention = convention.name
                return error.reason
            except _OUR_FAULTS as error:
                return f"our fault in {convention.name}: {error!r}"
        return ""

    def recall(self, lessons: Iterable[tuple[str, bytes]]) -> None:
        """Learn again what was taught before a restart; nobody is told of what cannot be."""
        for topic, payload in lessons:
            self.learn(topic, payload)
        self.known.take_lessons()
        self.known.take_asked()

    def take_lessons(self) -> tuple[tuple[str, bytes], ...]:
        """Messages that taught something since the last call, to be kept over a restart."""
        return self.known.take_lessons()

    def plan(self, topic: str, payload: bytes) -> Plan | None:
        """The quick way of reading further messages of this topic; None: there is none."""
        rule = self._rules.of(topic)
        offer = Offer(topic, payload, self.limits, self.known)
        try:
            answer, convention = self._answer(offer, rule)
            if isinstance(answer, Flat):
                self._finish(answer, topic, convention, rule)
                return plan_of(answer)
        except (NotData, Unreadable):
            return None
        if convention.plan is None or rule is not None or self._discovered.of(topic) is not None:
            return None
        return convention.plan(offer)

    @property
    def hears_nodes(self) -> bool:
        """Whether a Sparkplug node was heard."""
        return len(self._nodes) > 0

    def origin(self, topic: str) -> tuple[str, str]:
        """Convention and device that a topic was last read as; empty while it was not."""
        took = self._took_object.get(topic) or self._took.get(topic)
        return (took.name if took is not None else "", self._devices.get(topic, ""))

    def take_asked(self) -> tuple[Publish, ...]:
        """What the conventions ask to be published since the last call."""
        return self.known.take_asked()

    def take_changed(self) -> frozenset[str]:
        """Topics whose plans hold no longer: their values were named anew."""
        return self._discovered.take_changed()

    def _answer(self, offer: Offer, rule: Rule | None) -> tuple[Answer, Convention]:
        if rule is not None and len(rule.metric) > NAME_CHARS_MAX:  # each value would repeat it
            raise Unreadable(f"a topic that names a metric of over {NAME_CHARS_MAX} characters")
        known = self._took_object if offer.opening == b"{" else self._took
        took = known.get(offer.topic)
        if rule is not None and rule.convention:
            asked: Iterable[Convention] = (self._named[rule.convention],)
        elif took is None:
            asked = self._conventions
        else:
            asked = self._unnamed if took.rank > TOPIC_RANK else self._first[took.name]
        heard = self.known.lessons_heard
        for convention in asked:
            self.convention = convention.name
            if convention.rank >= OBJECT_RANK and rule is None and _is_order(offer):
                raise NotData("a command or a configuration, by its topic")
            try:
                answer = convention.read(offer)
            except NotData:
                self._forget(heard)
                raise
            except _OUR_FAULTS as error:
                raise Unreadable(f"our fault in {convention.name}: {error!r}") from error
            if answer is not None:
                if took is not convention and len(offer.topic) <= TOPIC_CHARS_MAX:
                    known.put(offer.topic, convention)
                return answer, convention
        self.convention = ""
        raise Unreadable("no convention reads it")

    def _forget(self, heard: int) -> None:
        """What a convention learned may be that a topic is its own: ask them all once more."""
        if self.known.lessons_heard != heard:
            self._took.clear()
            self._devices.clear()
            self._took_object.clear()

    def _told(
        self, offer: Offer, answer: Answer, convention: Convention, rule: Rule | None
    ) -> Sequence[Said]:
        if isinstance(answer, Flat):
            self._finish(answer, offer.topic, convention, rule)
            return flat_json.tell(offer, answer)
        told = answer or ()
        rename = self._discovered.of(offer.topic)
        if rename is not None:
            told = rename.apply(told, named=convention.rank >= OBJECT_RANK)
        return told if rule is None else rule.apply(told, offer)

    def _finish(self, flat: Flat, topic: str, convention: Convention, rule: Rule | None) -> None:
        """Have the names of a plain tree pass through discovery and the operator's rule."""
        rename = self._discovered.of(topic)
        if rename is not None:
            rename.dress(flat, named=convention.rank >= OBJECT_RANK)
        if rule is not None:
            rule.dress(flat)


def _is_order(offer: Offer) -> bool:
    return len(offer.levels) > 1 and offer.levels[-1] in ORDERS
