"""Answers gateways about models, and carries rollouts on: in the process that gateways talk with.

What people decide comes through the registry's file, which is looked at every few seconds; so does
what gateways say, for those who show it. Offers are answered from memory.
"""

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from cloud.errors import OperatorError, StorageError
from cloud.registry.rollouts import BY_ITSELF, RolloutRows
from cloud.rollout.plan import Behaviour, Rollout, judged, members, offers_for
from protos import sync_pb2 as pb
from protos.limits import MODEL_REASON_BYTES_MAX, MODEL_REPORTS_MAX
from protos.model import SUFFIX, PackageError
from protos.model_key import load_key, public_of
from protos.shown import printable

log = logging.getLogger(__name__)

NAME_CHARS_MAX: Final = 64
GATEWAYS_MAX: Final = 100_000
"""Gateways whose words are kept; there are fewer certificates than that."""

COUNT_MAX: Final = 1 << 53
"""The largest number that every reader of JSON takes as it is."""
_NUMBERS: Final = (
    "rollout", "bytes_held", "windows", "scored", "alarms", "errors", "mean_us", "p99_us",
    "memory_bytes", "promised_per_week", "series_weeks", "beside_alarms",
)  # fmt: skip


class RolloutDesk:
    """Rollouts as gateways meet them.

    Args:
        registry: of the cloud.
        folder: of the shelf, where packages lie under their names and versions.
        now_us: µs UTC.
        key: file of the key that this cloud signs models with; there need be none.
    """

    def __init__(
        self,
        registry: RolloutRows,
        folder: Path,
        now_us: Callable[[], int],
        key: Path | None = None,
    ) -> None:
        self._registry, self._folder, self._now_us, self._key = registry, folder, now_us, key
        self._keys: Sequence[bytes] = ()
        self._rollouts: Sequence[Rollout] = ()
        self._shares: Mapping[int, frozenset[str]] = {}
        self._files: Mapping[bytes, str] = {}
        self._said: dict[str, list[pb.ModelBehaviour]] = {}
        self._lock = threading.Lock()
        self._take(registry.rollouts(), registry.gateway_names())

    def offers(self, gateway: str) -> pb.ModelOffers:
        """What this gateway is to run; from memory."""
        told = offers_for(gateway, self._rollouts, self._shares)
        told.keys.extend(self._keys)
        return told

    def read(self, sha256: bytes, offset: int, length: int) -> bytes:
        """Bytes of an offered package; blocks.

        Raises:
            OperatorError: it is of no rollout.
            StorageError: the shelf has it no more.
        """
        name = self._files.get(sha256)
        if name is None:
            raise OperatorError("read a package", "no rollout is of it", "")
        try:
            with (self._folder / name).open("rb") as file:
                file.seek(offset)
                return file.read(length)
        except OSError as error:
            hint = "put the file back on the shelf, or take the rollout back"
            cause = (error.strerror or str(error)).lower()
            log.error("the package %s cannot be read: %s (%s)", name, cause, hint)
            raise StorageError(f"read the package {name}", cause, hint) from error

    def reported(self, gateway: str, report: pb.ModelReport) -> None:
        """What a gateway runs now; kept until the next `look` writes it down."""
        kept = [_bounded(one) for one in report.models[:MODEL_REPORTS_MAX]]
        with self._lock:
            if gateway in self._said or len(self._said) < GATEWAYS_MAX:
                self._said[gateway] = kept

    def look(self) -> bool:
        """Write down what was heard, move what is due, and take up what people decided.

        Blocks. Says whether offers may have changed. StorageError when the registry cannot be used.
        """
        with self._lock:
            said, self._said = self._said, {}
        try:
            if said:
                self._registry.note_behaviours(said, self._now_us())
            rollouts = self._registry.rollouts()
            if any(one.is_under_way for one in rollouts):
                self._judge(rollouts, self._registry.behaviours())
                rollouts = self._registry.rollouts()
            return self._take(rollouts, self._registry.gateway_names())
        except StorageError:
            with self._lock:
                self._said = said | self._said  # what came since is newer
            raise

    def _judge(self, rollouts: Sequence[Rollout], heard: Sequence[Behaviour]) -> None:
        now_us = self._now_us()
        for one in rollouts:
            verdict = judged(one, heard, now_us)
            if verdict is None:
                continue
            moved = self._registry.move_rollout(one, verdict.stage, BY_ITSELF, verdict.why, now_us)
            if moved:
                told = (one.id, one.name, one.version, one.stage, verdict.stage, verdict.why)
                log.warning("rollout %d of %s %s goes from %s to %s: %s", *told)

    def _take(self, rollouts: Sequence[Rollout], gateways: Sequence[str]) -> bool:
        shares = {one.id: members(one, gateways) for one in rollouts if one.is_under_way}
        keys = self._signing()
        changed = (rollouts, shares, keys) != (self._rollouts, self._shares, self._keys)
        self._rollouts, self._shares, self._keys = rollouts, shares, keys
        self._files = {
            bytes.fromhex(one.sha256): f"{one.name}-{one.version}{SUFFIX}" for one in rollouts
        }
        return changed

    def _signing(self) -> Sequence[bytes]:
        """The public keys that gateways are told; none while this cloud has made none."""
        if self._key is None or not self._key.exists():
            return ()
        try:
            return (public_of(load_key(self._key)),)
        except PackageError as error:
            log.error("%s", error)
            return self._keys


def _bounded(told: pb.ModelBehaviour) -> pb.ModelBehaviour:
    """The same with words of a length and a form that can be shown."""
    made = pb.ModelBehaviour()
    made.CopyFrom(told)
    made.name = printable(told.name[:NAME_CHARS_MAX])
    made.version = printable(told.version[:NAME_CHARS_MAX])
    made.reason = printable(told.reason[:MODEL_REASON_BYTES_MAX])
    made.sha256 = told.sha256[:32]
    for name in _NUMBERS:
        value = getattr(told, name)
        is_told = math.isfinite(value) and value >= 0
        setattr(made, name, type(value)(min(value, COUNT_MAX)) if is_told else 0)
    return made
