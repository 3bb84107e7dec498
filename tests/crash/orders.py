"""Orders to a half's process, which `child/sitecustomize.py` carries out, and the named failpoints.

A failpoint is a step of the product between two promises; its name says what had just happened.
"""

import importlib.util
import itertools
import json
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import ModuleType

CHILD = Path(__file__).parent / "child"
_number = itertools.count(1)


class Moment(Enum):
    BEFORE = "before"
    AFTER = "after"


class Do(Enum):
    KILL = "kill"
    FAIL = "fail"
    SLOW = "slow"


class Way(Enum):
    """How a failpoint comes to be passed."""

    AS_IT_RUNS = "as it runs"
    RECONNECTING = "reconnecting"
    STARTING = "starting"


@dataclass(frozen=True, slots=True)
class Failpoint:
    """``point`` may be a pattern; ``within`` names a point that must be under way."""

    name: str
    point: str
    moment: Moment
    within: str = ""
    way: Way = Way.AS_IT_RUNS
    calls_max: int = 3

    @property
    def half(self) -> str:
        """Whose process dies there: the first word of the name."""
        return self.name.split(":")[0]


@dataclass(frozen=True, slots=True)
class Orders:
    """The folder in which one half's process looks for its orders."""

    folder: Path

    def give(
        self,
        do: Do,
        point: str,
        moment: Moment,
        *,
        within: str = "",
        calls: int = 1,
        seconds: float = 0.0,
    ) -> None:
        """Put an order in place at once, in place of an earlier one of its kind."""
        self.folder.mkdir(parents=True, exist_ok=True)
        order = {
            "id": next(_number),
            "point": point,
            "within": within,
            "moment": moment.value,
            "calls": calls,
            "do": do.value,
            "seconds": seconds,
        }
        made = self.folder / "made"
        made.write_text(json.dumps(order))
        os.replace(made, self._path(do))

    def is_open(self, do: Do) -> bool:
        """Whether the order was not carried out yet (one to be slow stays)."""
        return self._path(do).exists()

    def take_back(self, do: Do) -> None:
        """End an order, carried out or not."""
        self._path(do).unlink(missing_ok=True)

    def take_back_all(self) -> None:
        """Leave the process alone."""
        for do in Do:
            self.take_back(do)

    def _path(self, do: Do) -> Path:
        return self.folder / ("kill" if do is Do.KILL else "trouble")


