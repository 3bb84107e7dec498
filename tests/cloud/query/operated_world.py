"""A lake of four devices, each of a unit, and any operations on their series."""

from collections.abc import Sequence

from hypothesis import strategies as st

from cloud.lake.names import Name
from cloud.series.joined import Resolver, resolve
from cloud.series.operation import CannotApply, Operation, OperationKind
from tests.cloud.joined_model import DEVICES, KIND
from tests.cloud.lake_world import T0
from tests.cloud.query_world import World


def operations(
    time: st.SearchStrategy, units: Sequence[str], devices: int = 4
) -> st.SearchStrategy:
    """What `operation_of` is called with; many of them cannot be applied."""
    number, unit = st.integers(0, devices - 1), st.sampled_from(units)
    return st.one_of(
        st.tuples(st.just(KIND.REPLACE), number, number, time),
        st.tuples(
            st.just(KIND.MERGE),
            number,
            number,
            st.one_of(st.none(), time),
            st.one_of(st.none(), time),
        ),
        st.tuples(st.just(KIND.UNIT), number, unit),
        st.tuples(st.just(KIND.MEASURED), number, unit, time),
        st.tuples(st.just(KIND.RENAME), number, st.integers(0, 9)),
        st.tuples(st.just(KIND.RETIRE), number, time),
        st.tuples(st.just(KIND.UNDO), st.integers(0, 9)),
    )


def operation_of(
    before: Sequence[Operation], names: Sequence[Name], kind: OperationKind, *more
) -> Operation:
    """The next operation, on the series of these names by their numbers."""
    identifier = f"{len(before):016x}"
    if kind is KIND.UNDO:
        target = before[more[0]].id if more[0] < len(before) else "none"
        return Operation(identifier, kind, 1, "ann", "", target=target)
    named = [names[more[0]]]
    said = {"series": named[0].id}
    if kind in (KIND.REPLACE, KIND.MERGE):
        named.append(names[more[1]])
        said["other"] = named[1].id
        said |= {"from_us": more[2]} if more[2] is not None else {}
        said |= {"to_us": more[3]} if kind is KIND.MERGE and more[3] is not None else {}
    elif kind is KIND.RETIRE:
        said["from_us"] = more[1]
    elif kind is KIND.RENAME:
        said["device"] = f"name {more[1]}"
    else:
        said["unit"] = more[1]
        said |= {"from_us": more[2]} if kind is KIND.MEASURED else {}
    return Operation(identifier, kind, 1, "ann", "", **said, names=tuple(named))


class Operated(World):
    """A world with four devices, each of a unit, and the operations so far."""

    def __init__(self, root, devices: Sequence[str] = DEVICES) -> None:
        super().__init__(root)
        self.devices = devices
        self.operations: list[Operation] = []
        self.resolver = Resolver()
        for name in devices:
            self.send(name, [(T0, 1.0)])
        self.follow()
        self.names = {name: self.live.book.name(self.id(name)) for name in devices}

    def send(self, device, rows) -> None:
        self.sent[device] += rows
        ts, values = [row[0] for row in rows], [row[1] for row in rows]
        of = self.gateway.series
        self.gateway.series = lambda name: of(name, unit=name.split()[1])
        self.gateway.send(self.gateway.numbers(device, ts, values))
        self.gateway.series = of

    def operate(self, kind: OperationKind, *more) -> None:
        names = [self.names[device] for device in self.devices]
        made = operation_of(self.operations, names, kind, *more)
        try:
            self.resolver = resolve([*self.operations, made])
        except CannotApply:
            return
        self.operations.append(made)
