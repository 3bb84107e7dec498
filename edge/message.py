"""Pure: what an MQTT broker hands over, as every stage of the edge sees it."""

import msgspec


class Message(msgspec.Struct, frozen=True, gc=False):
    """One PUBLISH as it arrived; not yet acknowledged.

    ``arrival_us`` is µs UTC by the gateway's clock and ``quality`` (``protos.records.Quality``)
    says how far that clock was to be trusted at that moment; ``stretch`` tags the stretch of
    unsynced time it was in (`protos.stretch`), 0 when synced. ``session`` rises with every
    connection of the ingest; ``packet_id`` is MQTT's (0 at QoS 0). ``token`` is whatever the ingest
    wants back in ``ack``; None at QoS 0, where there is nothing to acknowledge.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool
    arrival_us: int
    quality: int
    session: int
    packet_id: int
    token: object
    stretch: int = 0
