"""Pure: the gateway's time while its clock cannot be believed, and what it was once it can.

Unsynced stamps lie on a line: a base fixed when the *stretch* begins, plus the time since boot. So
they keep the order of arrival whatever the wall clock does, and one offset corrects them all. The
base is, in this order: the line the clock was on when it was last synchronised in this boot; the
wall clock, unless it is behind the floor or was never set; the floor. In a boot that was never
synchronised the wall clock is followed when it steps ahead (someone set it by hand), with a stretch
for each step.

The *floor* is the latest time this gateway believed in before; it outlives the boot.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from protos.records import Quality
from protos.stretch import stretch_tag

SANE_FROM_US: Final = 1_735_689_600_000_000  # 2025-01-01: before Tidegate existed nothing is synced
STEP_US: Final = 1_000_000
"""A wall clock that moves this far against the time since boot was set, not disciplined."""
FLOOR_EVERY_US: Final = 600_000_000
"""How far the floor on the disk may be behind: a write in ten minutes costs a card nothing."""
STILL_US: Final = 500_000
STILL_FOR_US: Final = 5_000_000
"""A synchronised clock is taken for the truth once it kept still, within this, for so long."""
STRETCHES_MAX: Final = 64
"""Stretches that wait for the truth; beyond them the wall clock's steps are not followed."""


