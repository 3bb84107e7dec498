"""Operations replayed: what series are made of, and what is refused, by name."""

from itertools import count, pairwise

import pytest

from cloud.lake.names import Name
from cloud.series.joined import SEGMENTS_MAX, resolve
from cloud.series.operation import (
    BEGINNING,
    END,
    CannotApply,
    Operation,
    OperationKind,
    packed,
    unpacked,
)
from cloud.series.units import IDENTITY, Factor, conversion

A, B, C, D = (Name("gw", f"dev-{n}", "temp", "°C", "{}", 0, n) for n in range(1, 5))
F = Name("gw", "dev-1", "temp", "°F", "{}", 0, 5)
BARE = Name("gw", "dev-6", "temp", "", "{}", 0, 6)
METER = Name("gw", "dev-7", "total", "kWh", "{}", 1, 7)
_numbers = count(1)
KIND = OperationKind


def op(kind: OperationKind, series: Name | None = None, other: Name | None = None, **more):
    names = tuple(name for name in (series, other) if name is not None)
    between = (
        other.unit if other else series.unit if series else "",
        series.unit if series else "",
    )
    if kind is KIND.MEASURED:
        between = (more["unit"], series.unit)
    if kind is KIND.UNIT:
        between = (series.unit, more["unit"])
    ids = {"series": series.id if series else 0, "other": other.id if other else 0}
    identifier = f"{next(_numbers):016x}"
    return Operation(
        identifier, kind, 1, "ann", "", **({"between": between} | ids | more), names=names
    )


def made_of(resolver, series: Name):
    """Stored id, from, to; None for the beginning and the end."""
    return [
        (
            s.name.id,
            s.from_us if s.from_us > BEGINNING else None,
            s.to_us if s.to_us < END else None,
        )
        for s in resolver.of(series.id).segments
    ]


def refused(*operations: Operation) -> CannotApply:
    with pytest.raises(CannotApply) as caught:
        resolve(operations)
    assert caught.value.operation == operations[-1].id
    assert caught.value.hint
    return caught.value


def test_a_replaced_sensor_keeps_one_history_under_its_first_id():
    resolver = resolve([op(KIND.REPLACE, A, B, from_us=100)])
    assert made_of(resolver, A) == [(1, None, 100), (2, 100, None)]
    assert resolver.root(B.id) == A.id
    assert resolver.of(B.id) is resolver.of(A.id)


def test_a_chain_of_replacements_is_one_series_whoever_is_named():
    for named in (A, B):
        chain = [op(KIND.REPLACE, A, B, from_us=100), op(KIND.REPLACE, named, C, from_us=200)]
        assert made_of(resolve(chain), C) == [(1, None, 100), (2, 100, 200), (3, 200, None)]


def test_a_series_that_was_replaced_may_replace_another_with_its_successors():
    chain = [op(KIND.REPLACE, B, C, from_us=200), op(KIND.REPLACE, A, B, from_us=100)]
    assert made_of(resolve(chain), A) == [(1, None, 100), (2, 100, 200), (3, 200, None)]
    late = [op(KIND.REPLACE, B, C, from_us=200), op(KIND.REPLACE, A, B, from_us=300)]
    resolver = resolve(late)
    assert made_of(resolver, A) == [(1, None, 300), (3, 300, None)]
    assert resolver.root(B.id) == A.id  # part of it, though no reading of it is shown


def test_a_merge_has_the_readings_of_both():
    resolver = resolve([op(KIND.MERGE, A, B, from_us=10, to_us=20), op(KIND.MERGE, A, C)])
    assert made_of(resolver, A) == [(1, None, None), (3, None, None), (2, 10, 20)]


def test_a_name_may_be_changed_again_and_again():
    resolver = resolve([op(KIND.RENAME, A, device="x"), op(KIND.RENAME, A, metric="y")])
    name = resolver.of(A.id).name
    assert (name.device, name.metric, name.id) == ("x", "y", A.id)


def test_a_unit_is_shown_and_every_part_follows():
    resolver = resolve([op(KIND.REPLACE, A, F, from_us=9), op(KIND.UNIT, A, unit="K")])
    own, other = resolver.of(A.id).segments
    assert resolver.of(A.id).name.unit == "K"
    assert own.factor == Factor(1, own.factor.b)
    assert (float(other.factor.a), float(own.factor.b)) == (5 / 9, 273.15)


def test_what_was_joined_before_is_brought_to_the_new_unit_from_where_it_was():
    chain = [op(KIND.UNIT, F, unit="K"), op(KIND.MERGE, A, F)]
    for operations in (chain, [op(KIND.MERGE, F, B), op(KIND.REPLACE, A, F, from_us=9)]):
        resolver = resolve(operations)
        factors = {s.name.id: s.factor for s in resolver.of(A.id).segments}
        assert factors[F.id] == conversion("°F", "°C")
        assert factors.get(B.id, IDENTITY) == IDENTITY