def child() -> ModuleType:
    """What a half's process knows: `POINTS` by module, and `STEPS`."""
    spec = importlib.util.spec_from_file_location("crash_child", CHILD / "sitecustomize.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_COMMIT = "edge.store.commit:Intake._write"
_KEEP = "edge.store.blocks:Blocks._keep"
_MARK = "edge.store.release:Release.mark"
_BACK = "edge.store.file:BufferFile.write_back"
_APPEND = "cloud.journal.sqlite.writer:Writer._commit"
_SEGMENT = "cloud.journal.sqlite.segment:"
_BEFORE, _AFTER = Moment.BEFORE, Moment.AFTER

FAILPOINTS = (
    Failpoint("edge: a commit half in the log", "disk:log-write", _AFTER, _COMMIT, calls_max=6),
    Failpoint("edge: a commit in the log, not synced", "disk:log-sync", _BEFORE, _COMMIT),
    Failpoint("edge: a commit synced, not returned", "disk:log-sync", _AFTER, _COMMIT),
    Failpoint("edge: committed, nobody told", _COMMIT, _AFTER),
    Failpoint("edge: committed, no PUBACK sent", "edge.collect:Collect._acknowledge", _BEFORE),
    Failpoint("edge: PUBACKs sent", "edge.ingest_native_link:NativeLink.ack", _AFTER, calls_max=60),
    Failpoint("edge: a seal half in the log", "disk:log-write", _AFTER, _KEEP),
    Failpoint("edge: a seal in the log, not synced", "disk:log-sync", _BEFORE, _KEEP),
    Failpoint("edge: sealed, not sent", _KEEP, _AFTER),
    Failpoint("edge: sent, not answered", "edge.uplink_session:Conversation._send", _AFTER),
    Failpoint(
        "edge: a block made again, not sent",
        "edge.store.blocks:Blocks.blocks_from",
        _AFTER,
        way=Way.RECONNECTING,
        calls_max=1,
    ),
    Failpoint("edge: archived is known, not kept", _MARK, _BEFORE),
    Failpoint("edge: chunks gone, not synced", "disk:log-sync", _BEFORE, _MARK),
    Failpoint("edge: a checkpoint half written", "disk:file-write", _AFTER, _BACK, calls_max=9),
    Failpoint("edge: a checkpoint not synced", "disk:file-sync", _BEFORE, _BACK, calls_max=1),
    Failpoint("edge: a checkpoint done", "disk:file-sync", _AFTER, _BACK, calls_max=1),
    Failpoint(
        "edge: recovered, not serving",
        "edge.store.buffer:Buffer.__init__",
        _AFTER,
        way=Way.STARTING,
        calls_max=1,
    ),
    Failpoint("cloud: a block half in the log", "disk:log-write", _AFTER, _APPEND, calls_max=6),
    Failpoint("cloud: appended, not synced", "disk:log-sync", _BEFORE, _APPEND),
    Failpoint("cloud: synced, not acknowledged", "disk:log-sync", _AFTER, _APPEND),
    Failpoint("cloud: committed, the ack on its way", _APPEND, _AFTER),
    Failpoint("cloud: acknowledged", "cloud.ingest.stream:Stream._write", _AFTER),
    Failpoint(
        "cloud: a new segment not synced",
        _SEGMENT + "sync_path",
        _BEFORE,
        _SEGMENT + "create_segment",
        calls_max=1,
    ),
    Failpoint(
        "cloud: a new segment synced, not named",
        _SEGMENT + "sync_path",
        _AFTER,
        _SEGMENT + "create_segment",
        calls_max=1,
    ),
    Failpoint(
        "cloud: a new segment made, not used", _SEGMENT + "create_segment", _AFTER, calls_max=1
    ),
    Failpoint(
        "cloud: a sealed segment half settled",
        "disk:file-write",
        _AFTER,
        _SEGMENT + "settle",
        calls_max=9,
    ),
    Failpoint(
        "cloud: a segment unlinked, its folder not synced",
        _SEGMENT + "remove",
        _AFTER,
        "cloud.journal.sqlite.sealed:Sealed.trim",
        calls_max=1,
    ),
    *(
        Failpoint(f"cloud: lake, {step}", f"cloud.lake.consolidator:{step}", _AFTER)
        for step in ("data file written", "data file durable", "committed", "commit durable")
    ),
    Failpoint(
        "cloud: lake, readings alone",
        "cloud.lake.consolidator:readings committed",
        _AFTER,
        calls_max=1,
    ),
    Failpoint(
        "cloud: lake, not told archived",
        "cloud.lake.consolidator:before archived",
        _AFTER,
        calls_max=1,
    ),
    Failpoint(
        "cloud: lake, told archived",
        "cloud.lake.consolidator:Consolidator._archive",
        _AFTER,
        calls_max=1,
    ),
    Failpoint(
        "cloud: lake, a checkpoint not synced",
        "cloud.lake.consolidator:checkpoint written",
        _AFTER,
        calls_max=1,
    ),
    Failpoint(
        "cloud: lake, its log cleaned", "cloud.lake.consolidator:log cleaned", _AFTER, calls_max=1
    ),
    Failpoint("cloud: lake, files merged", "cloud.lake.table.table:LakeTable.merge", _AFTER),
    Failpoint("cloud: lake, old files gone", "cloud.lake.table.table:LakeTable.remove", _AFTER),
    Failpoint(
        "cloud: recovered, not serving",
        "cloud.lake.consolidator:Consolidator.recover",
        _AFTER,
        way=Way.STARTING,
        calls_max=1,
    ),
)
