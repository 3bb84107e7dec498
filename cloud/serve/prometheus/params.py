"""What is asked of the Prometheus API: parameters of the query string or of a form, read strictly.

Times are seconds since 1970 or RFC 3339, durations seconds or `5m`; both are kept to the
millisecond, as Prometheus does. What Prometheus knows and this server does not is refused by name.
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.datastructures import QueryParams
from starlette.requests import Request

from cloud.promql.labels import LABEL
from cloud.promql.parser import parse_selector
from cloud.promql.steps import MILLI_US, STEPS_MAX, Steps
from cloud.promql.words import QUERY_CHARS_MAX, WIDTH_US_MAX, duration_us
from cloud.serve import kinds
from cloud.serve import params as serve_params
from cloud.serve.body import whole
from cloud.serve.params import Expected, Kind, Param, Refusal

FORM: Final = "application/x-www-form-urlencoded"
MATCH: Final = "match[]"
MATCHES_MAX: Final = 20
FIELDS_MAX: Final = 100
LIMIT_MAX: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLI: Final = timedelta(milliseconds=1)
_SECONDS: Final = re.compile(r"[+-]?(\d{1,15}\.?\d{0,20}|\.\d{1,20})([eE][+-]?\d{1,3})?")
_TIME_TEXT: Final = "seconds since 1970, or RFC 3339 such as 2026-05-01T12:00:00Z"
_DURATION_TEXT: Final = "seconds, or a duration such as 5m or 1h30m"


class TooMuch(Exception):  # noqa: N818 - the caller's fault, or the machine's
    """A query that takes more than one may; ``hint`` says what would do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def _time_us(text: str) -> int:
    if _SECONDS.fullmatch(text):
        millis = float(text) * 1000
        # Of what is too much for a float, the sign is left.
        time_us = round(millis if math.isfinite(millis) else math.copysign(1e30, millis)) * MILLI_US
    else:
        try:
            # A `+` that was not percent-encoded arrives as a space.
            at = datetime.fromisoformat(text.replace(" ", "+"))
            time_us = (at - _EPOCH) // _MILLI * MILLI_US
        except (ValueError, TypeError, OverflowError):
            raise Expected(_TIME_TEXT) from None
    if not kinds.FIRST_US <= time_us <= kinds.LAST_US:
        nearest = kinds.FIRST_US if time_us < kinds.FIRST_US else kinds.LAST_US
        raise Expected("a time of the years 1 to 9999", str(nearest // 1_000_000))
    return time_us


def _width_us(text: str) -> int:
    if _SECONDS.fullmatch(text):
        seconds = float(text)
        us = round(seconds * 1000) * MILLI_US if seconds * 1e6 <= WIDTH_US_MAX else WIDTH_US_MAX + 1
    else:
        try:
            us = duration_us(text)
        except ValueError as error:
            raise Expected(f"{_DURATION_TEXT}: {error}") from None
    if not 0 < us <= WIDTH_US_MAX:
        raise Expected(f"{_DURATION_TEXT}, 1 ms to 100 years", "1ms" if us <= 0 else "100y")
    return us


def _query(text: str) -> str:
    if len(text) > QUERY_CHARS_MAX:
        raise Expected(f"at most {QUERY_CHARS_MAX} characters")
    return text


_TEXT: Final = {"type": "string", "minLength": 1}
TIME: Final = Kind(_time_us, _TEXT | {"description": _TIME_TEXT})
WIDTH: Final = Kind(_width_us, _TEXT | {"description": _DURATION_TEXT})
QUERY: Final = Kind(_query, _TEXT | {"maxLength": QUERY_CHARS_MAX})
LIMIT: Final = Param(kinds.whole(0, LIMIT_MAX), "at most so many; 0: all", 0)
MATCHERS: Final = Param(QUERY, "a selector; may be given several times", ())
SPAN: Final = {
    "start": Param(TIME, "of series that were heard since", default_text="ever"),
    "end": Param(TIME, "and until then", default_text="ever"),
}
UNUSED: Final = {
    "timeout": Param(WIDTH, "taken, but this server's own bounds hold"),
    "stats": Param(kinds.TEXT, "taken, but no statistics are told"),
}


async def given(request: Request) -> list[tuple[str, str]]:
    """All that is asked, of the query string and the form. Refusal 400, 403, 408, 413, 415."""
    asked = list(request.query_params.multi_items())
    if request.method == "POST":
        body = await whole(request, FORM, "send a form")
        try:
            text = body.decode("ascii")
            asked += parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX)
        except ValueError:
            hint = f"send at most {FIELDS_MAX} fields, percent-encoded"
            raise Refusal(400, "bad_body", "the body is no form", hint) from None
    return asked


def read(asked: Sequence[tuple[str, str]], known: Mapping[str, Param]) -> dict[str, Any]:
    """Every known parameter's value. Refusal 400 when anything is not as it should be."""
    matches = [value for name, value in asked if name == MATCH]
    rest = {name: param for name, param in known.items() if name != MATCH}
    others = [pair for pair in asked if pair[0] != MATCH or MATCH not in known]
    try:
        values = serve_params.read(QueryParams(others), rest)
    except Refusal as refusal:
        if refusal.code == "unknown_parameter":
            raise serve_params.unknown(refusal.parameter, known) from None
        raise
    if MATCH in known:
        values[MATCH] = _matches(matches, known[MATCH])
    return values


def _matches(texts: Sequence[str], param: Param) -> Any:
    if len(texts) > MATCHES_MAX:
        message = f"`{MATCH}` is given {len(texts)} times"
        raise Refusal(400, "bad_parameter", message, f"give it {MATCHES_MAX} times at most")
    if not texts and param.required:
        raise Refusal(400, "missing_parameter", f"`{MATCH}` is missing", f"add `{MATCH}=…`")
    return tuple(parse_selector(text) for text in texts)


def label(name: str) -> str:
    """The name of a label, out of a path. Refusal 400 when it is none."""
    if not LABEL.fullmatch(name):
        hint = "a name has letters, digits and `_`, and begins with no digit"
        raise Refusal(400, "bad_parameter", f"{name[:80]!r} is no name of a label", hint)
    return name


def steps(start_us: int, end_us: int, step_us: int) -> Steps:
    """The times of a range. Refusal 400 when it is none, or has more than STEPS_MAX."""
    if end_us < start_us:
        raise Refusal(400, "bad_range", "`end` lies before `start`", "`start` is the earlier end")
    count = (end_us - start_us) // step_us + 1
    if count > STEPS_MAX:
        seconds = -(-(end_us - start_us) // (STEPS_MAX - 1)) / 1e6
        message = f"{count} points a series are more than {STEPS_MAX}"
        hint = f"ask for a wider step: the nearest is {math.ceil(seconds * 1000) / 1000:g} s"
        raise Refusal(400, "too_many_points", message, hint)
    return Steps(start_us, step_us, count)
