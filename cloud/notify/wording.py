"""Pure: what a message says: as a document for programs, and in words for people."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from cloud.notify.channel import Severity
from cloud.notify.rule import What
from cloud.notify.standing import Change, Detail, Standing
from protos.shown import printable

LINES_MAX: Final = 50
"""Standings that the words name one by one; the document has them all."""
NAME_CHARS_MAX: Final = 80
_PLURAL: Final[Mapping[What, tuple[str, str]]] = {
    What.SILENCE: ("gateway is silent", "gateways are silent"),
    What.BUFFER: ("buffer fills up", "buffers fill up"),
    What.CERTIFICATE: ("certificate is near its end", "certificates are near their end"),
    What.GAP: ("gateway lost readings", "gateways lost readings"),
    What.EPISODE: ("series has anomalies", "series have anomalies"),
    What.LIMIT: ("series is past its limit", "series are past their limit"),
}
_OVER: Final[Mapping[What, tuple[str, str]]] = {
    What.SILENCE: ("gateway is heard again", "gateways are heard again"),
    What.BUFFER: ("buffer has room again", "buffers have room again"),
    What.CERTIFICATE: ("certificate is good again", "certificates are good again"),
    What.GAP: ("gateway loses no more", "gateways lose no more"),
    What.EPISODE: ("series is calm again", "series are calm again"),
    What.LIMIT: ("series is within its limit again", "series are within their limit again"),
}
Of = tuple[Standing, Change]


def subject(told: Sequence[Of]) -> str:
    """One line: what began or stands still, and what ended, with the name if it is one alone."""
    parts = []
    for words, changes in ((_PLURAL, (Change.BEGUN, Change.AGAIN)), (_OVER, (Change.ENDED,))):
        count = Counter(one.found.what for one, change in told if change in changes)
        for what, many in count.items():
            names = [name_of(o) for o, c in told if o.found.what is what and c in changes]
            noun = words[what][many > 1]
            parts.append(f"{many} {noun}" if many > 1 else f"{names[0]}: {noun}")
    return "; ".join(parts)


def name_of(standing: Standing) -> str:
    """Whom it is about, for the eyes of a person."""
    found = standing.found
    parts = [part for part in (found.gateway, found.device, found.metric) if part]
    shown = printable("/".join(parts))
    return shown if len(shown) <= NAME_CHARS_MAX else shown[: NAME_CHARS_MAX - 1] + "…"


def document(
    identifier: str, told: Sequence[Of], severity: Severity, cloud: str, made_us: int, zone: tzinfo
) -> dict[str, Any]:
    """The message for programs: stable ``id``, what changed, and the same in words."""
    return {
        "id": identifier,
        "cloud": cloud,
        "severity": severity.value,
        "made_us": made_us,
        "subject": subject(told),
        "text": text(told, cloud, zone),
        "standings": [
            {**standing_told(standing), "change": change.value} for standing, change in told
        ],
    }


def standing_told(standing: Standing) -> dict[str, Any]:
    """A standing as messages and the API tell it."""
    found = standing.found
    return {
        "id": standing.id,
        "what": found.what.value,
        "rule": found.rule,
        "severity": found.severity.value,
        "gateway": found.gateway,
        "device": found.device or None,
        "metric": found.metric or None,
        "began": found.since_us,
        "ended": standing.ended_us,
        "detail": dict(found.detail),
    }


def text(told: Sequence[Of], cloud: str, zone: tzinfo) -> str:
    """All of it in lines."""
    lines = [_line(one, change, zone) for one, change in told[:LINES_MAX]]
    if len(told) > LINES_MAX:
        lines.append(f"… and {len(told) - LINES_MAX} more")
    return "\n".join([*lines, "", f"Told by the Tidegate cloud on {printable(cloud)}."])


def _line(standing: Standing, change: Change, zone: tzinfo) -> str:
    found, ended = standing.found, standing.ended_us
    words = _OVER if change is Change.ENDED else _PLURAL
    since = f"since {clock(found.since_us, zone)}"
    if ended is not None:
        since = f"from {clock(found.since_us, zone)} to {clock(ended, zone)}"
    facts = ", ".join(_facts(found.detail))
    return f"{name_of(standing)}: {words[found.what][0]}, {since}" + (
        f" ({facts})" if facts else ""
    )


def _facts(detail: Detail) -> Iterable[str]:
    for name, value in detail.items():
        label, written = _FACTS.get(name, (name, str))
        yield f"{label} {written(value)}"


def _number(value: str | float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else printable(str(value))


_FACTS: Final[Mapping[str, tuple[str, Callable[[Any], str]]]] = {
    "silent_s": ("silent means", lambda s: f"{s:g} s"),
    "share": ("filled to", lambda share: f"{share:.0%}"),
    "days": ("days left", lambda days: f"{days:.1f}"),
    "left_days": ("days left", lambda days: f"{days:.1f}"),
    "readings": ("readings lost", lambda count: f"{count:,}"),
    "reason": ("reason", _number),
    "value": ("value", _number),
    "above": ("limit", _number),
    "below": ("lower limit", _number),
    "unit": ("in", _number),
    "peak": ("highest score", _number),
    "anomalies": ("anomalies", lambda count: f"{count:,}"),
    "model": ("model", _number),
}


def clock(at_us: int, zone: tzinfo) -> str:
    """A time on the wall of a zone, to the second."""
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(zone)
    return f"{at:%Y-%m-%d %H:%M:%S} {at.tzname()}"
