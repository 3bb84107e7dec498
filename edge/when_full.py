"""Pure: what the buffer does with a chunk for which it has no room."""

from enum import StrEnum


class WhenFull(StrEnum):
    """The policy of a full buffer; what is archived or stored in the cloud goes first in both."""

    REJECT = "reject"
    """Nothing that is kept goes: the chunk is refused, and the broker holds what comes."""
    DROP_OLDEST = "drop-oldest"
    """The oldest readings go, those around anomalies last, and each time a Gap tells of it."""
