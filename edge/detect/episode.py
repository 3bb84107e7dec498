"""Pure: one episode: how it goes on by runs of readings, and what is told of it."""

from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Final

import msgspec

from edge.detect.runs import Run, Sign
from protos.records import EpisodeState

TOLD_AGAIN_US: Final = 60_000_000
"""An open episode is told again when it is so long, then at twice that and so on, but at least
every `TOLD_AGAIN_US_MAX`: so the cloud knows one of which nothing comes any more."""
TOLD_AGAIN_US_MAX: Final = 3_600_000_000
KEPT_VERSION: Final = 1
CHANNELS_MAX: Final = 16
"""Series that are told to have contributed; of more those that did so first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """When an episode begins and ends; times are event times in µs.

    Attributes:
        stay_share: of the threshold; readings that score less are calm.
        calm_readings, calm_us: it ends after so many calm readings in a row over so long.
        least_readings, least_us: what is shorter when it ends was none.
        gap_us: it does not go on over a longer outage.
    """

    stay_share: float = 0.5
    calm_readings: int = 16
    calm_us: int = 30_000_000
    least_readings: int = 1
    least_us: int = 0
    gap_us: int = 7_200_000_000

    def __post_init__(self) -> None:
        """Refuse what would never begin or end an episode."""
        if not 0 < self.stay_share <= 1:
            raise ValueError(f"stay_share must be in (0, 1], not {self.stay_share}")
        if min(self.calm_readings, self.least_readings, self.gap_us) < 1:
            raise ValueError("calm_readings, least_readings and gap_us must be at least 1")


OF_RULES: Final = Course(stay_share=1.0, calm_readings=1, calm_us=0, gap_us=1 << 60)
"""Of what says itself when it is over: it goes on until then, however long nothing comes."""


class Met(Enum):
    """What a run means for an open episode."""

    PART = "part"
    HISTORY = "history"
    """From long before the episode's newest reading: what a device kept back; it does not count."""
    AFTER_GAP = "after gap"
    """From after an outage: the episode ended before it."""


class Episode(msgspec.Struct, kw_only=True, array_like=True):
    """One episode as it stands; what is kept of it over a restart.

    ``detector`` as in `Judged`; ``series`` the entry; times µs. ``end`` is the latest time of a
    reading that was not calm, ``last_us`` that of the newest reading of the series. ``points`` are
    readings that were not calm; ``value``, ``threshold`` those at the peak. ``told`` is false until
    it has its least length. ``calm`` readings came since the last one that was not. ``channels``:
    how many of the points each contributing series made strange, by entry.
    """

    id: bytes
    detector: str
    series: int
    start: int
    end: int
    last_us: int
    peak_ts: int
    peak: float
    value: float
    threshold: float
    points: int = 0
    told: bool = False
    told_us: int = 0
    told_peak: float = 0.0
    calm: int = 0
    calm_from_us: int = 0
    calm_from_s: float = 0.0
    heard_s: float = 0.0
    channels: dict[int, int] = msgspec.field(default_factory=dict)

    @classmethod
    def begin(cls, gateway: str, detector: str, run: Run, now_s: float) -> "Episode":
        """The episode that a strange run begins; the same reading always begins the same one."""
        start = run.first_us
        named = f"{gateway}\0{detector}\0{run.series}\0{start}".encode()
        return cls(
            id=blake2b(named, digest_size=16).digest(),
            detector=detector,
            series=run.series,
            start=start,
            end=start,
            last_us=start,
            peak_ts=run.peak_us,
            peak=run.score,
            value=run.value,
            threshold=run.threshold,
            heard_s=now_s,
        )

    def meets(self, run: Run, course: Course) -> Met:
        """Whether a run belongs to it, by the step of event time from its newest reading."""
        step = run.first_us - self.last_us
        if step > course.gap_us:
            return Met.AFTER_GAP
        return Met.HISTORY if step < -course.gap_us else Met.PART

    def take(self, run: Run, course: Course, now_s: float) -> EpisodeState | None:
        """Go on by a run that belongs to it; what is to be told of that, if anything.

        CLOSED is said of one that was never told as well: it is over, and was none.
        """
        self.last_us, self.heard_s = run.last_us, now_s
        if run.sign is Sign.CALM:
            return EpisodeState.CLOSED if self._calms(run, course, now_s) else None
        self.calm = 0
        self.points += run.count
        if run.channel in self.channels or len(self.channels) < CHANNELS_MAX:
            self.channels[run.channel] = self.channels.get(run.channel, 0) + run.count
        self.end = max(self.end, run.latest_us)
        if run.score > self.peak:
            self.peak, self.peak_ts = run.score, run.peak_us
            self.value, self.threshold = run.value, run.threshold
        if not self.told:
            is_long = self.end - self.start >= course.least_us
            if not is_long or self.points < course.least_readings:
                return None
            return self._tell(EpisodeState.OPENED)
        again_us = min(max(TOLD_AGAIN_US, self.told_us), TOLD_AGAIN_US_MAX)
        is_longer = self.end - self.start >= self.told_us + again_us
        if is_longer or self.peak >= 2 * self.told_peak:
            return self._tell(EpisodeState.UPDATED)
        return None

    def _tell(self, state: EpisodeState) -> EpisodeState:
        self.told, self.told_us, self.told_peak = True, self.end - self.start, self.peak
        return state

    def _calms(self, run: Run, course: Course, now_s: float) -> bool:
        """Whether the calm has lasted; by the clock on the wall too, for a device's may stand."""
        if not self.calm:
            self.calm_from_us, self.calm_from_s = run.first_us, now_s
        self.calm += run.count
        calm_us = max(run.latest_us - self.calm_from_us, round(1e6 * (now_s - self.calm_from_s)))
        return self.calm >= course.calm_readings and calm_us >= course.calm_us

    def is_silent(self, course: Course, now_s: float) -> bool:
        """Whether nothing was heard of its series for longer than an episode goes on."""
        return 1e6 * (now_s - self.heard_s) > course.gap_us

    def as_of(self, state: EpisodeState) -> "Change":
        """What is told of it now."""
        return Change(
            state, self.id, self.detector, self.series, self.start, self.end, self.peak_ts,
            self.peak, self.value, self.threshold, self.points, tuple(self.channels.items()),
            b"" if state is EpisodeState.CLOSED else self.packed(),
        )  # fmt: skip

    def packed(self) -> bytes:
        """All of it, for a restart."""
        return msgspec.msgpack.encode(Kept(KEPT_VERSION, self))

    @classmethod
    def unpacked(cls, data: bytes) -> "Episode":
        """The reverse. ValueError: it is none, or of another version."""
        try:
            found = msgspec.msgpack.decode(data, type=Kept)
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from error
        if found.version != KEPT_VERSION:
            raise ValueError(f"kept in form {found.version}, {KEPT_VERSION} is known")
        return found.episode


class Kept(msgspec.Struct, array_like=True):
    """An episode as it is kept, with the version of that form."""

    version: int
    episode: Episode


@dataclass(frozen=True, slots=True)
class Change:
    """What is told of an episode that opened, went on or ended; fields as of `Episode`."""

    state: EpisodeState
    id: bytes
    detector: str
    series: int
    start: int
    end: int
    peak_ts: int
    peak: float
    value: float
    threshold: float
    points: int
    channels: tuple[tuple[int, int], ...]
    kept: bytes
    """What is to be kept of it with this change; nothing once it has ended."""
