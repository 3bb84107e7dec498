"""Queries are read as PromQL reads them; what is not supported is refused by name and place."""

import pytest

from cloud.promql.matchers import PATTERN_CHARS_MAX, BadPattern, Matcher, Operator
from cloud.promql.parser import DEPTH_MAX, OPERATORS_MAX, parse, parse_selector
from cloud.promql.refused import BadQuery
from cloud.promql.tree import Aggregation, Binary, Call, Negation, Number, Selector
from cloud.promql.words import QUERY_CHARS_MAX, duration_us

MINUTE_US = 60_000_000


def bracketed(text: str) -> str:
    """How operators bind, told by brackets."""

    def told(node) -> str:
        match node:
            case Binary():
                return f"({told(node.left)}{node.operator}{told(node.right)})"
            case Negation():
                return f"-{told(node.of)}"
            case Number():
                return f"{node.value:g}"
            case _:
                return "x"

    return told(parse(text))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1 + 2 * 3", "(1+(2*3))"),
        ("1 - 2 - 3", "((1-2)-3)"),
        ("2 ^ 3 ^ 2", "(2^(3^2))"),
        ("-2 ^ 2", "-(2^2)"),
        ("2 * -3", "(2*-3)"),
        ("-2 * 3", "(-2*3)"),
        ("x > 1 + 2", "(x>(1+2))"),
        ("x * 2 > 3 < 4", "(((x*2)>3)<4)"),
        ("(1 + 2) * 3 # what is behind it is a remark", "((1+2)*3)"),
        ("0x1F + .5 + 1e3 + Inf", "(((31+0.5)+1000)+inf)"),
        ("+x", "x"),
    ],
)
def test_operators_bind_as_in_promql(text: str, wanted: str) -> None:
    assert bracketed(text) == wanted


def test_a_selector_has_its_matchers_range_and_offset() -> None:
    node = parse('rate(energy{device=~\'p.*\', room!="a\\"b\\u00e9", x=`\\d`,}[1h30m] offset -5m)')
    assert isinstance(node, Call)
    assert [(m.label, m.operator.value, m.value) for m in node.of.matchers] == [
        ("__name__", "=", "energy"),
        ("device", "=~", "p.*"),
        ("room", "!=", 'a"bé'),
        ("x", "=", "\\d"),
    ]
    assert (node.of.width_us, node.of.offset_us) == (90 * MINUTE_US, -5 * MINUTE_US)


@pytest.mark.parametrize(
    "text",
    ["sum by (a, b) (x)", "sum(x) by (a, b)", "SUM BY (a,b,) (x)"],
)
def test_a_grouping_stands_before_or_behind(text: str) -> None:
    node = parse(text)
    assert isinstance(node, Aggregation)
    assert (node.operator, node.labels, node.is_without) == ("sum", ("a", "b"), False)


def test_a_series_may_be_called_like_a_function_or_a_keyword() -> None:
    for name in ("sum", "rate", "bool", "by", "offset_x"):
        node = parse(name)
        assert isinstance(node, Selector)
        assert node.matchers[0].value == name


