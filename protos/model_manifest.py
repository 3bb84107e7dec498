"""Pure: what a model says of itself: the manifest and its checks.

Its text is `protos/model_text.py`. Keys and limits: docs/format/model-package.md.
"""

import math
import re
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

from protos.limits import NAME_BYTES_MAX, UNIT_BYTES_MAX
from protos.series import SeriesKind
from protos.shown import printable

MANIFEST_BYTES_MAX: Final = 64 << 10
NAME_CHARS_MAX: Final = 64
WINDOW_MAX: Final = 4096
CHANNELS_MAX: Final = 64
VALUES_MAX: Final = 1 << 16
"""Values of one window over all its channels: half a megabyte."""
GAP_STEPS_MAX: Final = 4096
"""Steps for which a channel keeps its value, whatever `gap_s` says: each is a frame to be made."""
PATTERNS_MAX: Final = 64
TEXT_CHARS_MAX: Final = 1000
STEP_S_MAX: Final = 86400.0
SECONDS_MAX: Final = 366 * 86400.0
GRAPH_FILE: Final = "model.onnx"
"""The graph's name in a package; beside a manifest in a folder it has a name of its own."""

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_VERSION: Final = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.(?:0|[1-9][0-9]{0,8})){0,3}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class PackageError(Exception):
    """A model, package or key that cannot be used: what was tried on what, why, and what to do."""

    def __init__(self, what: str, why: str, hint: str) -> None:
        super().__init__(what, why, hint)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        """One line: tried, cause, hint."""
        return f"could not {self.what}: {self.why} ({self.hint})"


class Takes(Enum):
    """What a graph takes, which is the name of its input as well, save that a frame's is `window`.

    `window`: float64 `(n, window)`, one score for each row. `line`: float64 `(n,)`, one score for
    each window in it. `frame`: float64 `(n, window, channels)`, one score for each row.
    """

    WINDOW = "window"
    LINE = "line"
    FRAME = "frame"

    @property
    def input_name(self) -> str:
        """The name of the graph's input."""
        return "line" if self is Takes.LINE else "window"


class Of(Enum):
    """What the windows of a series hold: its values, or its event times in seconds."""

    VALUE = "value"
    TIME = "time"


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the manifest."""


class Applies(_Table, frozen=True, kw_only=True):
    """Which series a model is for; what is empty excludes none.

    ``device`` and ``metric`` are patterns with ``*``, ``?`` and ``[…]`` of which one must fit, case
    counts; ``unit`` are units of which the series' must be one; ``class`` are device classes, the
    value of the series' label `class`.
    """

    device: tuple[str, ...] = ()
    metric: tuple[str, ...] = ()
    unit: tuple[str, ...] = ()
    class_: tuple[str, ...] = msgspec.field(default=(), name="class")

    def to(self, device: str, metric: str, unit: str = "", class_: str = "") -> bool:
        """Whether the model is for a series of this device, metric, unit and class."""
        return (
            (not self.device or any(fnmatchcase(device, one) for one in self.device))
            and (not self.metric or any(fnmatchcase(metric, one) for one in self.metric))
            and (not self.unit or unit in self.unit)
            and (not self.class_ or class_ in self.class_)
        )


class CalibrationKind(Enum):
    """Whose threshold is in force: one learned at the gateway, or the manifest's own."""

    ADAPTIVE = "adaptive"
    FIXED = "fixed"


class Calibration(_Table, frozen=True, kw_only=True):
    """How scores become verdicts: ``rate`` is false alarms for each series and week as stated.

    ``threshold`` is the score above which a window is strange; 0 with an adaptive one says that
    nothing is known before it is learned.
    """

    kind: CalibrationKind = CalibrationKind.ADAPTIVE
    threshold: float = 0.0
    rate: float = 1.0


class Trained(_Table, frozen=True, kw_only=True):
    """What a model was fitted to: times as ISO 8601 in UTC, rows, SHA-256 of what was read."""

    from_: str = msgspec.field(name="from")
    to: str
    rows: int
    data_sha256: str


class Manifest(_Table, frozen=True, kw_only=True):
    """What a model says of itself; lengths in readings, times in seconds.

    ``file`` and ``sha256`` are set by who writes a package. ``channels`` are the metrics of one
    device, in the order of a frame's last axis. ``sample_s`` is the step that a frame's rows are
    aligned to, and ``gap_s`` the longest silence that is bridged; 0 leaves either to the gateway.
    ``score`` says in words what a score means.

    Of a model of one series: ``least`` values are scored, what a window lacks being NaN, and 0
    waits for a full one; ``step_s_min`` takes only series whose readings come so many seconds
    apart, and models named in ``instead_of`` leave these to it; ``of`` is what windows hold.
    """

    name: str
    version: str
    file: str = GRAPH_FILE
    sha256: str = ""
    window: int
    kinds: tuple[str, ...] = ("gauge",)
    takes: Takes = Takes.WINDOW
    channels: tuple[str, ...] = ()
    sample_s: float = 0.0
    gap_s: float = 0.0
    least: int = 0
    step_s_min: float = 0.0
    instead_of: tuple[str, ...] = ()
    of: Of = Of.VALUE
    score: str = ""
    about: str = ""
    applies: Applies = Applies()
    calibration: Calibration = Calibration()
    trained: Trained | None = None

    @property
    def label(self) -> str:
        """Name and version as scores and episodes carry them."""
        return f"{self.name}@{self.version}"

    @property
    def package_file(self) -> str:
        """The name of the package's file."""
        return f"{self.name}-{self.version}.tgm"


