"""Pure: times of a Home Assistant recorder: seconds since 1970, or a text in UTC."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)


def seconds_us(value: Any) -> int | None:
    """Microseconds UTC, None for what is no time."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return round(value * 1_000_000) if math.isfinite(value) and abs(value) < 1e12 else None
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _US
