"""All operations on series and what they make, held by the process that writes them.

Questions are asked of the newest `Resolver` and keep it to their end. What is written is in the
store before it is seen.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from cloud.errors import StorageError
from cloud.series.joined import Resolver, applied, resolve, undone_of
from cloud.series.operation import CannotApply, Operation, OperationKind

OPERATIONS_MAX: Final = 20_000
"""Operations that one cloud keeps, undone ones too: a start and each undo replay them all."""


class Store(Protocol):
    """Where operations are durable: `cloud.registry.registry.Registry`."""

    def operations(self) -> list[Operation]:
        """Every operation, in the order they were made."""

    def add_operation(self, operation: Operation) -> None:
        """Keep a new operation, durably."""


class OperationTaken(Exception):  # noqa: N818 - the caller's fault
    """An operation of this id says something else; the argument is the id."""


class TooManyOperations(Exception):  # noqa: N818 - a state
    """OPERATIONS_MAX are there."""


class Operations:
    """All operations; any thread may call. StorageError where the store fails: nothing changed."""

    def __init__(self, store: Store) -> None:
        """Begin with what the store holds. StorageError when that cannot be replayed."""
        self._store = store
        self._lock = threading.Lock()
        self._all = tuple(store.operations())
        try:
            self._resolver = resolve(self._all)
        except CannotApply as error:
            tried = f"replay the operations on series, {error.operation}"
            raise StorageError(tried, error.cause, "restore the registry's backup") from error
        self._undone = undone_of(self._all)
        self._told: tuple[Callable[[], None], ...] = ()

    @property
    def resolver(self) -> Resolver:
        """What the operations make now; never changed, but another after each operation."""
        return self._resolver

    def all(self) -> tuple[Sequence[Operation], frozenset[str]]:
        """Every operation in its order, and the ids of those that were undone."""
        with self._lock:
            return self._all, self._undone

    def when_changed(self, tell: Callable[[], None]) -> None:
        """Call back after each operation."""
        self._told = (*self._told, tell)

    def checked(self, operation: Operation) -> Resolver:
        """What the operation would make. CannotApply, OperationTaken, TooManyOperations."""
        with self._lock:
            return self._with(operation)[1]

    def add(self, operation: Operation) -> Operation:
        """Keep an operation, and let it hold; a repeated one is not kept twice. As `checked`."""
        with self._lock:
            kept, resolver = self._with(operation)
            if kept is not operation:
                return kept
            is_undo = operation.kind is OperationKind.UNDO
            undone = undone_of((*self._all, operation)) if is_undo else self._undone
            self._store.add_operation(operation)
            self._all = (*self._all, operation)
            self._resolver, self._undone = resolver, undone
        for tell in self._told:
            tell()
        return operation

    def _with(self, operation: Operation) -> tuple[Operation, Resolver]:
        for before in self._all:
            if before.id == operation.id:
                if before.says_as(operation):
                    return before, self._resolver
                raise OperationTaken(operation.id)
        if len(self._all) >= OPERATIONS_MAX:
            raise TooManyOperations
        if operation.kind is OperationKind.UNDO:
            return operation, _replayed(self._all, operation)
        return operation, applied(self._resolver, operation)


def _replayed(before: Sequence[Operation], new: Operation) -> Resolver:
    """What is left after an undo. CannotApply tells what of the later ones rests on the undone."""
    try:
        return resolve((*before, new))
    except CannotApply as error:
        if error.operation == new.id:
            raise
        cause = f"{error.operation} rests on {new.target}: without it, {error.cause}"
        raise CannotApply(cause, f"undo {error.operation} first", new.id) from error
