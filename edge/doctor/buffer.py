"""The buffer: whether it is whole, how full it is, and what it lost.

While an agent runs its word is taken; else the file is opened to be looked at. Nothing of it is
written, migrated or set aside, so one that would need that is told and left alone.
"""

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge.doctor.case import Case
from edge.doctor.kind import STORAGE, Finding, fault, hint, ok, warning
from edge.doctor.theme import Theme
from edge.errors import OperatorError, StorageError
from edge.health import BufferHealth
from edge.health_text import size
from edge.keys import find_key, next_key_path

WHOLE: Final = "whether the buffer is whole"
ROOM: Final = "how full the buffer is"
LOST: Final = "what left the buffer undelivered"
DAYS_FEW: Final = 1.0
LOOK_S: Final = 8.0
"""Most that the file is looked through; what a longer look finds, `buffer verify` tells."""
DAMAGE_SHOWN: Final = 3
_HEADER: Final = b"SQLite format 3\0"
_USER_VERSION: Final = 60  # https://sqlite.org/fileformat2.html#the_database_header

SOUND = ok("buffer.whole", WHOLE)
NONE_YET = ok("buffer.none", WHOLE)
DAMAGED = fault(
    "buffer.damaged",
    WHOLE,
    "`tidegate-edge buffer verify` names all of it; start the agent, which sets it aside and goes "
    "on with the rest. Look after the card: `tidegate-edge selftest DIR`",
    STORAGE,
)
UNREADABLE = fault("buffer.unreadable", WHOLE, "{hint}", STORAGE)
NEWER = fault("buffer.newer", WHOLE, "install the newer Tidegate again that wrote it", STORAGE)
OLDER = hint("buffer.older", WHOLE, "start the agent: it brings the buffer to this version")
PARTLY = hint("buffer.partly", WHOLE, "`tidegate-edge buffer verify`, which takes its time")
QUARANTINE = warning(
    "buffer.quarantine", LOST, "look after the card: `tidegate-edge selftest DIR`, and change it"
)
EVICTED = warning(
    "buffer.evicted",
    LOST,
    "see that the cloud is reached; a larger `buffer.bytes_max` lasts longer",
)
FULL = fault(
    "buffer.full",
    ROOM,
    "see that the cloud is reached (below); or a larger `buffer.bytes_max`, if the disk has room",
    STORAGE,
)
FILLING = warning(
    "buffer.filling", ROOM, "see that the cloud is reached; or a larger `buffer.bytes_max`"
)
ROOMY = ok("buffer.room", ROOM)


def examine(case: Case) -> Iterator[Finding]:
    """Ask the agent, or look at the file."""
    if case.health is not None:
        yield from _by_agent(case.health.buffer)
        return
    path = case.config.buffer_path
    if case.is_running or not path.exists():
        told = "an agent has it and does not answer" if path.exists() else "there is none yet"
        yield NONE_YET.found(told)
        return
    version = _version(path)
    from edge.store.limits import SCHEMA_VERSION

    if version is None:
        hint = "its beginning is damaged: move it aside, keep it, and start the agent anew"
        yield UNREADABLE.found(f"{path.name} is no buffer of Tidegate", hint=hint)
    elif version > SCHEMA_VERSION:
        yield NEWER.found(f"it is of version {version}, this Tidegate reads {SCHEMA_VERSION}")
    elif version < SCHEMA_VERSION:
        yield OLDER.found(f"it is of version {version}; it was not opened")
    elif next_key_path(case.config.buffer_key_path).exists():
        yield PARTLY.found("it was not opened: a rotation of its key waits to be finished")
    else:
        yield from _by_file(case, path)


def _version(path: Path) -> int | None:
    """The buffer's version, as its first page says it; None when that is no buffer's."""
    with path.open("rb") as file:
        head = file.read(100)
    if len(head) < 100 or not head.startswith(_HEADER):
        return None
    version = struct.unpack_from(">I", head, _USER_VERSION)[0]
    return int(version) or None


def _by_file(case: Case, path: Path) -> Iterator[Finding]:
    from edge.agent_parts import store_limits
    from edge.store.inspection import Inspection

    config, until_s = case.config, time.monotonic() + LOOK_S
    keys = find_key(config.buffer_key_path, case.environment)
    damage, is_done = [], True
    try:
        with Inspection.of(
            path, gateway=config.buffer_name, keys=keys, limits=store_limits(config)
        ) as look:
            held = look.holding()
            for one in look.damage():
                damage.append(f"{one.name} ({one.reason})")
                if time.monotonic() > until_s:
                    is_done = False
                    break
    except StorageError as error:
        yield UNREADABLE.found(error.cause, hint=error.hint)
        return
    except OperatorError as error:  # its key is told by the key's theme; that it is shut, here
        yield UNREADABLE.found(f"could not {error.tried}: {error.cause}", hint=error.hint)
        return
    if damage:
        more = f" and {len(damage) - DAMAGE_SHOWN:,} more" if len(damage) > DAMAGE_SHOWN else ""
        yield DAMAGED.found(f"{', '.join(damage[:DAMAGE_SHOWN])}{more}")
    if not is_done:
        yield PARTLY.found(f"it was not looked through in {LOOK_S:.0f} s")
    elif not damage:
        yield SOUND.found(f"{held.chunks:,} chunks with {held.rows:,} rows, {held.blocks:,} blocks")
    yield from _room(held.used_bytes, config.settings.buffer.bytes_max, None)
    yield from _lost(held.counters.get("evicted", 0), held.quarantined)


def _by_agent(buffer: BufferHealth) -> Iterator[Finding]:
    yield SOUND.found(f"the agent works with it: {buffer.rows:,} rows, {buffer.blocks:,} blocks")
    if buffer.held:
        yield FULL.found(f"it takes nothing in, {buffer.retries:,} refusals since the start")
    else:
        yield from _room(buffer.used_bytes, buffer.bytes_max, buffer.days_left)
    yield from _lost(buffer.evicted, buffer.quarantined)


def _room(used: int, most: int, days: float | None) -> Iterator[Finding]:
    share = used / most if most else 0.0
    told = f"{size(used)} of {size(most)} ({share:.0%})"
    if days is not None:
        told += f", full in {days:,.1f} days without the cloud"
    is_filling = share > 0.9 or (days is not None and days < DAYS_FEW)
    yield (FILLING if is_filling else ROOMY).found(told)


def _lost(evicted: int, quarantined: int) -> Iterator[Finding]:
    if evicted:
        yield EVICTED.found(f"{evicted:,} rows were let go because it was full, each with a gap")
    if quarantined:
        yield QUARANTINE.found(f"{quarantined:,} damaged rows were set aside")


THEME = Theme(
    "buffer",
    (
        SOUND, NONE_YET, DAMAGED, UNREADABLE, NEWER, OLDER, PARTLY, QUARANTINE, EVICTED, FULL,
        FILLING, ROOMY,
    ),
    examine,
    limit_s=LOOK_S + 7.0,
    hung=("a long look: `tidegate-edge buffer verify` takes its time; see `dmesg` too", STORAGE),
)  # fmt: skip
