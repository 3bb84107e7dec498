"""Pure: a query read into a tree. What is not supported is refused by name, with its place."""

from collections.abc import Callable
from typing import Final

from cloud.promql import refused
from cloud.promql.cursor import Cursor
from cloud.promql.labels import LABEL, METRIC, NAME
from cloud.promql.matchers import BadPattern, Matcher, Operator
from cloud.promql.refused import BadQuery
from cloud.promql.tree import (
    AGGREGATIONS,
    ARITHMETIC,
    COMPARISONS,
    FUNCTIONS,
    Aggregation,
    Binary,
    Call,
    Kind,
    Negation,
    Node,
    Number,
    Selector,
    kind_of,
)
from cloud.promql.words import Token, Word, number_of

DEPTH_MAX: Final = 50
"""Brackets, signs and operators within each other."""
OPERATORS_MAX: Final = 100
MATCHERS_MAX: Final = 50
_BINDS: Final = {
    **dict.fromkeys(("or", "and", "unless"), 0),
    **dict.fromkeys(COMPARISONS, 1),
    "+": 2, "-": 2, "*": 3, "/": 3, "%": 3, "^": 5,
}  # fmt: skip
"""How strongly operators bind; a minus before something does so between `*` and `^`."""
_MINUS: Final = 4
_SPECIAL: Final = {"inf": float("inf"), "nan": float("nan")}


def parse(text: str) -> Node:
    """The tree of a query. BadQuery."""
    reading = _Parser(text)
    node = reading.expression(0)
    reading.end()
    return node


def parse_selector(text: str) -> tuple[Matcher, ...]:
    """The matchers of a bare selector, as `match[]` has them. BadQuery."""
    node = parse(text)
    if not isinstance(node, Selector) or node.width_us or node.offset_us:
        raise BadQuery(text, 0, 'parse error: expected a selector alone, as up{device="pump"}')
    return node.matchers


