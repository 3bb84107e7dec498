"""Pure: values and answers as Prometheus writes them: times in seconds, values as text."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from cloud.promql.evaluate import Frame, Labels
from cloud.promql.steps import MILLI_US

_ODD: Final = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}


def value_text(value: float) -> str:
    """A value, none of its digits lost."""
    text = repr(value)
    return _ODD.get(text, text.removesuffix(".0"))


def time_text(time_us: int) -> str:
    """A time in seconds, to the millisecond."""
    seconds, millis = divmod(time_us // MILLI_US, 1000)
    if not millis:
        return str(seconds)
    text = f"{abs(time_us // MILLI_US) // 1000}.{abs(time_us // MILLI_US) % 1000:03}"
    return (f"-{text}" if time_us < 0 else text).rstrip("0")


def scalar(time_us: int, value: float) -> dict[str, Any]:
    """A number at one time."""
    return {"resultType": "scalar", "result": orjson.Fragment(_pair(time_us, value))}


def vector(time_us: int, frame: Frame) -> dict[str, Any]:
    """The series that have a value at one time."""
    time = time_text(time_us)
    rows = [
        {"metric": labels, "value": orjson.Fragment(f'[{time},"{value_text(value)}"]')}
        for labels, value, there in zip(
            frame.labels, frame.values[:, 0].tolist(), frame.there[:, 0].tolist(), strict=True
        )
        if there
    ]
    return {"resultType": "vector", "result": rows}


def matrix(
    series: Iterable[tuple[Labels, NDArray[np.int64], NDArray[np.float64]]],
) -> dict[str, Any]:
    """Series with their values at times; those without any are left out."""
    rows = [
        {"metric": labels, "values": orjson.Fragment(_pairs(times.tolist(), values.tolist()))}
        for labels, times, values in series
        if len(times)
    ]
    return {"resultType": "matrix", "result": rows}


def rows_of(
    frame: Frame, times: NDArray[np.int64]
) -> Iterable[tuple[Labels, NDArray[np.int64], NDArray[np.float64]]]:
    """The values that there are of each series."""
    for labels, values, there in zip(frame.labels, frame.values, frame.there, strict=True):
        yield labels, times[there], values[there]


def _pairs(times: Sequence[int], values: Sequence[float]) -> str:
    held = zip(times, values, strict=True)
    return "[" + ",".join([_pair(time, value) for time, value in held]) + "]"


def _pair(time_us: int, value: float) -> str:
    return f'[{time_text(time_us)},"{value_text(value)}"]'
