"""Pure: the words in which every payload convention tells what a message says."""

from dataclasses import dataclass

import msgspec

from edge.payload.timestamp import Undated
from protos.limits import KIB, TEXT_BYTES_MAX
from protos.series import SeriesKind

Labels = tuple[tuple[str, str], ...]
Channel = tuple[str, SeriesKind, str, Labels]
"""A series within its device: metric, kind, unit, labels sorted by name."""

GAUGE = SeriesKind.GAUGE
COUNTER = SeriesKind.COUNTER
STATE = SeriesKind.STATE


class Unreadable(Exception):  # noqa: N818 - the contract's word
    """A payload of a known kind that cannot be read; its one argument is the reason, in words."""

    @property
    def reason(self) -> str:
        """What is wrong with the payload, for whoever looks after the sensor."""
        return str(self.args[0])


class NotData(Exception):  # noqa: N818 - an answer to be acted on
    """A message that brings no reading by its nature: configuration, a last will, a command."""

    @property
    def reason(self) -> str:
        """What it is instead, in words."""
        return str(self.args[0])


class Repeated(NotData):
    """A message whose readings came already, by another way or a second time."""


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What one message may ask of the gateway; more is a reject with its reason.

    ``depth_max`` counts maps and lists around a value. ``message_bytes_max`` bounds what a message
    may take in the buffer with all its names, ``batch_bytes`` what a batch of messages may: more is
    left for the next one. One chunk may be of 512 KiB. A reject keeps
    ``reject_bytes_max`` of its payload.
    """

    payload_bytes_max: int = 256 * KIB
    depth_max: int = 6
    text_bytes_max: int = TEXT_BYTES_MAX
    message_bytes_max: int = 384 * KIB
    batch_bytes: int = 480 * KIB
    reject_bytes_max: int = KIB


class Said(msgspec.Struct):
    """What a message says about one device at one time.

    ``at_us`` is the sensor's own time, µs UTC; None: it gave none that can be used. ``dated`` tells
    that the payload carries a time of its own all the same (a local time without a zone, say): such
    a payload does not come twice by chance, see ``edge.redelivery``. ``undated`` is why that time
    cannot be used. ``missing`` counts values that
    are null or not finite. ``faults`` are reasons for parts that cannot be read; the rest is kept.
    """

    device: str
    numbers: list[tuple[Channel, float]] = []
    texts: list[tuple[Channel, str]] = []
    at_us: int | None = None
    dated: bool = False
    undated: Undated | None = None
    missing: int = 0
    faults: list[str] = []