@pytest.mark.parametrize(
    ("text", "place", "named", "instead"),
    [
        ("topk(3, x)", "1:1", "topk()", "max"),
        ("1 + irate(x[5m])", "1:5", "irate()", "rate"),
        ("avg_over_tim(x[5m])", "1:1", "avg_over_tim()", "avg_over_time"),
        ("quantile_over_time(0.9, x[5m])", "1:1", "quantile_over_time()", "max_over_time"),
        ("xyzzy(x)", "1:1", "xyzzy()", "avg_over_time, "),
        ("sum(x) /\nsum(y)", "1:8", "an operator between two vectors", "a query of its own"),
        ("x\n  and y", "2:3", "and", "a query of its own"),
        ("x unless y", "1:3", "unless", "a query of its own"),
        ("x * on (a) 3", "1:5", "an operator between two vectors", "a query of its own"),
        ("avg_over_time(x[1h:5m])", "1:19", "a subquery", "a range of a selector"),
        ("x @ 1700000000", "1:3", "`@`", "time"),
        ('"text"', "1:1", "a string", "a number"),
    ],
)
def test_what_is_not_supported_is_refused_by_name_with_its_place_and_what_is_nearest(
    text: str, place: str, named: str, instead: str
) -> None:
    with pytest.raises(BadQuery) as error:
        parse(text)
    told = str(error.value)
    assert told.startswith(f"{place}: parse error: {named} is not supported here; "), told
    assert instead in told.partition("not supported here")[2], told


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("", "1:1", "unexpected the end"),
        ("x{", "1:3", "unexpected the end, expected the name of a label"),
        ("x{a}", "1:4", "unexpected '}', expected =, !=, =~ or !~"),
        ("x{a=1}", "1:5", "expected a string in quotes"),
        ('x{a="b', "1:5", "a string without an end"),
        ('x{a="\\q"}', "1:6", "an escape"),
        ('x{a="\\ud800"}', "1:6", "an escape"),
        ('x{__name__="y"}', "1:3", "set twice"),
        ('{a=~".*"}', "1:1", "must have a matcher"),
        ("{}", "1:1", "must have a matcher"),
        ('x{a=~"("}', "1:6", "missing )"),
        ('x{a=~"a)(b"}', "1:6", "unexpected )"),
        ('x{a=~"(?=b)"}', "1:6", "invalid perl operator"),
        ("x[5]", "1:3", "expected a duration behind `[`, as 5m"),
        ("x[0s]", "1:2", "longer than 0"),
        ("x[5m", "1:5", "expected `]` behind the range"),
        ("x[1m5h]", "1:3", "no duration"),
        ("x[900y]", "1:3", "no duration: at most 100y"),
        ("(x)[5m] offset", "1:15", "expected a duration behind `offset`"),
        ("x offset 5m [5m]", "1:13", "a range stands before `offset`"),
        ("sum(x)[5m]", "1:7", "a range stands behind a selector"),
        ("sum(x) offset 5m", "1:8", "behind a selector"),
        ("rate(x)", "1:6", "rate() takes a range, as `rate(temperature[5m])`, not an instant"),
        ("sum(x[5m])", "1:5", "sum takes an instant vector, not a range vector"),
        ("sum(1)", "1:5", "sum takes an instant vector, not a scalar"),
        ("-x[5m]", "1:1", "takes a number or an instant vector"),
        ("x[5m] + 1", "1:7", "not a range vector"),
        ("1 == 1", "1:3", "BOOL modifier"),
        ("x + bool 1", "1:5", "for comparisons alone"),
        ("1 2", "1:3", "expected an operator or the end"),
        ("x ? 2", "1:3", "unexpected '? 2'"),
        ("5m", "1:1", "expected a number"),
        ("sum by (1) (x)", "1:9", "the name of a label"),
        ("sum by (a b) (x)", "1:11", "expected `)` or `,`"),
    ],
)
def test_what_is_no_promql_is_refused_with_its_place(text: str, place: str, why: str) -> None:
    with pytest.raises(BadQuery) as error:
        parse(text)
    assert str(error.value).startswith(f"{place}: parse error: "), error.value
    assert why in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "x" * (QUERY_CHARS_MAX + 1),
        "(" * DEPTH_MAX + "1" + ")" * DEPTH_MAX,
        "-" * DEPTH_MAX + "1",
        "+".join(["1"] * (OPERATORS_MAX + 2)),
        "sum(" * DEPTH_MAX + "x" + ")" * DEPTH_MAX,
        "x{" + ",".join(['a="b"'] * 51) + "}",
        'x{a=~"' + "b" * (PATTERN_CHARS_MAX + 1) + '"}',
    ],
)
def test_a_query_beyond_a_bound_is_refused(text: str) -> None:
    with pytest.raises(BadQuery):
        parse(text)


def test_a_query_at_its_bounds_is_read() -> None:
    deep = DEPTH_MAX - 1
    assert bracketed("(" * deep + "1" + ")" * deep) == "1"
    assert bracketed("+".join(["1"] * (OPERATORS_MAX + 1))).count("+") == OPERATORS_MAX


def test_a_bare_selector_is_one_and_nothing_else() -> None:
    assert [m.value for m in parse_selector('{__name__="up",a="b"}')] == ["up", "b"]
    for text in ("x[5m]", "x offset 5m", "sum(x)", "1"):
        with pytest.raises(BadQuery, match="a selector alone"):
            parse_selector(text)


@pytest.mark.parametrize(
    ("operator", "value", "wanted"),
    [
        (Operator.EQUAL, "ab", [True, False, False]),
        (Operator.UNEQUAL, "ab", [False, True, True]),
        (Operator.MATCHES, "a|b", [False, False, False]),
        (Operator.MATCHES, "a.", [True, True, False]),
        (Operator.MATCHES, "a.|", [True, True, True]),
        (Operator.DIFFERS, "a.", [False, False, True]),
    ],
)
def test_a_pattern_is_held_against_the_whole_of_a_value(operator, value, wanted) -> None:
    assert Matcher("x", operator, value).accepts(["ab", "a\n", ""]).tolist() == wanted


def test_a_pattern_takes_time_in_proportion_whatever_it_says() -> None:
    # For a second only, a matcher that goes back would go through 2^30 ways here.
    assert not Matcher("x", Operator.MATCHES, "(a+)+").accepts(["a" * 30_000 + "b"] * 20).any()


def test_a_pattern_that_is_none_is_refused() -> None:
    for pattern in ("(", "[a", "a{2000}", "\\1", "(?<=a)b", "\\Qa", "\ud800"):
        with pytest.raises(BadPattern):
            Matcher("x", Operator.MATCHES, pattern)


@pytest.mark.parametrize("text", ["", "5", "m", "5x", "1m5h", "-5m", "5 m", "1" * 200 + "s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        duration_us(text)


def test_durations_are_as_prometheus_writes_them() -> None:
    assert duration_us("1h30m") == 90 * MINUTE_US
    assert duration_us("1y2w3d") == (365 + 14 + 3) * 1440 * MINUTE_US
    assert duration_us("250ms") == 250_000
    assert duration_us("2m250ms") == 2 * MINUTE_US + 250_000
