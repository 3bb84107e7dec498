"""The gateway's identity: whether there is one, its parts belong together, and how long it serves.

How old a certificate is counts the cloud (docs/guide/clocks.md); what it last said is on the disk.
"""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.doctor.case import Case
from edge.doctor.kind import OPERATOR, Finding, fault, hint, ok, warning
from edge.doctor.theme import Theme
from edge.errors import OperatorError
from edge.timeline import SANE_FROM_US

if TYPE_CHECKING:
    from edge.identity import Identity

WHO: Final = "key, certificate and authority of this gateway"
AGE: Final = "how long the certificate serves"
DAY_US: Final = 86_400_000_000
LATE_SHARE: Final = 0.2
"""Renewal begins with a third to five twelfths of the life left: with less it did not succeed."""
_REACH: Final = "see that the cloud is reached (below): it is renewed by itself, then"

WHOLE = ok("certificate.whole", WHO)
ABSENT = hint("certificate.absent", WHO, "{hint}")
UNUSABLE = fault("certificate.unusable", WHO, "{hint}", OPERATOR)
EXPIRED = fault("certificate.expired", AGE, "{hint}", OPERATOR)
OPEN = warning("certificate.key-open", WHO, "chmod 600 {path}")
YOUNG = ok("certificate.life", AGE)
UNTOLD = ok("certificate.untold", AGE)
LATE = warning("certificate.late", AGE, _REACH)
PAST = warning("certificate.past", AGE, _REACH + "; until then nothing is delivered")
HALFWAY = hint(
    "certificate.unfinished", WHO, "start the agent: it finishes what a power cut left, or shows it"
)


def examine(case: Case) -> Iterator[Finding]:
    """Look at the identity without moving any of it."""
    from edge import identity

    config = case.config
    folder = identity.standing(config.identity_folder)
    if not (folder / identity.CLOUD_FILE).exists():
        way_out = identity.way_out(config.name, replace=False)
        yield ABSENT.found("none: readings are collected and kept, not delivered", hint=way_out)
        return
    if folder != config.identity_folder:
        yield HALFWAY.found(f"{folder.name}/ is complete and takes the other's place at a start")
    try:
        who = identity.read(folder, config.name)
    except OperatorError as error:
        yield UNUSABLE.found(error.cause, hint=error.hint)
        return
    yield from _open(folder / identity.KEY_FILE)
    now_us = case.now_us()
    try:
        if now_us >= SANE_FROM_US:  # a clock that was never set says nothing of it
            who.require_valid(now_us)
    except OperatorError as error:
        yield EXPIRED.found(error.cause, hint=error.hint)
    yield WHOLE.found(f"they belong together, for {who.name} at {who.sync_address}")
    yield from _age(case, who)


def _open(key: Path) -> Iterator[Finding]:
    mode = stat.S_IMODE(key.stat().st_mode)
    if mode & 0o077:
        yield OPEN.found(f"the mode {mode:04o} of {key.name} lets others read it", path=key)


def _age(case: Case, who: "Identity") -> Iterator[Finding]:
    from edge.identity_next import fingerprint, read_record

    record = read_record(case.config.renewal_path)
    left_us, life_us = record.left_then_us, record.life_us
    if record.certificate != fingerprint(who) or left_us is None:
        yield UNTOLD.found("the cloud has not said yet; it does at the first session")
        return
    if case.health is not None and case.health.cloud.certificate_not_after_us:
        left_us = case.health.cloud.certificate_not_after_us - case.health.clock.now_us
    days = left_us // DAY_US
    told = f"{days:,} of {life_us // DAY_US:,} days left, renewed {record.renewals:,} times"
    if left_us < 0:
        yield PAST.found(f"its life ended {-days:,} days ago")
    elif left_us < life_us * LATE_SHARE:
        yield LATE.found(f"{told}: it should have been renewed by now")
    else:
        yield YOUNG.found(told)


THEME = Theme(
    "certificate",
    (WHOLE, ABSENT, UNUSABLE, EXPIRED, OPEN, YOUNG, UNTOLD, LATE, PAST, HALFWAY),
    examine,
    limit_s=8.0,
    hung=("the disk does not answer: see `dmesg`", OPERATOR),
)
