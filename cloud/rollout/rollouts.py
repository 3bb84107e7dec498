"""What people do with rollouts: publish a model, roll it out, have it go on, take it back.

The registry's file is where they meet gateways: the command line and the API write there, and the
process that gateways talk with looks there (`cloud.rollout.desk`). Each step is one transaction
with its row of the audit.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from cloud.errors import OperatorError
from cloud.registry.rollouts import PublishedRow, RolloutRows
from cloud.rollout.plan import NEXT, Rollout, Stage
from protos.model import PackageError, read_package, verify, version_order

ROLLOUTS_MAX: Final = 10_000
PUBLISHED_MAX: Final = 1_000
NOTE_CHARS_MAX: Final = 2_000
HOUR_US: Final = 3_600_000_000
HOLD_US: Final = 24 * HOUR_US
TRIAL_US: Final = HOUR_US
SHARE: Final = 0.1


class Packages(Protocol):
    """What is needed of `cloud.models.shelf.Shelf`."""

    def get(self, name: str, version: str) -> bytes:
        """The package; OperatorError when there is none."""


class UnknownRolloutError(OperatorError):
    """There is no such rollout, or no such model."""


class RolloutConflictError(OperatorError):
    """What stands does not allow it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A rollout as somebody asks for it; ``version`` empty: the highest that was published."""

    name: str
    version: str = ""
    share: float = SHARE
    stage: Stage = Stage.SHADOW
    is_auto: bool = False
    hold_us: int = HOLD_US
    trial_us: int = TRIAL_US
    downgrade: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rollouts:
    """The rollouts of one cloud; every method blocks, and may be called from any thread."""

    registry: RolloutRows
    shelf: Packages
    now_us: Callable[[], int]

    def publish(self, name: str, version: str, by: str) -> PublishedRow:
        """Let a model of the shelf be rolled out; again is harmless.

        Raises:
            OperatorError: it is not there, or its package is not whole and signed.
        """
        from hashlib import sha256

        data = self.shelf.get(name, version)
        tried = f"publish the model {name} {version}"
        try:
            package = read_package(data)
            verify(package, [package.signer])
        except PackageError as error:
            raise OperatorError(tried, error.why, error.hint) from error
        manifest = package.manifest
        row = PublishedRow(
            sha256(data).hexdigest(), manifest.name, manifest.version, len(data), self.now_us(), by,
            manifest.about,
        )  # fmt: skip
        rows = self.registry.published()
        for one in rows:
            if (one.name, one.version) == (row.name, row.version) and one.sha256 != row.sha256:
                cause = "another package of that name and version was published"
                raise RolloutConflictError(tried, cause, "give it a new version")
        if len(rows) >= PUBLISHED_MAX and row.sha256 not in {one.sha256 for one in rows}:
            raise RolloutConflictError(tried, f"{PUBLISHED_MAX} models were published", "")
        self.registry.publish(row)
        return row

    def begin(self, wish: Wish, by: str) -> Rollout:
        """Begin to roll a published model out.

        Raises:
            UnknownRolloutError: it was not published.
            RolloutConflictError: another of its name is under way, or a later version was done.
        """
        tried = f"roll out the model {wish.name} {wish.version}".rstrip()
        row = self._published(tried, wish.name, wish.version)
        with self.registry.transaction():
            rollouts = self.registry.rollouts()
            self._require_room(tried, wish, row, rollouts)
            now_us = self.now_us()
            made = Rollout(
                0, row.name, row.version, row.sha256, row.size, wish.stage, wish.share,
                wish.is_auto, wish.hold_us, wish.trial_us, wish.downgrade, now_us, by,
                wish.note[:NOTE_CHARS_MAX], now_us, by,
            )  # fmt: skip
            return replace(made, id=self.registry.add_rollout(made))

    def advance(self, which: str, by: str) -> Rollout:
        """Take a rollout (its id, or the name of its model) to its next stage.

        Raises:
            UnknownRolloutError, RolloutConflictError: there is none, or it is not under way.
        """
        with self.registry.transaction():
            one = self._found(f"advance the rollout {which}", which)
            if not one.is_under_way:
                cause, hint = f"it is {_said(one)}", "begin another"
                raise RolloutConflictError(f"advance the rollout {which}", cause, hint)
            return self._move(one, NEXT[one.stage], by, "")

    def back(self, which: str, by: str, why: str) -> Rollout:
        """Take a rollout back, wherever it is: its gateways go back to the good one before it.

        Raises:
            UnknownRolloutError, RolloutConflictError: there is none, or it was taken back.
        """
        with self.registry.transaction():
            one = self._found(f"take back the rollout {which}", which)
            if one.stage is Stage.BACK:
                cause = "it was taken back before"
                raise RolloutConflictError(f"take back the rollout {which}", cause, "")
            return self._move(one, Stage.BACK, by, why[:NOTE_CHARS_MAX])

    def _move(self, one: Rollout, stage: Stage, by: str, why: str) -> Rollout:
        now_us = self.now_us()
        self.registry.move_rollout(one, stage, by, why, now_us)
        return replace(one, stage=stage, stage_us=now_us, changed_by=by, why=why)

    def _found(self, tried: str, which: str) -> Rollout:
        """The rollout of an id; or of a model's name, the one under way, else the newest."""
        rollouts = self.registry.rollouts()
        by_name = [one for one in rollouts if one.name == which]
        matched = [one for one in rollouts if str(one.id) == which] or [
            one for one in by_name if one.is_under_way
        ]
        matched = matched or [one for one in by_name if one.stage is Stage.DONE][-1:]
        matched = matched or by_name[-1:]
        if matched:
            return matched[-1]
        near = difflib.get_close_matches(which, {one.name for one in rollouts}, 1, 0.4)
        hint = f"did you mean {near[0]}?" if near else "`model rollout` begins one"
        raise UnknownRolloutError(tried, "there is none of that id or model", hint)

    def _published(self, tried: str, name: str, version: str) -> PublishedRow:
        rows = self.registry.published()
        mine = [one for one in rows if one.name == name]
        found = [one for one in mine if version in ("", one.version)]
        if found:
            return max(found, key=lambda one: version_order(one.version))
        if mine:
            hint = f"published are {', '.join(sorted(one.version for one in mine))}"
        else:
            near = difflib.get_close_matches(name, {one.name for one in rows}, 1, 0.4)
            hint = f"did you mean {near[0]}?" if near else "`model publish` publishes one"
        raise UnknownRolloutError(tried, "it was not published", hint)

    def _require_room(
        self, tried: str, wish: Wish, row: PublishedRow, rollouts: list[Rollout]
    ) -> None:
        of_name = [one for one in rollouts if one.name == row.name]
        for one in of_name:
            if one.is_under_way:
                cause = f"rollout {one.id} of {one.version} is {_said(one)}"
                hint = f"`model rollout {one.id} --advance`, or `model rollback {one.id}` first"
                raise RolloutConflictError(tried, cause, hint)
        done = [one for one in of_name if one.stage is Stage.DONE]
        if done and not wish.downgrade:
            if version_order(row.version) < version_order(done[-1].version):
                cause = f"{done[-1].version} is in service, which is later"
                raise RolloutConflictError(tried, cause, "ask for the downgrade: --downgrade")
            if row.sha256 == done[-1].sha256:
                cause = f"rollout {done[-1].id} of the same package is done"
                raise RolloutConflictError(tried, cause, "publish another version")
        if len(rollouts) >= ROLLOUTS_MAX:
            raise RolloutConflictError(tried, f"there are {ROLLOUTS_MAX} rollouts", "")


def _said(one: Rollout) -> str:
    return {Stage.DONE: "done", Stage.BACK: "taken back"}.get(one.stage, f"in {one.stage}")
