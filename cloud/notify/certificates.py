"""Pure: which gateways' certificates are near their end, or past it.

They renew themselves in the last third of their life; one that did not until its last sixth needs
somebody.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from cloud.notify.fleet import GatewayNow
from cloud.notify.rule import Rule, What
from cloud.notify.standing import Finding, Key, Standing

_DAY_US: Final = 86_400_000_000


def ending(
    name: str,
    rule: Rule,
    gateways: Iterable[GatewayNow],
    open_: Mapping[Key, Standing],
    life_us: int,
    now_us: int,
) -> list[Finding]:
    """Those with fewer days left than the rule says, or than a sixth of ``life_us``."""
    most = min(round(rule.left_days * _DAY_US), life_us // 6)
    found = []
    for one in gateways:
        left = one.certificate_us - now_us
        if left < most:
            stands = open_.get((name, one.name))
            since = stands.found.since_us if stands else one.certificate_us - most
            detail = {"left_days": left / _DAY_US}
            found.append(
                Finding(
                    name, What.CERTIFICATE, one.name, rule.severity, one.name, since, detail=detail
                )
            )
    return found