class _Parser(Cursor):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._operators = 0

    def end(self) -> None:
        """BadQuery when a word is left."""
        if self.next.word is not Word.END:
            raise self.unexpected("an operator or the end")

    def expression(self, binds: int) -> Node:
        """What stands here, as far as operators bind at least so strongly."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self.bad(self.next, f"more than {DEPTH_MAX} expressions within each other")
        left = self._unary()
        while (operator := self.next).word in (Word.SIGN, Word.NAME):
            strength = _BINDS.get(operator.text.lower(), -1)
            if strength < binds:
                break
            self.take()
            self._operators += 1
            if self._operators > OPERATORS_MAX:
                raise self.bad(operator, f"more than {OPERATORS_MAX} operators")
            if not strength:
                instead = "ask for each side by a query of its own"
                raise refused.unsupported(self.text, operator.at, operator.text, instead)
            is_bool = self._bool(operator)
            right = self.expression(strength if operator.text == "^" else strength + 1)
            left = self._binary(operator, left, right, is_bool)
        self._depth -= 1
        return left

    def _bool(self, operator: Token) -> bool:
        is_bool = self.is_name("bool")
        if is_bool and operator.text not in COMPARISONS:
            raise self.bad(self.next, "`bool` is for comparisons alone")
        if is_bool:
            self.take()
        if self.is_name("on", "ignoring", "group_left", "group_right"):
            raise self._two_vectors(self.next)
        return is_bool

    def _two_vectors(self, token: Token) -> BadQuery:
        instead = "one side must be a number; ask for each side by a query of its own"
        return refused.unsupported(self.text, token.at, "an operator between two vectors", instead)

    def _binary(self, operator: Token, left: Node, right: Node, is_bool: bool) -> Node:
        kinds = kind_of(left), kind_of(right)
        if Kind.RANGE in kinds:
            message = f"`{operator.text}` takes numbers and instant vectors, not a range vector"
            raise self.bad(operator, message)
        if kinds == (Kind.VECTOR, Kind.VECTOR):
            raise self._two_vectors(operator)
        if kinds == (Kind.SCALAR, Kind.SCALAR) and operator.text in COMPARISONS and not is_bool:
            raise self.bad(operator, "comparisons between scalars must use BOOL modifier")
        assert operator.text in ARITHMETIC | COMPARISONS
        return Binary(operator.text, left, right, is_bool, operator.at)

    def _unary(self) -> Node:
        if not self.is_sign("+", "-"):
            return self._postfix(self._primary())
        sign = self.take()
        of = self.expression(_MINUS)
        if kind_of(of) is Kind.RANGE:
            raise self.bad(sign, f"`{sign.text}` takes a number or an instant vector")
        return Negation(of, sign.at) if sign.text == "-" else of

    def _primary(self) -> Node:
        token = self.next
        match token.word:
            case Word.NUMBER:
                self.take()
                return Number(number_of(token.text), token.at)
            case Word.NAME if token.text.lower() in _SPECIAL:
                self.take()
                return Number(_SPECIAL[token.text.lower()], token.at)
            case Word.NAME:
                return self._named(self.take())
            case Word.TEXT:
                raise refused.unsupported(self.text, token.at, "a string", "write a number")
        if self.is_sign("{"):
            return self._selector(None, token.at)
        if not self.is_sign("("):
            raise self.unexpected("a number, a series, a function or `(`")
        self.take()
        inside = self.expression(0)
        self.expect(")", "at its end")
        return inside

    def _named(self, token: Token) -> Node:
        name, is_call = token.text, self.is_sign("(")
        if name.lower() in AGGREGATIONS and (is_call or self.is_name("by", "without")):
            return self._aggregation(token)
        if not is_call:
            return self._selector(name, token.at)
        if name not in FUNCTIONS:
            raise refused.unknown_function(self.text, token.at, name)
        self.take()
        start = self.next
        of = self.expression(0)
        if not isinstance(of, Selector) or not of.width_us:
            message = f"{name}() takes a range, as `{name}(temperature[5m])`, not {_told(of)}"
            raise self.bad(start, message)
        self.expect(")", f"behind what {name}() is of")
        return Call(name, of, token.at)

    def _aggregation(self, token: Token) -> Node:
        labels = self._grouping()
        self.expect("(", f"behind {token.text}")
        start = self.next
        of = self.expression(0)
        if kind_of(of) is not Kind.VECTOR:
            raise self.bad(start, f"{token.text} takes an instant vector, not {_told(of)}")
        self.expect(")", f"behind what {token.text} is of")
        labels = labels or self._grouping() or ((), False)
        return Aggregation(token.text.lower(), of, *labels, token.at)

    def _grouping(self) -> tuple[tuple[str, ...], bool] | None:
        if not self.is_name("by", "without"):
            return None
        is_without = self.take().text.lower() == "without"
        self.expect("(", "before names of labels")
        return tuple(self._list(")", self._label)), is_without

    def _list(self, closing: str, one: Callable[[], str]) -> list[str]:
        found: list[str] = []
        while not self.is_sign(closing):
            found.append(one())
            if not self.is_sign(","):
                break
            self.take()
        self.expect(closing, "or `,`")
        return found

    def _label(self) -> str:
        token = self.next
        if token.word is not Word.NAME or not LABEL.fullmatch(token.text):
            raise self.unexpected("the name of a label")
        return self.take().text

    def _selector(self, name: str | None, at: int) -> Selector:
        matchers: list[Matcher] = []
        if name is not None:
            if not METRIC.fullmatch(name):
                raise BadQuery(self.text, at, f"parse error: {name[:40]!r} is no name of a metric")
            matchers.append(Matcher(NAME, Operator.EQUAL, name))
        if self.is_sign("{"):
            self.take()
            self._list("}", lambda: self._matcher(matchers, name))
        if all(each.takes_empty for each in matchers):
            message = "a selector must have a matcher that an empty label does not fulfil"
            raise BadQuery(self.text, at, f'parse error: {message}, as device="pump"')
        return Selector(tuple(matchers), 0, 0, at)

    def _matcher(self, matchers: list[Matcher], name: str | None) -> str:
        token, label = self.next, self._label()
        if label == NAME and name is not None:
            raise self.bad(token, f"the metric's name is set twice: {name[:40]!r} before")
        if len(matchers) == MATCHERS_MAX:
            raise self.bad(token, f"more than {MATCHERS_MAX} matchers")
        if not self.is_sign(*(each.value for each in Operator)):
            raise self.unexpected("=, !=, =~ or !~")
        operator = Operator(self.take().text)
        value = self.next
        if value.word is not Word.TEXT:
            raise self.unexpected("a string in quotes")
        self.take()
        try:
            matchers.append(Matcher(label, operator, value.text))
        except BadPattern as error:
            raise self.bad(value, f"{error}") from None
        return label

    def _postfix(self, node: Node) -> Node:
        """A range and an offset behind a selector."""
        if self.is_sign("["):
            node = self._range(node)
        if self.is_name("offset"):
            token = self.take()
            sign = self.take().text if self.is_sign("-", "+") else "+"
            us = self.duration("behind `offset`")
            if not isinstance(node, Selector):
                raise self.bad(token, "`offset` stands behind a selector or its range")
            node = Selector(node.matchers, node.width_us, -us if sign == "-" else us, node.at)
        if self.is_sign("["):
            raise self.bad(self.next, "a range stands before `offset`")
        if self.is_sign("@"):
            raise refused.unsupported(self.text, self.next.at, "`@`", "ask with `time`")
        return node

    def _range(self, node: Node) -> Selector:
        bracket = self.take()
        us = self.duration("behind `[`")
        if self.is_sign(":"):
            instead = "ask for a range of a selector, as temperature[5m]"
            raise refused.unsupported(self.text, self.next.at, "a subquery", instead)
        self.expect("]", "behind the range")
        if not isinstance(node, Selector) or node.width_us:
            raise self.bad(bracket, "a range stands behind a selector, as temperature[5m]")
        if not us:
            raise self.bad(bracket, "a range must be longer than 0")
        return Selector(node.matchers, us, node.offset_us, node.at)


def _told(node: Node) -> str:
    kind = kind_of(node)
    return f"{'an' if kind is Kind.VECTOR else 'a'} {kind.value}"
