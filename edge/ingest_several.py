"""Sessions with several brokers as one way in: one inbox, and each PUBACK to who sent the message.

Each session stands for itself: it connects, is lost and resumes alone. They share the inbox and its
bound, so a broker that floods it lets all of them wait, and none of them loses.
"""

from collections.abc import Mapping

from edge.ingest import Inbox, Ingest, LinkState
from edge.message import Messages


class SeveralIngest:
    """Keeps several sessions; see `edge.ingest.Ingest` for the contract.

    Args:
        sessions: by the names that their messages have in `Burst.broker`; the first is the main
            one, at least one.
    """

    def __init__(self, sessions: Mapping[str, Ingest]) -> None:
        self._sessions = dict(sessions)
        self._main = next(iter(self._sessions.values()))

    @property
    def states(self) -> dict[str, LinkState]:
        """How each session stands, by name."""
        return {name: one.state for name, one in self._sessions.items()}

    @property
    def state(self) -> LinkState:
        """All as one: connected when all are; the first error; the smallest window of any."""
        states = self.states
        told = [(name, one) for name, one in states.items() if not one.connected or one.error]
        name, trouble = told[0] if told else ("", LinkState())
        error = f"{name}: {trouble.error}" if name and trouble.error else trouble.error
        main = self._main.state
        return LinkState(
            connected=all(one.connected for one in states.values()),
            session_no=main.session_no,
            resumed=main.resumed,
            protocol=main.protocol,
            window=min(one.window for one in states.values()),
            error=error,
            stale_acks=sum(one.stale_acks for one in states.values()),
        )

    @property
    def turns(self) -> dict[str, int]:
        """How often each came round: one that stands still is not hidden by the others."""
        return {name: count for one in self._sessions.values() for name, count in one.turns.items()}

    def start(self, inbox: Inbox) -> None:
        """Have every session connect, and put its messages into the one ``inbox``."""
        for one in self._sessions.values():
            one.start(inbox)

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until all are connected, each for so long; False when one was not in time."""
        return all(one.wait_connected(timeout_s) for one in self._sessions.values())

    def ack(self, messages: Messages) -> None:
        """Acknowledge messages, each to the broker that sent it."""
        for name in {burst.broker for burst in messages.bursts}:
            if name in self._sessions:
                self._sessions[name].ack(messages)

    def stop(self, timeout_s: float) -> None:
        """Send the acknowledgements at hand and leave them all."""
        for one in self._sessions.values():
            one.stop(timeout_s)
