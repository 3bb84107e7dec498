"""Pure: how often something was refused lately, by whom; bounded in memory, time is passed in."""

import ipaddress
from collections import OrderedDict
from typing import Final

SOURCES_MAX: Final = 4096
MINUTE_US: Final = 60_000_000


class Attempts:
    """Counts refusals by source in windows of a minute; the source heard longest ago is forgot."""

    def __init__(self, failures_per_minute_max: int) -> None:
        self._max = failures_per_minute_max
        self._seen: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def must_wait(self, source: str, now_us: int) -> bool:
        """Say whether this source used up its refusals."""
        started_us, failures = self._seen.get(source, (now_us, 0))
        return 0 <= now_us - started_us < MINUTE_US and failures >= self._max

    def failed(self, source: str, now_us: int) -> None:
        """Count one refusal."""
        started_us, failures = self._seen.pop(source, (now_us, 0))
        if not 0 <= now_us - started_us < MINUTE_US:
            started_us, failures = now_us, 0
        self._seen[source] = (started_us, failures + 1)
        while len(self._seen) > SOURCES_MAX:
            self._seen.popitem(last=False)

    def forgiven(self, source: str) -> None:
        """Take one refusal back that was counted before its outcome was known."""
        if source in self._seen:
            started_us, failures = self._seen[source]
            self._seen[source] = (started_us, max(0, failures - 1))


def source_of(host: str) -> str:
    """What stands for an address: itself, for IPv6 its /64, which one person may have whole."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