class Stretch(msgspec.Struct, frozen=True):
    """Stamps of one line of one boot: ``base_us`` + time since boot, from ``mono_from`` on.

    ``mono_to`` is the latest such stamp; ``offset_us`` what is to be added, None until known.
    """

    boot_id: bytes
    base_us: int
    mono_from: int
    mono_to: int
    offset_us: int | None = None

    @property
    def tag(self) -> int:
        """By which its readings are found (`protos.stretch`)."""
        return stretch_tag(self.boot_id, self.mono_from)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What outlives the process, and the boot: the file ``clock.json``.

    ``line_us`` is wall − mono when the clock was last seen synchronised in the boot ``boot_id``;
    ``forgotten`` counts stretches whose boot ended before their time was known.
    """

    boot_id: bytes = b""
    floor_us: int = 0
    line_us: int | None = None
    stretches: tuple[Stretch, ...] = ()
    forgotten: int = 0


@dataclass(frozen=True, slots=True)
class Stamp:
    """One look at the clock: µs since 1970 UTC, µs since boot, and what the first is worth.

    ``stretch`` tags the stretch of an unsynced stamp; 0 when synced.
    """

    wall_us: int
    mono_us: int
    quality: Quality
    stretch: int = 0


class Timeline:
    """One process's stamps. Feed it with looks at the clocks in the order they were taken.

    ``kept`` is to be on the disk before a stamp is used whenever ``unsaved`` says so.
    """

    def __init__(self, boot_id: bytes, kept: Kept, mono_us: int) -> None:
        self.unsaved = False
        self._current: Stretch | None = None
        self._held: tuple[int, int] | None = None
        if kept.boot_id == boot_id:
            # Stamps of the process before reach up to now at most.
            ended = [_until(one, mono_us, boot_id) for one in kept.stretches]
            self.kept = msgspec.structs.replace(kept, stretches=tuple(ended))
            return
        known = tuple(one for one in kept.stretches if one.offset_us is not None)
        lost = kept.forgotten + len(kept.stretches) - len(known)
        self.kept = Kept(boot_id=boot_id, floor_us=kept.floor_us, stretches=known, forgotten=lost)

    def look(self, wall_us: int, mono_us: int, *, synced: bool) -> Stamp:
        """The stamp of this moment."""
        if synced and wall_us >= SANE_FROM_US:
            return self._believed(wall_us, mono_us)
        current = self._current
        if current is None:
            current = self._begin(self._base(wall_us, mono_us), mono_us)
        elif self._is_set(current, wall_us, mono_us):
            current = self._begin(wall_us - mono_us, mono_us)
        if mono_us > current.mono_to:
            current = msgspec.structs.replace(current, mono_to=mono_us)
        self._current = current
        at_us = current.base_us + mono_us
        if at_us - self.kept.floor_us >= FLOOR_EVERY_US:
            self._keep(floor_us=at_us)
        return Stamp(at_us, mono_us, Quality.GATEWAY_UNSYNCED, current.tag)

    def settle(self, wall_us: int, mono_us: int, *, synced: bool) -> tuple[Stretch, ...]:
        """The stretches whose offset is known; to be asked every second or so.

        They are given again, with the same offset, until `told`: what is made of them must be
        harmless twice.
        """
        if not synced or wall_us < SANE_FROM_US:
            self._held = None
        else:
            self._believed(wall_us, mono_us)
            self._measure(wall_us - mono_us, mono_us)
        return tuple(one for one in self.kept.stretches if one.offset_us is not None)

    def told(self, stretches: tuple[Stretch, ...]) -> None:
        """These are safe elsewhere: forget them."""
        left = tuple(one for one in self.kept.stretches if one not in stretches)
        self._keep(stretches=left)

    @property
    def waiting(self) -> int:
        """Stretches whose offset is not known yet."""
        return sum(one.offset_us is None for one in self.kept.stretches)

    def _believed(self, wall_us: int, mono_us: int) -> Stamp:
        self._close()
        line = wall_us - mono_us
        before = self.kept.line_us
        moved = before is None or abs(line - before) > STILL_US
        if moved or abs(wall_us - self.kept.floor_us) >= FLOOR_EVERY_US:
            self._keep(floor_us=wall_us, line_us=line)
        return Stamp(wall_us, mono_us, Quality.GATEWAY_SYNCED)

    def _base(self, wall_us: int, mono_us: int) -> int:
        line, floor = self.kept.line_us, self.kept.floor_us
        if line is not None:
            return line
        if wall_us >= floor and (wall_us >= SANE_FROM_US or not floor):
            return wall_us - mono_us
        return floor + FLOOR_EVERY_US - mono_us  # behind every stamp that may have been given

    def _is_set(self, current: Stretch, wall_us: int, mono_us: int) -> bool:
        """Whether someone set a clock that was never synchronised in this boot."""
        if self.kept.line_us is not None or len(self.kept.stretches) >= STRETCHES_MAX:
            return False
        ahead = wall_us - (current.base_us + mono_us)
        return abs(ahead) > STEP_US and wall_us >= self.kept.floor_us

    def _begin(self, base_us: int, mono_us: int) -> Stretch:
        self._close()
        while len(self.kept.stretches) >= STRETCHES_MAX:  # clocks that come and go all the time
            self._keep(stretches=self.kept.stretches[1:], forgotten=self.kept.forgotten + 1)
        fresh = Stretch(self.kept.boot_id, base_us, mono_us, mono_us)
        # On the disk at once, its end is told by the process after, should this one die.
        floor = max(self.kept.floor_us, base_us + mono_us, 1)
        self._keep(stretches=(*self.kept.stretches, fresh), floor_us=floor)
        return fresh

    def _close(self) -> None:
        current, self._current = self._current, None
        if current is not None:
            begun = (current.boot_id, current.mono_from)
            self._keep(
                stretches=tuple(
                    current if (one.boot_id, one.mono_from) == begun else one
                    for one in self.kept.stretches
                )
            )

    def _measure(self, line_us: int, mono_us: int) -> None:
        held = self._held
        if held is None or abs(line_us - held[0]) > STILL_US:
            self._held = (line_us, mono_us)
        elif mono_us - held[1] >= STILL_FOR_US:
            boot_id, stretches = self.kept.boot_id, self.kept.stretches
            found = tuple(_measured(one, boot_id, line_us) for one in stretches)
            if found != stretches:
                self._keep(stretches=found)

    def _keep(self, **changes: object) -> None:
        self.kept = msgspec.structs.replace(self.kept, **changes)
        self.unsaved = True


def _until(stretch: Stretch, mono_us: int, boot_id: bytes) -> Stretch:
    if stretch.boot_id != boot_id or stretch.offset_us is not None:
        return stretch
    return msgspec.structs.replace(stretch, mono_to=max(stretch.mono_to, mono_us))


def _measured(stretch: Stretch, boot_id: bytes, line_us: int) -> Stretch:
    if stretch.boot_id != boot_id or stretch.offset_us is not None:
        return stretch
    return msgspec.structs.replace(stretch, offset_us=line_us - stretch.base_us)
