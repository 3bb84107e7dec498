"""The card or disk itself: what it is, how worn, and whether its file system met errors.

eMMC tells its wear in sysfs (JEDEC eMMC 5.0, `life_time` and `pre_eol_info`); most SD cards tell
nothing. ext4 keeps count of the errors that it met, over reboots.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge.doctor.case import Case
from edge.doctor.kind import STORAGE, Finding, Kind, fault, ok, warning
from edge.health_text import size
from edge.selftest_words import Place

LIFE: Final = "how worn the card is"
ERRORS: Final = "errors that the file system met"
WORN_FROM: Final = 9
"""Steps of a tenth of the life: the ninth is from 80 % to 90 %."""
EXCEEDED: Final = 11
_NEW_CARD: Final = "copy the card to a new one while it can be read"

WEAR = ok("disk.life", LIFE)
WORN = warning("disk.worn", LIFE, _NEW_CARD)
WORN_OUT = fault("disk.worn-out", LIFE, _NEW_CARD, STORAGE)
ERRED = fault(
    "disk.errors",
    ERRORS,
    "`fsck` it when it is not mounted; if it recurs, change the card",
    STORAGE,
)
CARD_KINDS: Final[tuple[Kind, ...]] = (WEAR, WORN, WORN_OUT, ERRED)


def life(case: Case, folder: Path, place: Place) -> Iterator[Finding]:
    """What the kernel tells of the device below a folder; nothing where it tells nothing."""
    number = folder.stat().st_dev
    at = case.system(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if not at.exists():
        return
    part = at.resolve()
    disk = part.parent if (part / "partition").exists() else part
    yield from _wear(case, disk)
    yield from _errors(case, part.name, place)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _numbers(text: str) -> list[int]:
    try:
        return [int(part, 16) for part in text.split()]
    except ValueError:
        return []


def _wear(case: Case, disk: Path) -> Iterator[Finding]:
    name = " ".join(filter(None, (_read(disk / "device" / one) for one in ("type", "name"))))
    steps = _numbers(_read(disk / "device" / "life_time"))
    spare = (_numbers(_read(disk / "device" / "pre_eol_info")) or [0])[0]
    step = max(steps, default=0)
    if not step and not spare:
        yield WEAR.found(f"{name or disk.name} does not tell")
        return
    told = f"{name or disk.name}: between {(step - 1) * 10} % and {step * 10} % of its life is used"
    if step >= EXCEEDED or spare >= 3:
        yield WORN_OUT.found(f"{name or disk.name}: its life is used up")
    elif step >= WORN_FROM or spare == 2:
        yield WORN.found(told if step else f"{name}: four fifths of its spare blocks are used")
    else:
        yield WEAR.found(told)


def _errors(case: Case, name: str, place: Place) -> Iterator[Finding]:
    at = f"/sys/fs/ext4/{name}"
    count, written = case.number(f"{at}/errors_count"), case.number(f"{at}/lifetime_write_kbytes")
    if count:
        tail = f", {size(written * 1024)} were written to it in all" if written else ""
        yield ERRED.found(f"{count:,} on {place.device or name}{tail}")