def version_order(version: str) -> tuple[int, ...]:
    """What orders the versions of one model: `1.9` < `1.10` < `2`; ValueError if it is none."""
    if not _VERSION.fullmatch(version):
        raise ValueError(f"{version!r} is no version: one to four numbers with dots between")
    return tuple(int(part) for part in version.split("."))


def manifest_problem(manifest: Manifest) -> str:
    """Say what is wrong with a manifest, or nothing."""
    known = {kind.name.lower() for kind in SeriesKind}
    one = manifest
    numbers = (one.sample_s, one.gap_s, one.calibration.threshold, one.calibration.rate)
    checks: list[tuple[bool, str]] = [
        (
            len(one.name) <= NAME_CHARS_MAX and bool(_NAME.fullmatch(one.name)),
            f"name = {_shown(one.name)} is not made of small letters, digits and inside it ._-, "
            f"{NAME_CHARS_MAX} at most",
        ),
        (
            bool(_VERSION.fullmatch(one.version)),
            f"version = {_shown(one.version)} is not one to four numbers with dots between",
        ),
        (
            not one.sha256 or bool(_SHA256.fullmatch(one.sha256)),
            f"sha256 = {_shown(one.sha256)} is not 64 small hexadecimal digits",
        ),
        (
            (1 if one.takes is Takes.FRAME else 2) <= one.window <= WINDOW_MAX,
            f"window = {one.window} is not between 2 and {WINDOW_MAX}",
        ),
        (
            bool(one.kinds) and set(one.kinds) <= known,
            f"kinds = {_shown(list(one.kinds))} names a kind that is none of {sorted(known)}",
        ),
        (all(map(math.isfinite, numbers)) and min(numbers) >= 0, "a number is negative or none"),
        (
            max(one.sample_s, one.gap_s) <= SECONDS_MAX,
            f"sample_s or gap_s is longer than {SECONDS_MAX:.0f} seconds",
        ),
        (
            one.calibration.kind is CalibrationKind.ADAPTIVE or one.calibration.threshold > 0,
            "calibration.threshold of a fixed calibration must be above 0",
        ),
        (
            max(len(one.about), len(one.score)) <= TEXT_CHARS_MAX,
            f"about or score is longer than {TEXT_CHARS_MAX} characters",
        ),
    ]
    problems = [problem for good, problem in checks if not good]
    problems += [
        p
        for p in (_of_series(one), _channels(one), _applies(one.applies), _trained(one.trained))
        if p
    ]
    return problems[0] if problems else ""


def _of_series(manifest: Manifest) -> str:
    one = manifest
    if one.takes is Takes.FRAME:
        said = one.least or one.step_s_min or one.instead_of or one.of is not Of.VALUE
        return "least, step_s_min, instead_of and of are for a model of one series" if said else ""
    if not 0 <= one.least <= one.window:
        return f"least = {one.least} is not between 0 and window = {one.window}"
    if not 0 <= one.step_s_min <= STEP_S_MAX:
        return f"step_s_min = {one.step_s_min} is not between 0 and {STEP_S_MAX:g}"
    if len(one.instead_of) > PATTERNS_MAX:
        return f"instead_of names more than {PATTERNS_MAX} models"
    return "" if all(map(_NAME.fullmatch, one.instead_of)) else "instead_of names no model"


def _channels(manifest: Manifest) -> str:
    channels = manifest.channels
    if manifest.takes is not Takes.FRAME:
        return "channels are for a model that takes a frame" if channels else ""
    if not 1 <= len(channels) <= CHANNELS_MAX or len(set(channels)) < len(channels):
        return f"channels must name 1 to {CHANNELS_MAX} metrics, none twice"
    if not all(0 < len(name.encode()) <= NAME_BYTES_MAX for name in channels):
        return f"a channel's name is empty or longer than {NAME_BYTES_MAX} bytes"
    if manifest.window * len(channels) > VALUES_MAX:
        return f"window times channels is more than {VALUES_MAX} values"
    return ""


def _applies(applies: Applies) -> str:
    named: dict[str, Any] = {field: getattr(applies, field) for field in applies.__struct_fields__}
    for name, patterns in named.items():
        most = UNIT_BYTES_MAX if name == "unit" else NAME_BYTES_MAX
        if len(patterns) > PATTERNS_MAX or any(len(one.encode()) > most for one in patterns):
            key = f"applies.{name.rstrip('_')}"
            return f"{key} has over {PATTERNS_MAX} words, or one of over {most} bytes"
    return ""


def _trained(trained: Trained | None) -> str:
    if trained is None:
        return ""
    if not _SHA256.fullmatch(trained.data_sha256):
        return "trained.data_sha256 is not 64 small hexadecimal digits"
    if trained.rows < 1 or max(len(trained.from_), len(trained.to)) > NAME_CHARS_MAX:
        return "trained has no rows, or a time that is none"
    return ""


def _shown(value: object) -> str:
    return printable(repr(value))[:100]
