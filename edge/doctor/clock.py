"""The clock: whether it was ever set, whether it is believed, and what keeps it in a power cut."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from edge.clock import TIMESYNC, SystemSync
from edge.doctor.case import Case
from edge.doctor.kind import OPERATOR, Finding, fault, hint, ok, warning
from edge.doctor.theme import Theme
from edge.settings import ClockTrust
from edge.timeline import FLOOR_EVERY_US, SANE_FROM_US, Kept

TIME: Final = "the system's clock"
RTC: Final = "a clock that runs on while power is off (RTC)"
PAST: Final = "times from while the clock was not believed (clock.json)"
RTC_OFF_S: Final = 60
"""A battery clock may drift a minute a month; beyond it nobody has set it."""
_ONLINE: Final = "see that a time server is reached: `timedatectl`; NTP needs UDP port 123"

SYNCED = ok("clock.synchronised", TIME)
UNSYNCED = warning(
    "clock.unsynchronised",
    TIME,
    _ONLINE + '. If something else keeps it right (GPS, PTP), set `trust = "always"` in [clock]',
)
UNSET = fault("clock.unset", TIME, _ONLINE + ", or set it by hand: `date -s`", OPERATOR)
BEHIND = warning(
    "clock.behind", TIME, "the clock was set back, or its battery is empty: " + _ONLINE
)
TRUSTED = hint(
    "clock.trusted",
    TIME,
    'it is believed by `trust = "always"`; `system` in its place believes the kernel',
)
RTC_THERE = ok("clock.rtc", RTC)
RTC_ABSENT = hint(
    "clock.no-rtc",
    RTC,
    "nothing, if a network is there after each power cut; else fit one with a battery",
)
RTC_WRONG = warning(
    "clock.rtc-wrong",
    RTC,
    "change its battery, then write the time into it: `hwclock --systohc`",
)
WAITING = hint(
    "clock.waiting",
    PAST,
    "they are put right by themselves once the clock is synchronised, before the next reboot",
)
LOST = warning("clock.damaged", PAST, "nothing: it is made anew; look after the card")


def examine(case: Case) -> Iterator[Finding]:
    """Look at the clocks."""
    now_us = case.now_us()
    yield from _time(case, now_us)
    yield from _rtc(case, now_us)
    yield from _kept(case, now_us)


def _time(case: Case, now_us: int) -> Iterator[Finding]:
    synced = SystemSync(case.kernel_synced, case.system(str(TIMESYNC))).synced()
    always = case.loaded is not None and case.config.settings.clock.trust is ClockTrust.ALWAYS
    if now_us < SANE_FROM_US:
        yield UNSET.found(f"it says {_day(now_us)}: it was never set. Readings are kept in order")
    elif synced:
        yield SYNCED.found(f"{_day(now_us)}, synchronised")
    elif always:
        yield TRUSTED.found(f"{_day(now_us)}; the kernel does not call it synchronised")
    else:
        told = f"{_day(now_us)}, but nothing has synchronised it: times are estimates until then"
        yield UNSYNCED.found(told)


def _rtc(case: Case, now_us: int) -> Iterator[Finding]:
    folder = case.system("/sys/class/rtc")
    names = sorted(path.name for path in folder.glob("rtc*")) if folder.is_dir() else []
    if not names:
        yield RTC_ABSENT.found("there is none: after a power cut the time is that of the last stop")
        return
    at = f"/sys/class/rtc/{names[0]}"
    says_s, name = case.number(f"{at}/since_epoch"), case.text(f"{at}/name") or names[0]
    if says_s is None:
        yield RTC_WRONG.found(f"{name} does not tell the time: it lost power")
    elif says_s * 1_000_000 < SANE_FROM_US:
        yield RTC_WRONG.found(f"{name} says {_day(says_s * 1_000_000)}")
    elif now_us >= SANE_FROM_US and abs(says_s - now_us // 1_000_000) > RTC_OFF_S:
        off_s = says_s - now_us // 1_000_000
        yield RTC_WRONG.found(f"{name} is {abs(off_s):,} s {'ahead' if off_s > 0 else 'behind'}")
    else:
        yield RTC_THERE.found(f"{name} agrees with the system's clock")


def _kept(case: Case, now_us: int) -> Iterator[Finding]:
    path = case.home / "clock.json"
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:
        return
    except PermissionError:
        return  # who may not read the home is told by the configuration's theme
    except (OSError, msgspec.MsgspecError) as error:
        yield LOST.found(f"it cannot be read: {error}")
        return
    behind_us = kept.floor_us - now_us
    if behind_us > FLOOR_EVERY_US and now_us >= SANE_FROM_US:
        told = f"it says {_day(now_us)}, and this gateway believed in {_day(kept.floor_us)} before"
        yield BEHIND.found(told)
    waiting = sum(one.offset_us is None for one in kept.stretches)
    if waiting or kept.forgotten:
        told = f"{waiting} stretches wait to be put right, {kept.forgotten} never will be"
        yield WAITING.found(told)


def _day(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


THEME = Theme(
    "clock",
    (SYNCED, UNSYNCED, UNSET, BEHIND, TRUSTED, RTC_THERE, RTC_ABSENT, RTC_WRONG, WAITING, LOST),
    examine,
    limit_s=5.0,
    hung=("a clock's driver does not answer: see `dmesg`", OPERATOR),
    needs_settings=False,
)
