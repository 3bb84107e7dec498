"""MQTT in through paho-mqtt: a persistent session, kept up for as long as the agent runs.

One thread connects, reads, acknowledges and connects again; the rules of one connection are in
`edge.ingest_paho_link`. The broker may be away at any time, also at the start: that is a state, not
an error. Where our own durability begins: a message is ours once its PUBACK was sent.
"""

import logging
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from paho.mqtt.client import MQTTMessage

from edge.clock import Stamp
from edge.ingest import Inbox, LinkState
from edge.ingest_paho_link import Broker, Link, MqttVersion
from edge.message import Message

BACKOFF_MIN_S: Final = 0.5
BACKOFF_MAX_S: Final = 30.0
_IDLE_S: Final = 1.0
_PACE_S: Final = 0.003  # at 1,000 messages/s waking up costs more than reading
_PACED_WINDOW_MIN: Final = 256  # a small window is itself the pace, and waiting would lower it
_UNREADABLE_TOPIC: Final = "\N{REPLACEMENT CHARACTER}"

_log = logging.getLogger(__name__)


class PahoIngest:
    """Keeps one session with one broker; see `edge.ingest.Ingest` for the contract.

    Args:
        broker: where and as whom.
        now: the gateway's clock, asked once per burst of messages.
        jitter: a number in [0, 1) for each wait before a reconnect.
    """

    def __init__(
        self,
        broker: Broker,
        now: Callable[[], Stamp],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._broker = broker
        self._now = now
        self._jitter = jitter
        self._stamp = now()
        self._inbox = Inbox()
        self._acks: deque[int] = deque()
        self._state = LinkState()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="mqtt-in", daemon=True)
        auto = broker.version is MqttVersion.AUTO
        self._version = MqttVersion.V5 if auto else broker.version
        self._version_proven = not auto
        self._unanswered = 0

    @property
    def state(self) -> LinkState:
        """How the connection stands now."""
        return self._state

    def start(self, inbox: Inbox) -> None:
        """Connect and keep connected, putting messages into ``inbox`` in order of arrival."""
        self._inbox = inbox
        inbox.when_room(self._wake)
        self._thread.start()

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until connected and subscribed; False when that did not come about in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state.connected, timeout_s)

    def ack(self, tokens: Sequence[object]) -> None:
        """Acknowledge messages, in order of arrival, from any thread."""
        self._acks.extend(token for token in tokens if isinstance(token, int))
        self._wake()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Send the acknowledgements at hand and leave; the broker keeps the session."""
        self._stopping.set()
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            link = Link(self._broker, self._version, self._state.session_no + 1, self._deliver)
            self._supervise(link)
            failures = 0 if link.subscribed else failures + 1
            self._settle_version(link)
            self._tell(link)
            wait_s = min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2 ** min(failures, 16))
            self._stopping.wait(wait_s * (0.5 + self._jitter() / 2))
        self._wake_in.close()
        self._wake_out.close()

    def _supervise(self, link: Link) -> None:
        """Hold one connection; whatever goes wrong in it ends it alone, and the next follows."""
        try:
            link.open()
            self._serve(link)
        except Exception as error:  # noqa: BLE001 - the supervisor of the reading thread
            _log.exception("reading from the broker failed")
            link.close(f"our fault: {error!r}")

    def _serve(self, link: Link) -> None:
        """Read and acknowledge until the connection is over or somebody stops us."""
        answer_by = time.monotonic() + self._broker.timeout_s
        room_by = 0.0
        while not link.closed and not self._stopping.is_set():
            reading, heard = self._inbox.has_room, 0
            if link.wait(self._wake_in, _IDLE_S, reading=reading):
                self._stamp = self._now()
                heard = link.read(lambda: self._inbox.has_room)
                if 0 < heard < 64 and link.window >= _PACED_WINDOW_MIN and link.subscribed:
                    time.sleep(_PACE_S)
            self._drain_wake()
            self._send_acks(link)
            if link.subscribed and not self._state.connected:
                self._tell(link)
            if heard or not reading:
                # All that waits in a resumed session comes before the answer to our subscription:
                # to leave a broker that talks would be to begin the same backlog again, for ever.
                answer_by = time.monotonic() + self._broker.timeout_s
            if not link.subscribed and time.monotonic() > answer_by:
                link.close("the broker took the connection and then did not answer")
            room_by = self._mind_room(link, reading, room_by)
        self._send_acks(link)
        link.close()

    def _mind_room(self, link: Link, reading: bool, room_by: float) -> float:
        """Keep the connection alive while we read; leave it when the inbox stays full too long.

        Without reading there is no answer to a ping, so a long pause would look like a dead broker.
        Leaving is cleaner: the session keeps QoS 1 until there is room.
        """
        now = time.monotonic()
        if reading:
            link.tend()
            return now + self._broker.keepalive_s
        if now > room_by:
            link.close("paused: nothing can be taken in, the broker keeps QoS 1 messages")
            while not self._inbox.has_room and not self._stopping.wait(_IDLE_S):
                self._tell(link)
        return room_by

    def _deliver(self, link: Link, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # forbidden by MQTT 1.5.4; its payload becomes a reject
            topic = _UNREADABLE_TOPIC
        qos, packet_id = message.qos, message.mid
        token = link.session << 18 | qos << 16 | packet_id if qos else None
        stamp = self._stamp
        self._inbox.put(
            Message(
                topic,
                bytes(message.payload),
                qos,
                message.retain,
                message.dup,
                stamp.wall_us,
                int(stamp.quality),
                link.session,
                packet_id,
                token,
                stamp.stretch,
            )
        )

    def _send_acks(self, link: Link) -> None:
        stale = 0
        while self._acks and not link.closed:
            token = self._acks.popleft()
            if token >> 18 == link.session:
                link.ack(token & 0xFFFF, token >> 16 & 3)
            else:
                stale += 1
        if stale:
            self._state = replace(self._state, stale_acks=self._state.stale_acks + stale)

    def _wake(self) -> None:
        try:
            self._wake_out.send(b"\0")
        except (BlockingIOError, OSError):
            return  # it is awake already, or has left

    def _drain_wake(self) -> None:
        try:
            while len(self._wake_in.recv(4096)) == 4096:
                pass
        except BlockingIOError:
            return

    def _settle_version(self, link: Link) -> None:
        """Fall back to the other MQTT when the broker says so, or hangs up on CONNECT twice."""
        if link.accepted:
            self._version_proven = True
        self._unanswered = 0 if link.answered else self._unanswered + 1
        mute = self._unanswered >= 2 and not self._version_proven
        if self._broker.version is MqttVersion.AUTO and (link.unsupported or mute):
            other = {MqttVersion.V5: MqttVersion.V311, MqttVersion.V311: MqttVersion.V5}
            self._version = other[self._version]
            self._unanswered = 0

    def _tell(self, link: Link) -> None:
        """Publish how the connection stands, and log it when that is news."""
        before = self._state
        connected = link.subscribed and not link.closed
        session_no = link.session if link.accepted else before.session_no
        state = LinkState(
            connected,
            session_no,
            link.resumed,
            f"MQTT {link.version.value}",
            link.window,
            link.error,
            before.stale_acks,
        )
        with self._changed:
            self._state = state
            self._changed.notify_all()
        where = f"{self._broker.host}:{self._broker.port}"
        if connected and not before.connected:
            session = "session resumed" if link.resumed else "new session"
            _log.info("connected to %s, %s, %s", where, state.protocol, session)
        if link.error and link.error != before.error:
            # A broker that is away is told by whoever watches `state`; here only what it leaves
            # unsaid: topics not granted, and a connection that was there and went.
            lost = logging.INFO if before.connected else logging.DEBUG
            _log.log(logging.WARNING if connected else lost, "broker %s: %s", where, link.error)
