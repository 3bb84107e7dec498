"""Pure: which gateways are silent: nothing was heard of them for the stated time.

A gateway with a session says every fifteen seconds how it is, and its stream ends a while after its
line was cut. One whose stream is open and says nothing for a minute hangs. Of a cloud that has just
started, or stood still, the time counts from then: it was the cloud that did not hear.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from cloud.notify.fleet import GatewayNow
from cloud.notify.rule import Rule, What
from cloud.notify.standing import Finding, Key, Standing

REPORT_LATE_US: Final = 60_000_000
"""Four reports that did not come."""


def silent(
    name: str,
    rule: Rule,
    gateways: Iterable[GatewayNow],
    open_: Mapping[Key, Standing],
    started_us: int,
    now_us: int,
) -> list[Finding]:
    """The silent gateways; one that was found silent is so until it is heard."""
    found = []
    for one in gateways:
        if not one.heard_us:
            continue
        stands = open_.get((name, one.name))
        if stands is not None and one.heard_us <= stands.found.since_us:
            found.append(stands.found)
        elif _is_silent(one, round(rule.silent_s * 1e6), started_us, now_us):
            detail = {"silent_s": rule.silent_s}
            found.append(
                Finding(
                    name, What.SILENCE, one.name, rule.severity, one.name, one.heard_us,
                    detail=detail,
                )
            )  # fmt: skip
    return found


def _is_silent(one: GatewayNow, silent_us: int, started_us: int, now_us: int) -> bool:
    quiet_us = now_us - max(one.heard_us, started_us)
    if one.is_connected:
        return one.reports and quiet_us > max(silent_us, REPORT_LATE_US)
    return quiet_us >= silent_us