def test_what_was_measured_in_another_unit_is_read_in_it_from_then_on():
    resolver = resolve([op(KIND.MEASURED, A, unit="°F", from_us=50, to_us=70)])
    assert made_of(resolver, A) == [(1, None, 50), (1, 50, 70), (1, 70, None)]
    assert [s.unit for s in resolver.of(A.id).segments] == ["°C", "°F", "°C"]
    assert resolver.of(A.id).name.unit == "°C"


def test_a_series_without_a_unit_gets_one_only_as_a_whole():
    assert resolve([op(KIND.MEASURED, BARE, unit="°C")]).of(BARE.id).name.unit == "°C"
    assert "a part of it alone" in refused(op(KIND.MEASURED, BARE, unit="°C", from_us=1)).cause


@pytest.mark.parametrize(
    ("operations", "said"),
    [
        ([op(KIND.MERGE, A, A)], "one series already"),
        ([op(KIND.REPLACE, A, B, from_us=1), op(KIND.REPLACE, B, A, from_us=2)], "one series"),
        ([op(KIND.MERGE, A, B), op(KIND.MERGE, B, C), op(KIND.MERGE, C, A)], "one series already"),
        (
            [op(KIND.REPLACE, A, B, from_us=9), op(KIND.REPLACE, A, C, from_us=9)],
            "a stretch of its own since 9",
        ),
        (
            [op(KIND.REPLACE, A, B, from_us=9), op(KIND.REPLACE, A, C, from_us=5)],
            "a stretch of its own since 9",
        ),
        ([op(KIND.REPLACE, A, B)], "since the beginning"),
        ([op(KIND.MERGE, A, METER)], "different kinds"),
        ([op(KIND.MERGE, A, BARE)], "no unit and °C"),
        ([op(KIND.UNIT, A, unit="%")], "°C and % are not known"),
        ([op(KIND.UNIT, A, unit="°C")], "in that unit already"),
        ([op(KIND.MEASURED, A, unit="°C")], "read already"),
        ([op(KIND.RENAME, A, device="dev-1")], "called dev-1/temp"),
        ([op(KIND.RETIRE, A), op(KIND.RETIRE, A)], "is retired"),
        ([op(KIND.RETIRE, A), op(KIND.REPLACE, A, B, from_us=1)], "is retired"),
        ([op(KIND.RETIRE, B), op(KIND.REPLACE, A, B, from_us=1)], "is retired"),
        (
            [op(KIND.REPLACE, B, C, from_us=5), op(KIND.MERGE, A, D, from_us=0, to_us=1),
             op(KIND.MERGE, A, D)],
            "one series already",
        ),
        ([op(KIND.UNDO, target="f" * 16)], "no operation"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_cause(operations, said):
    assert said in refused(*operations).cause


def test_an_undone_operation_counts_no_more_and_an_undone_undo_lets_it_count_again():
    first = op(KIND.REPLACE, A, B, from_us=9)
    undo = op(KIND.UNDO, target=first.id)
    assert resolve([first, undo]).joined == {}
    again = op(KIND.UNDO, target=undo.id)
    assert made_of(resolve([first, undo, again]), B) == [(1, None, 9), (2, 9, None)]
    assert "undone already" in refused(first, undo, op(KIND.UNDO, target=first.id)).cause


def test_the_operators_factor_is_for_its_units_and_follows_the_table_from_there():
    given = op(KIND.MERGE, A, BARE, factor=Factor(2, 1))
    shown = op(KIND.UNIT, A, unit="°F")
    assert resolve([given]).of(A.id).segments[1].factor == Factor(2, 1)
    factor = resolve([shown, given]).of(A.id).segments[1].factor
    assert factor == Factor(2, 1).then(conversion("°C", "°F"))


def test_stretches_and_digits_are_bounded():
    cuts = [
        op(KIND.MEASURED, A, unit="°F", from_us=10 * n, to_us=10 * n + 5)
        for n in range(SEGMENTS_MAX // 2)
    ]
    assert len(resolve(cuts[:-1]).of(A.id).segments) == SEGMENTS_MAX - 1
    assert "too many stored series or stretches" in refused(*cuts).cause
    fine = Factor(10**15 + 1, 0)
    units = ["°C", *(f"u{n}" for n in range(30))]
    steps = [
        op(KIND.UNIT, A, unit=to, factor=fine, between=(unit, to)) for unit, to in pairwise(units)
    ]
    with pytest.raises(CannotApply, match="too long"):
        resolve(steps)


def test_an_operation_comes_back_from_the_registry_as_it_went_in():
    for each in (
        op(KIND.REPLACE, A, F, from_us=9, factor=Factor(2, 1)),
        op(KIND.RENAME, A, device="é"),
        op(KIND.UNDO, target="0" * 16),
    ):
        told = unpacked(packed(each))
        head = {"id": each.id, "kind": each.kind, "created_us": 1, "author": "ann", "note": ""}
        assert Operation(**head, **told) == each
