"""A persistent session with one broker, kept up for as long as the agent runs, over any link.

One thread connects, reads, acknowledges and connects again. What one connection does is the link's
(`edge.ingest_native_link`, `edge.ingest_paho_link`). The broker may be away at any time, also at
the start: that is a state, not an error. Where our own durability begins: a message is ours once
its PUBACK was sent.
"""

import logging
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from edge.clock import Stamp
from edge.ingest import Inbox, LinkState
from edge.ingest_broker import Broker, Link
from edge.message import QOS, Burst, Messages
from edge.mqtt_version import MqttVersion
from edge.receive_window import ReceiveWindow

LinkMaker = Callable[[Broker, MqttVersion, int], Link]
"""Makes the link of one connection; the number is its session's."""

BACKOFF_MIN_S: Final = 0.5
BACKOFF_MAX_S: Final = 30.0
STEADY_S: Final = 10.0
FLAPS_MAX: Final = 2
"""A connection that is taken and lost at once again and again is made anew after 1 to 2 s."""
_IDLE_S: Final = 1.0
_PACE_S: Final = 0.060
"""Between two looks at the broker: at 1,000 messages/s waking up costs more than reading. What one
look brings is read and scored at once (`edge.ingest.Linger`), so that an anomaly is told within
this and what telling takes: 100 ms leave room for a loaded machine."""
_BUSY_PACE_S: Final = 0.008
_BUSY: Final = 256
"""Messages in one look from which the next comes sooner: the socket holds no more than some."""
_PACED_WINDOW_MIN: Final = 256  # a small window is itself the pace, and waiting would lower it

_log = logging.getLogger(__name__)


class SessionIngest:
    """Keeps one session with one broker; see `edge.ingest.Ingest` for the contract.

    Args:
        make_link: what a connection is made of.
        broker: where and as whom.
        now: the gateway's clock, asked once per burst of messages.
        jitter: a number in [0, 1) for each wait before a reconnect.
    """

    def __init__(
        self,
        make_link: LinkMaker,
        broker: Broker,
        now: Callable[[], Stamp],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._make_link = make_link
        self._broker = broker
        self._now = now
        self._jitter = jitter
        self._stamp = now()
        self._inbox = Inbox()
        self._acks: deque[Messages] = deque()
        self._state = LinkState()
        self._turns = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._thread = threading.Thread(
            target=self._run, name=f"mqtt-in {broker.name}".strip(), daemon=True
        )
        auto = broker.version is MqttVersion.AUTO
        self._version = MqttVersion.V5 if auto else broker.version
        self._version_proven = not auto
        self._unanswered = 0
        self._window = ReceiveWindow(broker.receive_maximum)

    @property
    def state(self) -> LinkState:
        """How the connection stands now."""
        return self._state

    @property
    def states(self) -> dict[str, LinkState]:
        """The same by the broker's name."""
        return {self._broker.name: self._state}

    @property
    def turns(self) -> dict[str, int]:
        """How often its thread came round, by the broker's name."""
        return {self._broker.name: self._turns}

    def start(self, inbox: Inbox) -> None:
        """Connect and keep connected, putting messages into ``inbox`` in order of arrival."""
        self._inbox = inbox
        inbox.when_room(self._wake)
        self._thread.start()

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until connected and subscribed; False when that did not come about in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state.connected, timeout_s)

    def ack(self, messages: Messages) -> None:
        """Acknowledge messages, in order of arrival, from any thread."""
        self._acks.append(messages)
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
            self._turns += 1
            broker = replace(self._broker, receive_maximum=self._window.begin())
            link = self._make_link(broker, self._version, self._state.session_no + 1)
            begun = time.monotonic()
            self._supervise(link)
            is_steady = time.monotonic() - begun >= STEADY_S
            failures = 0 if link.subscribed and is_steady else failures + 1
            failures = min(failures, FLAPS_MAX) if link.subscribed else failures
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
            self._turns += 1
            reading = self._inbox.has_room
            heard = Messages()
            if link.wait(self._wake_in, _IDLE_S, reading=reading):
                self._stamp = self._now()
                heard = link.read(self._inbox.has_room_beside)
                self._hand_over(link, heard)
                if len(heard) and link.window >= _PACED_WINDOW_MIN and link.subscribed:
                    time.sleep(_PACE_S if len(heard) < _BUSY else _BUSY_PACE_S)
            self._drain_wake()
            self._send_acks(link)
            if link.subscribed and not self._state.connected:
                self._tell(link)
            if len(heard) or not reading:
                # A resumed session's backlog comes before the answer: leaving would begin it anew.
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
                self._turns += 1
                self._tell(link)
        return room_by

    def _hand_over(self, link: Link, heard: Messages) -> None:
        """Put what was read in one go into the inbox."""
        heard = self._inbox.sift(heard)
        if len(heard):
            stamp = self._stamp
            quality = int(stamp.quality)
            when = (stamp.wall_us, quality, link.session, stamp.stretch)
            burst = Burst(len(heard), *when, self._broker.name)
            heard.bursts.append(burst)
            self._window.came(len(heard))
            self._inbox.extend(heard)

    def _send_acks(self, link: Link) -> None:
        """Acknowledge at once all that was handed in, but what is of an earlier connection."""
        packet_ids: list[int] = []
        heads: list[int] = []
        stale = 0
        while self._acks and not link.closed:
            messages, at = self._acks.popleft(), 0
            for burst in messages.bursts:
                end = at + burst.count
                if burst.broker != self._broker.name:
                    pass  # another session's to acknowledge
                elif burst.session == link.session:
                    self._window.acknowledged(burst.count)
                    packet_ids += messages.packet_ids[at:end]
                    heads += messages.heads[at:end]
                else:
                    stale += sum(head & QOS > 0 for head in messages.heads[at:end])
                at = end
        if packet_ids:
            link.ack(packet_ids, heads)
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
